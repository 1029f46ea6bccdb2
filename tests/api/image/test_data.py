"""Image data: what went in comes out, and whatever goes wrong leaves no half image and no stray bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from clearsky import app
from clearsky.image import service
from clearsky.image import tables as t
from clearsky.image.driver import files as files_driver
from clearsky.image.intake import Intake
from clearsky.work import queue
from clearsky.work.worker import run_leased

from .conftest import IMAGES, RAW, files

DATA = bytes(range(256)) * 50_000


def _sweep(cloud):
    with cloud.house.db.write() as c:
        queue.enqueue(c, "image_sweep", "all")
        lease = queue.lease(c, ["image_sweep"], 60.0)
    run_leased(cloud.house, app.reconcilers()["image_sweep"], lease)
    cloud.settle()


def _rows(cloud):
    with cloud.house.db.read() as c:
        return c.execute(select(func.count()).select_from(t.locations)).scalar()


def test_size_and_both_hashes_are_those_of_the_data(cloud, photos):
    id = photos.create()
    assert photos.upload(id, DATA).status_code == 204
    shown = photos.show(id)
    assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", len(DATA), len(DATA))
    assert shown["checksum"] == hashlib.md5(DATA).hexdigest()
    assert (shown["os_hash_algo"], shown["os_hash_value"]) == ("sha512", hashlib.sha512(DATA).hexdigest())
    assert shown["stores"] == "file"


def test_a_download_is_whole_or_the_range_that_was_asked_for(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA)
    whole = photos.download(id)
    assert (whole.status_code, whole.content) == (200, DATA)
    assert whole.headers["content-md5"] == hashlib.md5(DATA).hexdigest()
    assert whole.headers["content-type"] == "application/octet-stream"
    for header, value, start, end in (
        ("Range", "bytes=1000-1999", 1000, 2000),
        ("Range", "bytes=-10", len(DATA) - 10, len(DATA)),
        ("Range", f"bytes={len(DATA) - 5}-{len(DATA) + 99}", len(DATA) - 5, len(DATA)),
        ("Content-Range", "bytes 7-8/*", 7, 9),
    ):
        part = photos.download(id, **{header: value})
        assert (part.status_code, part.content) == (206, DATA[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    for value in ("bytes=99999999999-", "bytes=5-4", "bytes=-", "bytes=0-1,4-5", "kilometres=1-2"):
        refused = photos.download(id, Range=value)
        assert refused.status_code == 416
        assert refused.headers["content-range"] == f"bytes */{len(DATA)}"
    head = cloud.member.head(f"{IMAGES}/{id}/file")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")


def test_an_image_without_data_has_no_content(cloud, photos):
    assert photos.download(photos.create()).status_code == 204


def test_an_image_of_nothing_is_an_image(cloud, photos):
    id = photos.create()
    assert photos.upload(id, b"").status_code == 204
    assert (photos.show(id)["status"], photos.show(id)["size"]) == ("active", 0)
    assert photos.download(id).content == b""


def test_only_administrators_read_a_deactivated_image(cloud, photos):
    id = photos.create()
    photos.upload(id, b"x")
    assert cloud.member.post(f"{IMAGES}/{id}/actions/deactivate").status_code in (204, 403)
    cloud.admin.post(f"{IMAGES}/{id}/actions/deactivate")
    assert photos.download(id).status_code == 403
    assert cloud.admin.get(f"{IMAGES}/{id}/file").content == b"x"
    cloud.admin.post(f"{IMAGES}/{id}/actions/reactivate")
    assert photos.download(id).content == b"x"


def test_a_reader_cannot_upload_and_a_foreign_project_sees_nothing(cloud, photos):
    id = photos.create()
    for path in ("file", "stage"):
        assert cloud.reader.put(f"{IMAGES}/{id}/{path}", content=b"x", headers=RAW).status_code == 403
        assert cloud.foreign.put(f"{IMAGES}/{id}/{path}", content=b"x", headers=RAW).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Content-Type": "text/plain"}, 415, "application/octet-stream"),
        ({"x-image-meta-store": "nowhere"}, 400, "file, b, c"),
        ({"x-openstack-image-size": "many"}, 400, "number of bytes"),
        ({"x-openstack-image-size": "7"}, 400, "7 were announced"),
        ({"x-openstack-image-size": str(1 << 50)}, 413, "at most"),
    ],
)
def test_a_bad_upload_says_why_and_the_image_can_be_uploaded_again(cloud, photos, headers, status, words):
    id = photos.create()
    answer = cloud.member.put(f"{IMAGES}/{id}/file", content=b"12345678", headers=RAW | headers)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert photos.show(id)["status"] == "queued"
    assert files(cloud) == []
    assert photos.upload(id, DATA).status_code == 204


def test_the_client_chooses_the_store(cloud, photos):
    id = photos.create()
    assert photos.upload(id, DATA, **{"x-image-meta-store": "b"}).status_code == 204
    assert photos.show(id)["stores"] == "b"
    assert [name.split("/")[0] for name in files(cloud)] == ["b"]
    assert photos.download(id).content == DATA


def test_a_second_upload_is_refused_and_harms_nothing(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA)
    again = photos.upload(id, b"other")
    assert (again.status_code, "active to saving" in again.json()["message"]) == (409, True)
    assert photos.download(id).content == DATA


def test_two_uploads_at_once_leave_one_whole_image(cloud, photos):
    id, answers = photos.create(), {}

    def send(letter):
        answers[letter] = photos.upload(id, (letter * 1000 for _ in range(500))).status_code

    threads = [threading.Thread(target=send, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [204, 409]
    winner = next(letter for letter, status in answers.items() if status == 204)
    assert photos.download(id).content == winner * 500_000
    cloud.settle()
    assert (len(files(cloud)), _rows(cloud)) == (1, 1)


def _meanwhile(monkeypatch, act):
    """Let something happen once while an upload is on its way: when its last byte has come."""
    real, left = Intake.finish, [act]

    def finish(self):
        if left:
            left.pop()()
        return real(self)

    monkeypatch.setattr(Intake, "finish", finish)


def test_an_image_deleted_during_its_upload_is_gone_with_all_bytes(cloud, photos, monkeypatch):
    id = photos.create()

    def delete():
        assert cloud.member.delete(f"{IMAGES}/{id}").status_code == 204
        cloud.settle()

    _meanwhile(monkeypatch, delete)
    answer = photos.upload(id, DATA)
    assert (answer.status_code, "deleted" in answer.json()["message"]) == (410, True)
    cloud.settle()
    assert (files(cloud), _rows(cloud)) == ([], 0)


def test_a_full_disk_says_so_and_keeps_nothing(cloud, photos, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    id = photos.create()
    monkeypatch.setattr(files_driver.os, "writev", full)
    answer = photos.upload(id, DATA)
    assert (answer.status_code, "full" in answer.json()["message"]) == (413, True)
    monkeypatch.undo()
    cloud.settle()
    assert (photos.show(id)["status"], files(cloud), _rows(cloud)) == ("queued", [], 0)


def test_a_disk_that_is_too_small_is_found_before_the_bytes_travel(cloud, photos, monkeypatch):
    id = photos.create()
    real = os.fstatvfs
    monkeypatch.setattr(
        files_driver.os,
        "fstatvfs",
        lambda descriptor: (
            os.statvfs_result((4096, 4096, 10, 1, 1, 0, 0, 0, 0, 255)) if real(descriptor) else None
        ),
    )
    assert photos.upload(id, DATA).status_code == 413
    monkeypatch.undo()
    cloud.settle()
    assert (photos.show(id)["status"], files(cloud)) == ("queued", [])


def test_an_upload_whose_process_died_is_given_up_and_can_be_repeated(cloud, photos, monkeypatch):
    """The process dies in the middle: nobody cleans up but the sweep, after a while."""

    def die(*_):
        raise RuntimeError("the process is gone")

    id = photos.create()
    monkeypatch.setattr(Intake, "finish", die)
    monkeypatch.setattr(Intake, "abandon", lambda self: None)
    monkeypatch.setattr("clearsky.image.api.upload._give_up", lambda one: None)
    assert photos.upload(id, DATA).status_code == 500
    monkeypatch.undo()
    assert photos.show(id)["status"] == "saving"
    assert len(files(cloud)) == 1
    _sweep(cloud)
    assert photos.show(id)["status"] == "saving", "it may still be alive"
    with cloud.house.db.write() as c:
        c.execute(update(t.locations).values(seen_at=time.time() - 1000))
    _sweep(cloud)
    assert (photos.show(id)["status"], files(cloud), _rows(cloud)) == ("queued", [], 0)
    assert photos.upload(id, DATA).status_code == 204
    assert photos.download(id).content == DATA


def test_an_upload_believed_dead_cannot_overwrite_the_one_after_it(cloud, photos, monkeypatch):
    id = photos.create()

    def be_silent():
        with cloud.house.db.write() as c:
            c.execute(update(t.locations).values(seen_at=time.time() - 1000))
        _sweep(cloud)
        assert photos.show(id)["status"] == "queued"
        assert photos.upload(id, DATA).status_code == 204

    _meanwhile(monkeypatch, be_silent)
    assert photos.upload(id, b"old" * 2_000_000).status_code >= 400
    cloud.settle()
    assert photos.show(id)["status"] == "active"
    assert photos.download(id).content == DATA
    assert (len(files(cloud)), _rows(cloud)) == (1, 1)


def test_bytes_that_belong_to_nothing_go_after_a_while(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA)
    folder = cloud.house.config.state / "images"
    stray = folder / "11111111-1111-1111-1111-111111111111-deadbeef.part"
    foreign = folder / "notes.part"
    for path in (stray, foreign):
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    _sweep(cloud)
    assert not stray.exists()
    assert foreign.exists(), "what is not ours stays"
    assert photos.download(id).content == DATA


def test_a_store_that_is_not_configured_any_more_keeps_the_row(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA)
    with cloud.house.db.write() as c:
        c.execute(update(t.locations).values(store="away"))
    assert photos.download(id).status_code == 404
    assert cloud.member.delete(f"{IMAGES}/{id}").status_code == 204
    with cloud.house.db.write() as c:
        lease = queue.lease(c, ["image"], 60.0)
    run_leased(cloud.house, app.reconcilers()["image"], lease)
    with cloud.house.db.read() as c:
        assert "away" in queue.row_of(c, "image", id).error
    assert _rows(cloud) == 1


def test_other_services_learn_where_the_file_is(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA, **{"x-image-meta-store": "c"})
    info = service.get(cloud.house, id, cloud.member.project_id)
    assert Path(info.path).read_bytes() == DATA
    assert info.os_hash_value == hashlib.sha512(DATA).hexdigest()
