"""glance-download: an image is fetched from the Image service of another region, with its formats and properties."""

from __future__ import annotations

import hashlib
import json

import pytest
from sqlalchemy import select

from clearsky.image.tables import tasks

from .conftest import IMAGES, files
from .web import Page, serving

DATA = bytes(range(256)) * 20_000
THERE = "36d4b546-64a2-4bb9-bdd0-ba676aa48f2c"
TOLD = {
    "id": THERE, "name": "theirs", "status": "active", "disk_format": "raw", "container_format": "bare",
    "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(DATA).hexdigest(), "owner": "somebody",
    "hw_cpu_cores": "5", "trait:STORAGE_DISK_SSD": "required", "os_distro": "debian", "speed": "88mph",
}  # fmt: skip
WANTED = {"glance_image_id": THERE, "glance_region": "West"}


@pytest.fixture
def west(cloud):
    """The Image service of the region West, with one image."""
    with serving() as web:
        web.pages[f"/image/v2/images/{THERE}"] = Page(json.dumps(TOLD).encode())
        web.pages[f"/image/v2/images/{THERE}/file"] = Page(DATA)
        services = cloud.admin.get("/identity/v3/services?type=image").json()["services"]
        assert cloud.admin.put("/identity/v3/regions/West", json={"region": {}}).status_code == 201
        endpoint = {"interface": "public", "region_id": "West", "url": f"{web.url}/image"}
        body = {"endpoint": endpoint | {"service_id": services[0]["id"]}}
        assert cloud.admin.post("/identity/v3/endpoints", json=body).status_code == 201
        yield web


def _import(photos, id, **wanted):
    method = {"name": "glance-download"} | wanted
    return photos.client.post(f"{IMAGES}/{id}/import", json={"method": method})


def _task(photos, id):
    (task,) = photos.client.get(f"{IMAGES}/{id}/tasks").json()["tasks"]
    return task


def test_an_image_comes_with_its_formats_and_some_of_its_properties(cloud, photos, west):
    id = photos.create(disk_format="iso", container_format="ovf", hw_cpu_cores="1", os_version="12")
    answer = _import(photos, id, **WANTED)
    assert answer.status_code == 202, answer.text
    cloud.settle()
    assert _task(photos, id)["status"] == "success", _task(photos, id)
    shown = photos.show(id)
    assert (shown["status"], shown["disk_format"], shown["container_format"]) == ("active", "raw", "bare")
    assert (shown["hw_cpu_cores"], shown["os_distro"], shown["os_version"]) == ("5", "debian", "12")
    assert shown["trait:STORAGE_DISK_SSD"] == "required"
    assert "speed" not in shown
    assert (shown["name"], shown["os_hash_value"]) == ("image", TOLD["os_hash_value"])
    assert photos.download(id).content == DATA
    assert west.tokens == [photos.client.token, photos.client.token]


def test_formats_need_not_be_set_before(cloud, photos, west):
    id = photos.create(disk_format=None, container_format=None)
    assert _import(photos, id, **WANTED).status_code == 202
    cloud.settle()
    assert photos.show(id)["disk_format"] == "raw"


def test_the_token_is_kept_encrypted_and_only_until_the_task_ends(cloud, photos, west):
    id = photos.create()
    _import(photos, id, **WANTED)
    with cloud.house.db.read() as c:
        plan = c.execute(select(tasks.c.plan)).scalar_one()
    assert plan["token"]
    assert photos.client.token not in json.dumps(plan)
    cloud.settle()
    with cloud.house.db.read() as c:
        assert "token" not in c.execute(select(tasks.c.plan)).scalar_one()
    assert "token" not in json.dumps(_task(photos, id)["input"])


@pytest.mark.parametrize(
    ("change", "wanted", "words"),
    [
        ({}, {"glance_region": "East"}, "no 'public' endpoint"),
        ({}, {"glance_service_interface": "internal"}, "no 'internal' endpoint"),
        ({}, {"glance_image_id": "0" * 32}, "answered 404"),
        ({"status": "queued"}, {}, "only an active image"),
        ({"disk_format": "strange"}, {}, "cannot be taken over"),
        ({"disk_format": None}, {}, "neither disk_format"),
        ({"hw_cpu_cores": 5}, {}, "cannot be taken over"),
        ({f"hw_{number}": "x" for number in range(200)}, {}, "too many properties"),
        ({"os_hash_value": "0" * 128}, {}, "SHA-512"),
        ({"disk_format": "qcow2"}, {}, "disk_format is 'qcow2' but the data is 'raw'"),
        (None, {}, "not described as an image"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_leaves_the_image_as_it_was(cloud, photos, west, change, wanted, words):
    told = b"[]" if change is None else json.dumps(TOLD | change).encode()
    west.pages[f"/image/v2/images/{THERE}"] = Page(told)
    id = photos.create(disk_format="iso", hw_cpu_cores="1")
    assert _import(photos, id, **(WANTED | wanted)).status_code == 202
    cloud.settle()
    task = _task(photos, id)
    assert task["status"] == "failure"
    assert words in task["message"]
    shown = photos.show(id)
    assert (shown["status"], shown["disk_format"], shown["hw_cpu_cores"]) == ("queued", "iso", "1")
    assert files(cloud) == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"glance_image_id": "foo"}, "image id does not look like a UUID"),
        ({"glance_image_id": None}, "needs the member 'glance_image_id'"),
        ({"glance_region": None}, "needs the member 'glance_region'"),
        ({"uri": "http://example.org/"}, "'uri' does not belong"),
        ({"name": "glance-direct"}, "does not belong to the import method glance-direct"),
    ],
)
def test_what_is_missing_or_too_much_is_refused_at_once(photos, wanted, words):
    id = photos.create()
    given = {name: value for name, value in (WANTED | wanted).items() if value is not None}
    answer = _import(photos, id, **given)
    assert answer.status_code == 400
    assert words in answer.text
    assert photos.show(id)["status"] == "queued"
