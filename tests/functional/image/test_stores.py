"""What every store does, whatever it stands on."""

from __future__ import annotations

import os
import uuid

import pytest

from clearsky.errors import ClearskyError, NotFound

DATA = os.urandom(5 << 20)


def _name():
    return f"{uuid.uuid4()}-{uuid.uuid4().hex[:8]}"


def _put(store, data=DATA, size_hint=None):
    name = _name()
    writer = store.create(name, size_hint)
    for at in range(0, len(data), 1 << 20):
        writer.write(memoryview(data[at : at + (1 << 20)]))
    writer.finish()
    return name


@pytest.mark.parametrize("hint", [None, len(DATA), 1000, 40 << 20], ids=["unknown", "right", "low", "high"])
def test_what_was_written_is_read_whole_and_in_parts(store, hint):
    name = _put(store, size_hint=hint)
    reader = store.open(name)
    assert reader.size == len(DATA)
    assert reader.read(0, len(DATA)) == DATA
    assert reader.read(1_000_001, 4321) == DATA[1_000_001 : 1_000_001 + 4321]
    assert reader.read(len(DATA) - 3, 100) == DATA[-3:]
    assert reader.read(len(DATA), 100) == b""
    reader.close()
    reader.close()
    assert name in list(store.names())
    store.remove(name)


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * (3 << 20), b"\0" * (2 << 20) + b"end"])
def test_nothing_little_and_zeros_are_data_too(store, data):
    name = _put(store, data)
    reader = store.open(name)
    assert (reader.size, reader.read(0, len(data) + 1)) == (len(data), data)
    reader.close()
    store.remove(name)


def test_unfinished_data_cannot_be_read_and_is_found(store):
    name = _name()
    writer = store.create(name)
    writer.write(memoryview(DATA))
    with pytest.raises(NotFound):
        store.open(name)
    assert name not in list(store.names())
    assert name in list(store.unfinished(-60))
    assert name not in list(store.unfinished(3600))
    writer.abandon()
    writer.abandon()
    assert name not in list(store.unfinished(-60))


def test_what_is_finished_can_still_be_abandoned(store):
    name = _name()
    writer = store.create(name)
    writer.write(memoryview(b"data"))
    writer.finish()
    writer.abandon()
    assert name not in list(store.names())


def test_removal_leaves_nothing_and_may_be_repeated(store):
    name = _put(store)
    store.remove(name)
    store.remove(name)
    with pytest.raises(NotFound):
        store.open(name)
    assert name not in list(store.names())


def test_a_name_is_used_once(store):
    name = _name()
    writer = store.create(name)
    with pytest.raises((ClearskyError, OSError)):
        store.create(name)
    writer.abandon()


def test_two_writers_do_not_mix(store):
    names = [_name(), _name()]
    writers = [store.create(name) for name in names]
    for _ in range(3):
        for number, writer in enumerate(writers):
            writer.write(memoryview(bytes([65 + number]) * (1 << 20)))
    for number, writer in enumerate(writers):
        writer.finish()
        reader = store.open(names[number])
        assert reader.read(0, 4 << 20) == bytes([65 + number]) * (3 << 20)
        reader.close()
        store.remove(names[number])


def test_a_path_is_a_file_with_the_same_bytes(store):
    name = _put(store)
    path = store.path(name)
    if path is not None:
        with open(path, "rb") as file:  # noqa: PTH123
            assert file.read() == DATA
    assert name in store.url(name)
    store.remove(name)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".part", "notes"])
def test_a_name_that_is_not_ours_reaches_nothing(tmp_path, name):
    from clearsky.image.driver.files import Files

    for act in (Files(tmp_path).open, Files(tmp_path).remove, Files(tmp_path).create):
        with pytest.raises(NotFound):
            act(name)
