"""A server of a project without a network, asked for with `networks: auto`, gets one made for it."""

from __future__ import annotations

from tests.api.compute.conftest import LATEST

N, SERVERS = "/network/v2.0", "/compute/v2.1/servers"


def _ask(cloud, image, flavor, **more):
    body = {"name": "auto", "imageRef": image, "flavorRef": flavor, "networks": "auto"} | more
    return cloud.member.post(SERVERS, json={"server": body}, headers=LATEST)


def _defaults(cloud):
    outside = {"name": "public", "router:external": True, "is_default": True}
    network = cloud.admin.post(f"{N}/networks", json={"network": outside}).json()["network"]["id"]
    subnet = {"network_id": network, "cidr": "172.24.9.0/24", "ip_version": 4, "enable_dhcp": False}
    assert cloud.admin.post(f"{N}/subnets", json={"subnet": subnet}).status_code == 201
    pool = {
        "name": "all",
        "prefixes": ["10.64.0.0/10"],
        "default_prefixlen": 24,
        "shared": True,
        "is_default": True,
    }
    assert cloud.admin.post(f"{N}/subnetpools", json={"subnetpool": pool}).status_code == 201


def test_the_first_server_brings_a_network_and_the_next_ones_use_it(cloud, image, flavor):
    _defaults(cloud)
    assert _ask(cloud, image, flavor, min_count=3, max_count=3).status_code == 202
    assert _ask(cloud, image, flavor).status_code == 202
    cloud.settle()
    own = [one for one in cloud.member.get(f"{N}/networks").json()["networks"] if not one["router:external"]]
    assert [one["name"] for one in own] == ["auto_allocated_network"]
    shown = cloud.member.get(f"{SERVERS}/detail").json()["servers"]
    assert {one["status"] for one in shown} == {"ACTIVE"}
    assert [list(one["addresses"]) for one in shown] == [["auto_allocated_network"]] * 4


def test_what_the_operator_has_to_make_first_is_said_and_nothing_is_made(cloud, image, flavor):
    answer = _ask(cloud, image, flavor)
    assert answer.status_code == 400
    assert "an administrator sets is_default on one" in answer.json()["badRequest"]["message"]
    assert cloud.member.get(f"{N}/networks").json()["networks"] == []
    assert cloud.member.get(SERVERS).json()["servers"] == []
