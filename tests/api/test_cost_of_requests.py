"""What the hot routes cost in SQL statements: constant in the number of rows, and no more than they must."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event


@contextmanager
def counted(house) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_):
        if statement.split()[0] not in ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA"):
            seen.append(statement)

    asked = house.db.value

    def value(statement):
        seen.append(statement)
        return asked(statement)

    event.listen(house.db.engine, "before_cursor_execute", note)
    house.db.value = value
    try:
        yield seen
    finally:
        house.db.value = asked
        event.remove(house.db.engine, "before_cursor_execute", note)


@pytest.fixture
def servers(cloud):
    image = cloud.admin.post(
        "/image/v2/images", json={"disk_format": "raw", "container_format": "bare", "visibility": "public"}
    ).json()["id"]
    raw = {"Content-Type": "application/octet-stream"}
    cloud.admin.put(f"/image/v2/images/{image}/file", content=b"\0" * 512, headers=raw)
    flavor = cloud.admin.post(
        "/compute/v2.1/flavors", json={"flavor": {"name": "f", "ram": 1, "vcpus": 1, "disk": 1}}
    ).json()["flavor"]["id"]
    net = cloud.member.post("/network/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    cloud.member.post(
        "/network/v2.0/subnets", json={"subnet": {"network_id": net, "cidr": "10.0.0.0/24", "ip_version": 4}}
    )

    def create(count):
        body = {
            "name": "s",
            "imageRef": image,
            "flavorRef": flavor,
            "networks": [{"uuid": net}],
            "min_count": count,
        }
        answer = cloud.member.post("/compute/v2.1/servers", json={"server": body})
        assert answer.status_code == 202, answer.text
        cloud.settle()

    return create


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/compute/v2.1/servers/detail", 9),
        ("/compute/v2.1/servers", 2),
        ("/network/v2.0/ports", 5),
        ("/network/v2.0/networks", 4),
        ("/network/v2.0/clearsky/topology", 10),
        ("/image/v2/images", 2),
        ("/image/v2/images?tag=a&os_distro=debian&sort=name:asc", 2),
    ],
)
def test_a_list_costs_the_same_however_long_it_is(cloud, servers, path, most):
    servers(1)
    with counted(cloud.house) as few:
        assert cloud.member.get(path).status_code == 200
    servers(9)
    with counted(cloud.house) as many:
        assert cloud.member.get(path).status_code == 200
    assert len(many) == len(few), "\n".join(many)
    assert len(few) <= most, "\n".join(few)


def test_a_token_seen_before_costs_one_statement(cloud):
    cloud.member.get("/network/v2.0/extensions")
    with counted(cloud.house) as seen:
        cloud.member.get("/network/v2.0/extensions")
    assert len(seen) == 1


def test_the_desired_state_of_a_host_costs_the_same_for_any_number_of_servers(cloud, servers):
    from clearsky.compute import service

    servers(1)
    with counted(cloud.house) as few:
        assert len(service.desired(cloud.house, "host1").servers) == 1
    servers(9)
    with counted(cloud.house) as many:
        assert len(service.desired(cloud.house, "host1").servers) == 10
    assert len(many) == len(few)
