"""Imports: staged data, the web, another store. They end in a whole image, or as if nothing had happened."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from clearsky import app
from clearsky.errors import Unavailable
from clearsky.image import service
from clearsky.image import tables as t
from clearsky.image.driver.interface import StorageFull
from clearsky.work import queue
from clearsky.work.tables import work
from clearsky.work.worker import run_leased

from .conftest import IMAGES, files
from .web import Page, serving

DATA = bytes(range(256)) * 40_000
TASKS = "/image/v2/tasks"


@pytest.fixture
def settings(settings):
    """The web server of these tests is on loopback, which is not allowed by itself."""
    image = replace(settings.image, download_networks=("127.0.0.0/8",), download_ports=())
    return replace(settings, image=image)


@pytest.fixture
def web():
    with serving() as found:
        yield found


def _tasks(photos, id):
    return photos.client.get(f"{IMAGES}/{id}/tasks").json()["tasks"]


def _rows(cloud):
    with cloud.house.db.read() as c:
        return c.execute(select(func.count()).select_from(t.locations)).scalar()


def _run(cloud, times=1):
    """Run the import `times` times, as often as the queue would after failures."""
    for _ in range(times):
        with cloud.house.db.write() as c:
            c.execute(
                update(work).where(work.c.kind == "image_import").values(due_at=time.time(), leased_until=0)
            )
            lease = queue.lease(c, ["image_import"], 60.0)
        if lease is None:
            return
        run_leased(cloud.house, app.reconcilers()["image_import"], lease)


def test_staged_data_becomes_an_image(cloud, photos):
    id = photos.create()
    assert photos.stage(id, DATA).status_code == 204
    assert photos.show(id)["status"] == "uploading"
    assert photos.stage(id, DATA).status_code == 409
    assert photos.download(id).status_code == 204
    answer = photos.imports(id, "glance-direct")
    assert answer.status_code == 202, answer.text
    assert photos.show(id)["status"] == "importing"
    assert photos.show(id)["os_glance_importing_to_stores"] == "file"
    cloud.settle()
    shown = photos.show(id)
    assert (shown["status"], shown["size"], shown["stores"]) == ("active", len(DATA), "file")
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert (shown["os_glance_importing_to_stores"], shown["os_glance_failed_import"]) == ("", "")
    assert photos.download(id).content == DATA
    (task,) = _tasks(photos, id)
    assert (task["status"], task["type"]) == ("success", "api_image_import")
    assert task["request_id"] == answer.headers["x-openstack-request-id"]
    assert task["input"]["import_req"]["method"] == {"name": "glance-direct"}
    assert (len(files(cloud)), _rows(cloud)) == (1, 1)


def test_an_import_goes_to_all_stores_or_to_those_that_are_named(cloud, photos):
    first, second = photos.create(), photos.create()
    for id, wanted in ((first, {"all_stores": True}), (second, {"stores": ["b", "c"]})):
        photos.stage(id, DATA)
        assert photos.imports(id, "glance-direct", **wanted).status_code == 202
    cloud.settle()
    assert photos.show(first)["stores"] == "file,b,c"
    assert photos.show(second)["stores"] == "b,c"
    for store in ("file", "b", "c"):
        assert cloud.member.get(f"{IMAGES}/{first}/file?prefer={store}").content == DATA


def test_the_web_is_fetched_from_with_redirects(cloud, photos, web):
    web.pages["/image"] = Page(b"", 302, {"Location": "/moved"})
    web.pages["/moved"] = Page(DATA)
    id = photos.create()
    assert photos.imports(id, "web-download", f"{web.url}/image").status_code == 202
    cloud.settle()
    assert photos.show(id)["status"] == "active"
    assert photos.download(id).content == DATA
    assert web.asked == ["/image", "/moved"]
    assert (len(files(cloud)), _rows(cloud)) == (1, 1)


def test_a_download_that_breaks_off_is_repeated(cloud, photos, web):
    web.pages["/image"] = Page(DATA, cut_after=5_000_000, times=2)
    id = photos.create()
    photos.imports(id, "web-download", f"{web.url}/image")
    _run(cloud, 4)
    cloud.settle()
    assert photos.download(id).content == DATA
    assert (len(files(cloud)), _rows(cloud)) == (1, 1)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (Page(b"gone", 404), "404"),
        (Page(b"", 302, {"Location": "http://10.0.0.1/"}), "no public address"),
        (Page(b"", 302, {"Location": "file:///etc/passwd"}), "scheme"),
        (Page(b"", 302, {"Location": "/image"}), "redirects"),
        (Page(b"x", 200, {"Content-Length": str(1 << 50)}), "at most"),
        (Page(b"x", 200, {"Content-Encoding": "gzip"}), "compressed"),
        (Page(DATA, cut_after=1000), "too early"),
        (Page(b"", 503), "503"),
        (Page(b"QFI\xfb" + b"\0" * 600), "disk_format is 'raw'"),
    ],
)
def test_what_cannot_be_fetched_or_used_leaves_a_queued_image_and_says_why(cloud, photos, web, page, words):
    web.pages["/image"] = page
    id = photos.create()
    assert photos.imports(id, "web-download", f"{web.url}/image").status_code == 202
    _run(cloud, 8)
    cloud.settle()
    (task,) = _tasks(photos, id)
    assert (task["status"], words in task["message"]) == ("failure", True), task
    shown = photos.show(id)
    assert (shown["status"], shown["os_glance_failed_import"]) == ("queued", "file")
    assert (shown["size"], shown["checksum"]) == (None, None)
    assert (files(cloud), _rows(cloud)) == ([], 0)
    assert photos.upload(id, DATA).status_code == 204


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("ftp://example.org/x", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://", "host"),
        ("http://user:secret@example.org/", "password"),
        ("http://169.254.169.254/latest/meta-data", "no public address"),
        ("http://10.1.2.3/", "no public address"),
        ("http://[::1]/", "no public address"),
        ("http://[::ffff:10.0.0.1]/", "no public address"),
        ("http://example.org:99999/", "port"),
        ("http://example.org/a b", "characters"),
    ],
)
def test_an_address_that_may_not_be_fetched_from_is_refused_at_once(cloud, photos, uri, words):
    id = photos.create()
    answer = photos.imports(id, "web-download", uri)
    assert (answer.status_code, words in answer.json()["message"].lower()) == (400, True), answer.text
    assert photos.show(id)["status"] == "queued"


def test_a_name_that_does_not_exist_fails_the_import(cloud, photos):
    id = photos.create()
    assert photos.imports(id, "web-download", "http://does-not.exist/no").status_code in (202, 400)
    cloud.settle()
    assert photos.show(id)["os_glance_failed_import"] == "file"
    assert "resolved" in _tasks(photos, id)[0]["message"]


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("teleport", {}, 400),
        ("web-download", {}, 400),
        ("glance-direct", {}, 409),
        ("glance-direct", {"stores": ["nowhere"]}, 409),
        ("glance-direct", {"stores": ["b"], "all_stores": True}, 400),
        ("glance-direct", {"stores": []}, 400),
        ("glance-direct", {"colour": "red"}, 400),
    ],
)
def test_a_bad_import_is_refused_and_changes_nothing(cloud, photos, method, body, status):
    id = photos.create()
    answer = photos.imports(id, method, **body)
    assert answer.status_code == status, answer.text
    assert photos.show(id)["status"] == "queued"
    assert _tasks(photos, id) == []


def test_foreigners_and_readers_cannot_import(cloud, photos):
    id = photos.create()
    photos.stage(id, DATA)
    body = {"method": {"name": "glance-direct"}}
    assert cloud.foreign.post(f"{IMAGES}/{id}/import", json=body).status_code == 404
    assert cloud.reader.post(f"{IMAGES}/{id}/import", json=body).status_code == 403
    assert cloud.foreign.get(f"{IMAGES}/{id}/tasks").status_code == 404
    assert cloud.admin.patch(
        f"{IMAGES}/{id}",
        json=[{"op": "replace", "path": "/visibility", "value": "public"}],
        headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
    ).is_success
    assert cloud.foreign.post(f"{IMAGES}/{id}/import", json=body).status_code == 403
    assert cloud.foreign.get(f"{IMAGES}/{id}/tasks").json()["tasks"] == []


def test_an_image_is_copied_into_further_stores(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA)
    assert photos.imports(id, "copy-image", all_stores=True).status_code == 403
    of_admin = type(photos)(cloud.admin)
    assert of_admin.imports(id, "copy-image", stores=["file"]).status_code == 400
    assert of_admin.imports(id, "copy-image", all_stores=True).status_code == 202
    assert of_admin.imports(id, "copy-image", all_stores=True).status_code == 409
    assert photos.show(id)["status"] == "active"
    cloud.settle()
    shown = photos.show(id)
    assert (shown["stores"], shown["os_glance_importing_to_stores"]) == ("file,b,c", "")
    assert cloud.member.get(f"{IMAGES}/{id}/file?prefer=c").content == DATA
    assert of_admin.imports(id, "copy-image", all_stores=True).status_code == 202, "there is nothing to do"
    cloud.settle()
    assert _tasks(of_admin, id)[0]["status"] == "success"


def _failing(cloud, monkeypatch, store, error):
    def create(*_):
        raise error

    monkeypatch.setattr(service.stores(cloud.house)[store], "create", create)


@pytest.mark.parametrize("error", [StorageFull("full"), Unavailable("away")])
def test_where_all_stores_must_succeed_one_failure_undoes_all(cloud, photos, monkeypatch, error):
    id = photos.create()
    photos.stage(id, DATA)
    _failing(cloud, monkeypatch, "c", error)
    photos.imports(id, "glance-direct", all_stores=True)
    _run(cloud, 8)
    cloud.settle()
    shown = photos.show(id)
    assert (shown["status"], shown["os_glance_failed_import"]) == ("queued", "c")
    assert "stores" not in shown
    assert (files(cloud), _rows(cloud)) == ([], 0)


@pytest.mark.parametrize("error", [StorageFull("full"), Unavailable("away")])
def test_where_they_need_not_the_others_have_the_image(cloud, photos, monkeypatch, error):
    id = photos.create()
    photos.stage(id, DATA)
    _failing(cloud, monkeypatch, "b", error)
    photos.imports(id, "glance-direct", all_stores=True, all_stores_must_succeed=False)
    _run(cloud, 8)
    cloud.settle()
    shown = photos.show(id)
    assert (shown["status"], shown["stores"], shown["os_glance_failed_import"]) == ("active", "file,c", "b")
    assert _tasks(photos, id)[0]["status"] == "success"
    assert photos.download(id).content == DATA
    assert (len(files(cloud)), _rows(cloud)) == (2, 2)


def test_a_copy_that_fails_leaves_the_image_as_it_was(cloud, photos, monkeypatch):
    id = photos.create()
    photos.upload(id, DATA)
    _failing(cloud, monkeypatch, "c", StorageFull("full"))
    type(photos)(cloud.admin).imports(id, "copy-image", all_stores=True)
    _run(cloud)
    cloud.settle()
    shown = photos.show(id)
    assert (shown["status"], shown["stores"], shown["os_glance_failed_import"]) == ("active", "file", "c")
    assert (len(files(cloud)), _rows(cloud)) == (1, 1)


def test_a_damaged_source_is_not_copied(cloud, photos):
    id = photos.create()
    photos.upload(id, DATA)
    (cloud.house.config.state / "images" / files(cloud)[0]).write_bytes(b"rotten")
    type(photos)(cloud.admin).imports(id, "copy-image", stores=["b"])
    cloud.settle()
    with cloud.house.db.read() as c:
        message = c.execute(select(t.tasks.c.message)).scalar()
    assert "SHA-512 differs" in message
    assert photos.show(id)["stores"] == "file"


def test_an_image_deleted_while_it_waits_for_its_import_is_gone(cloud, photos):
    id = photos.create()
    photos.stage(id, DATA)
    photos.imports(id, "glance-direct")
    assert cloud.member.delete(f"{IMAGES}/{id}").status_code == 204
    cloud.settle()
    assert (files(cloud), _rows(cloud)) == ([], 0)
    (task,) = cloud.admin.get(TASKS).json()["tasks"]
    assert task["status"] == "failure"


def test_an_import_ends_at_its_deadline(cloud, photos):
    id = photos.create()
    photos.stage(id, DATA)
    photos.imports(id, "glance-direct")
    with cloud.house.db.write() as c:
        c.execute(update(t.tasks).values(deadline_at=time.time() - 1))
    cloud.settle()
    assert photos.show(id)["status"] == "queued"
    assert "within" in _tasks(photos, id)[0]["message"]
    assert (files(cloud), _rows(cloud)) == ([], 0)


def test_tasks_are_for_administrators_and_forgotten_in_the_end(cloud, photos):
    id = photos.create()
    photos.stage(id, DATA)
    photos.imports(id, "glance-direct")
    cloud.settle()
    assert cloud.member.get(TASKS).status_code == 403
    listed = cloud.admin.get(f"{TASKS}?status=success&limit=1").json()
    assert [one["status"] for one in listed["tasks"]] == ["success"]
    assert cloud.admin.get(listed["next"].replace("/v2", "/image/v2")).json()["tasks"] == []
    shown = cloud.admin.get(f"{TASKS}/{listed['tasks'][0]['id']}").json()
    assert (shown["image_id"], shown["result"]) == (id, {"image_id": id})
    assert cloud.admin.get(f"{TASKS}/{id}").status_code == 404
    assert cloud.admin.delete(f"{TASKS}/{shown['id']}").status_code == 405
    for bad in ("sort_key=colour", "sort_dir=sideways", "marker=none"):
        assert cloud.admin.get(f"{TASKS}?{bad}").status_code == 400
    with cloud.house.db.write() as c:
        c.execute(update(t.tasks).values(expires_at=time.time() - 1))
        queue.enqueue(c, "image_sweep", "all")
        lease = queue.lease(c, ["image_sweep"], 60.0)
    run_leased(cloud.house, app.reconcilers()["image_sweep"], lease)
    assert cloud.admin.get(TASKS).json()["tasks"] == []


def test_a_task_makes_an_image_of_what_is_on_the_web(cloud, web):
    web.pages["/image"] = Page(DATA)
    described = {"name": "made", "disk_format": "raw", "container_format": "bare"}
    body = {
        "type": "import",
        "input": {
            "import_from": f"{web.url}/image",
            "import_from_format": "raw",
            "image_properties": described,
        },
    }
    assert cloud.member.post(TASKS, json=body).status_code == 403
    answer = cloud.admin.post(TASKS, json=body)
    assert (answer.status_code, answer.json()["status"]) == (201, "pending"), answer.text
    cloud.settle()
    task = cloud.admin.get(f"{TASKS}/{answer.json()['id']}").json()
    assert task["status"] == "success"
    image = cloud.admin.get(f"{IMAGES}/{task['result']['image_id']}").json()
    assert (image["name"], image["status"], image["size"]) == ("made", "active", len(DATA))
    body["input"]["import_from"] = "http://10.0.0.1/"
    assert cloud.admin.post(TASKS, json=body).status_code == 400
    body["input"]["image_properties"] = {"disk_format": "stone"}
    assert cloud.admin.post(TASKS, json=body).status_code == 400
