"""Data on its way in: whole, in order, hashed, in bounded memory, and stopped by the first thing that goes wrong."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from clearsky.errors import Invalid, TooLarge
from clearsky.image.driver.files import Files
from clearsky.image.intake import BUFFER_BYTES, BUFFERS, Intake

NAME = "36d4b546-64a2-4bb9-bdd0-ba676aa48f2c-00000001"
MOST = 1 << 40


class Kept:
    """A writer that keeps what it gets; `gate` holds it up."""

    def __init__(self):
        self.pieces, self.finished, self.abandoned = [], False, False
        self.gate = threading.Event()
        self.gate.set()

    def write(self, data):
        self.gate.wait(30)
        self.pieces.append(bytes(data))

    def finish(self):
        self.finished = True

    def abandon(self):
        self.abandoned = True

    @property
    def data(self):
        return b"".join(self.pieces)


@pytest.mark.parametrize(
    "size", [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 7 * BUFFER_BYTES + 12345]
)
@pytest.mark.parametrize("piece", [65537, BUFFER_BYTES, 3 * BUFFER_BYTES + 1])
def test_what_goes_in_comes_out_whole_and_hashed(size, piece):
    data, writer = os.urandom(size), Kept()
    intake = Intake(writer, MOST)
    for at in range(0, size, piece):
        intake.add(data[at : at + piece])
    facts = intake.finish()
    assert writer.data == data
    assert writer.finished
    assert (facts.size, facts.checksum) == (size, hashlib.md5(data, usedforsecurity=False).hexdigest())
    assert facts.os_hash_value == hashlib.sha512(data).hexdigest()


@pytest.mark.parametrize("size", [5, 4096, BUFFER_BYTES, 3 * BUFFER_BYTES + 4096, 3 * BUFFER_BYTES + 4097])
def test_a_file_gets_every_byte_whatever_its_size(tmp_path, size):
    data, store = os.urandom(size), Files(tmp_path)
    intake = Intake(store.create(NAME), MOST)
    intake.add(data)
    intake.finish()
    assert (tmp_path / NAME).read_bytes() == data


def test_a_slow_step_bounds_the_memory_and_is_waited_for():
    writer = Kept()
    intake = Intake(writer, MOST)
    writer.gate.clear()
    piece = bytes(BUFFER_BYTES)
    for _ in range(BUFFERS):
        assert intake.busy() is None
        intake.add(piece)
    busy = intake.busy()
    assert busy is not None
    assert not busy.done()
    writer.gate.set()
    busy.result(30)
    for _ in range(3 * BUFFERS):
        intake.add(piece)
    assert intake.finish().size == 4 * BUFFERS * BUFFER_BYTES
    assert intake._made == BUFFERS


@pytest.mark.parametrize("failing", ["write", "finish"])
def test_an_error_of_a_step_stops_the_intake(failing):
    writer = Kept()

    def fail(*_):
        raise OSError("no more")

    setattr(writer, failing, fail)
    intake = Intake(writer, MOST)
    with pytest.raises(OSError, match="no more"):  # noqa: PT012 - at the latest at the end
        for _ in range(3 * BUFFERS):
            intake.add(bytes(BUFFER_BYTES))
        intake.finish()
    intake.abandon()
    assert writer.abandoned
    assert not writer.finished


def test_what_is_too_large_is_refused_and_the_beginning_is_looked_at_first():
    writer = Kept()
    with pytest.raises(TooLarge, match="larger than the 10 bytes"):
        Intake(writer, 10).add(b"x" * 11)

    def refuse(head):
        assert head == b"x" * (64 << 10)
        raise Invalid("not this")

    intake = Intake(writer, MOST, head=refuse)
    with pytest.raises(Invalid, match="not this"):
        intake.add(b"x" * BUFFER_BYTES)
    assert writer.pieces == []


def test_many_intakes_share_the_threads_fairly():
    """One whose writer stands still does not stop the others."""
    writers = [Kept() for _ in range(4)]
    writers[0].gate.clear()
    intakes = [Intake(writer, MOST) for writer in writers]
    for _ in range(BUFFERS):
        for intake in intakes:
            intake.add(bytes(BUFFER_BYTES))
    for intake in intakes[1:]:
        assert intake.finish().size == BUFFERS * BUFFER_BYTES
    writers[0].gate.set()
    assert intakes[0].finish().size == BUFFERS * BUFFER_BYTES
