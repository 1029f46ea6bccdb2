"""What a server needs, and a function that makes one."""

from __future__ import annotations

import pytest

LATEST = {"OpenStack-API-Version": "compute latest"}


@pytest.fixture
def image(cloud):
    return make_image(cloud)


def make_image(cloud, **more):
    made = cloud.admin.post(
        "/image/v2/images",
        json={"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        | more,
    )
    assert made.status_code == 201, made.text
    id = made.json()["id"]
    sent = cloud.admin.put(
        f"/image/v2/images/{id}/file",
        content=b"\0" * 4096,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert sent.status_code == 204, sent.text
    return id


@pytest.fixture
def flavor(cloud):
    return make_flavor(cloud, "small")


def make_flavor(cloud, name, **more):
    body = {"name": name, "ram": 128, "vcpus": 1, "disk": 1} | more
    made = cloud.admin.post("/compute/v2.1/flavors", json={"flavor": body})
    assert made.status_code == 200, made.text
    return made.json()["flavor"]["id"]


@pytest.fixture
def network(cloud):
    return make_network(cloud, "net", "10.9.0.0/24")


def make_network(cloud, name, cidr):
    id = cloud.member.post("/network/v2.0/networks", json={"network": {"name": name}}).json()["network"]["id"]
    subnet = {"network_id": id, "cidr": cidr, "ip_version": 4}
    made = cloud.member.post("/network/v2.0/subnets", json={"subnet": subnet})
    assert made.status_code == 201, made.text
    return id


@pytest.fixture
def boot(cloud, image, flavor, network):
    """Return a function that asks for a server and returns its id."""

    def create(hints=None, client=None, **more):
        body = {"name": "one", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network}]} | more
        whole = {"server": body} | ({"os:scheduler_hints": hints} if hints else {})
        made = (client or cloud.member).post("/compute/v2.1/servers", json=whole, headers=LATEST)
        assert made.status_code == 202, made.text
        return made.json()["server"]["id"]

    return create


@pytest.fixture
def show(cloud):
    """Return a function that shows a server as of the newest microversion."""

    def shown(id, client=None):
        answer = (client or cloud.member).get(f"/compute/v2.1/servers/{id}", headers=LATEST)
        assert answer.status_code == 200, answer.text
        return answer.json()["server"]

    return shown


@pytest.fixture
def act(cloud):
    """Return a function that asks for an action and settles; it returns the answer."""

    def done(id, action, body=None, *, status=202, client=None, version="latest"):
        headers = {"OpenStack-API-Version": f"compute {version}"}
        answer = (client or cloud.member).post(
            f"/compute/v2.1/servers/{id}/action", json={action: body}, headers=headers
        )
        assert answer.status_code == status, answer.text
        cloud.settle()
        return answer

    return done
