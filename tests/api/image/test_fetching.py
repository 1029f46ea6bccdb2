"""What a host may fetch: the data of images that its own servers are made from."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from clearsky import agent_api

from .conftest import files

DATA = b"clear sky" * 500_000


@pytest.fixture
def host(cloud):
    nobody_waits = SimpleNamespace(start=lambda: None)
    with TestClient(agent_api.make(cloud.house, nobody_waits)) as client:
        yield client


def _server(cloud, image):
    flavor = {"flavor": {"name": "f", "ram": 64, "vcpus": 1, "disk": 1}}
    flavor_id = cloud.admin.post("/compute/v2.1/flavors", json=flavor).json()["flavor"]["id"]
    body = {"server": {"name": "s", "imageRef": image, "flavorRef": flavor_id, "networks": "none"}}
    version = {"OpenStack-API-Version": "compute 2.37"}
    answer = cloud.member.post("/compute/v2.1/servers", json=body, headers=version)
    assert answer.status_code == 202, answer.text
    cloud.settle()


def test_a_host_fetches_only_what_its_servers_are_made_from(cloud, photos, host):
    used, unused = photos.create(), photos.create()
    for id in (used, unused):
        photos.upload(id, DATA)
    _server(cloud, used)
    name = cloud.house.config.host
    answer = host.get(f"/agent/v1/images/{used}?host={name}")
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert host.get(f"/agent/v1/images/{unused}?host={name}").status_code == 404
    assert host.get(f"/agent/v1/images/{used}?host=another").status_code == 404
    assert host.get(f"/agent/v1/images/{used}").status_code == 404


def test_an_image_in_no_file_of_the_machine_is_named_by_its_hash(cloud, photos, monkeypatch, host):
    from clearsky.compute import service as compute
    from clearsky.image.driver.files import Files

    id = photos.create()
    photos.upload(id, DATA)
    _server(cloud, id)
    monkeypatch.setattr(Files, "path", lambda self, name: None)
    (server,) = compute.desired(cloud.house, cloud.house.config.host).servers
    assert server.root_disk.image_path == ""
    assert server.root_disk.image_hash == photos.show(id)["os_hash_value"]
    (cloud.house.config.state / "images" / files(cloud)[0]).unlink()
    answer = host.get(f"/agent/v1/images/{id}?host={cloud.house.config.host}")
    assert (answer.status_code, "not in" in answer.json()["message"]) == (404, True)
