"""Subnet pools and address scopes: who gets which prefix, and what is refused."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearsky.network import pools

N = "/network/v2.0"


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


def pool(client, status=201, **body):
    return post(client, "subnetpools", status, subnetpool={"name": "p", "prefixes": ["10.0.0.0/16"]} | body)


def subnet(client, status=201, **body):
    if "network_id" not in body:
        body["network_id"] = post(client, "networks", network={})["id"]
    return post(client, "subnets", status, subnet=body)


def test_subnets_get_the_first_free_prefix(cloud):
    id = pool(cloud.member, default_prefixlen=24)["id"]
    first = subnet(cloud.member, subnetpool_id=id)
    second = subnet(cloud.member, subnetpool_id=id, prefixlen=20)
    third = subnet(cloud.member, subnetpool_id=id)
    assert [one["cidr"] for one in (first, second, third)] == ["10.0.0.0/24", "10.0.16.0/20", "10.0.1.0/24"]
    chosen = subnet(cloud.member, subnetpool_id=id, cidr="10.0.200.0/24")
    assert chosen["subnetpool_id"] == id
    taken = subnet(cloud.member, 409, subnetpool_id=id, cidr="10.0.200.128/25")
    assert taken["type"] == "SubnetAllocationError"
    outside = subnet(cloud.member, 409, subnetpool_id=id, cidr="10.9.0.0/24")
    assert outside["type"] == "SubnetAllocationError"
    used = cloud.member.delete(f"{N}/subnetpools/{id}")
    assert (used.status_code, used.json()["NeutronError"]["type"]) == (409, "SubnetPoolDeleteError")
    assert cloud.member.delete(f"{N}/subnets/{first['id']}").status_code == 204
    assert subnet(cloud.member, subnetpool_id=id)["cidr"] == "10.0.0.0/24"


def test_a_pool_is_used_up_by_length_and_by_quota(cloud):
    small = pool(cloud.member, prefixes=["10.0.0.0/24"], default_prefixlen=25)["id"]
    for _ in range(2):
        subnet(cloud.member, subnetpool_id=small)
    assert subnet(cloud.member, 409, subnetpool_id=small)["type"] == "SubnetAllocationError"
    limited = pool(cloud.member, default_prefixlen=24, default_quota=300)["id"]
    subnet(cloud.member, subnetpool_id=limited)
    assert subnet(cloud.member, 409, subnetpool_id=limited)["type"] == "SubnetPoolQuotaExceeded"
    six = pool(cloud.member, prefixes=["fd00::/48"], default_quota=1)["id"]
    made = subnet(
        cloud.member, subnetpool_id=six, ip_version=6, ipv6_ra_mode="slaac", ipv6_address_mode="slaac"
    )
    assert made["cidr"] == "fd00::/64"
    assert subnet(cloud.member, 409, subnetpool_id=six, ip_version=6)["type"] == "SubnetPoolQuotaExceeded"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"prefixes": ["10.0.0.0/33"]}, "HTTPBadRequest"),
        ({"prefixes": ["10.0.0.0/8", "fd00::/48"]}, "PrefixVersionMismatch"),
        ({"min_prefixlen": 24, "max_prefixlen": 20}, "IllegalSubnetPoolPrefixBounds"),
        ({"min_prefixlen": 24, "default_prefixlen": 20}, "IllegalSubnetPoolPrefixBounds"),
        ({"default_prefixlen": 33}, "InvalidInput"),
    ],
)
def test_a_pool_that_contradicts_itself_is_refused(cloud, body, kind):
    assert pool(cloud.member, 400, **body)["type"] == kind


def test_prefixes_may_be_added_but_not_taken_from_under_subnets(cloud):
    id = pool(cloud.member, default_prefixlen=24)["id"]
    subnet(cloud.member, subnetpool_id=id)
    path = f"{N}/subnetpools/{id}"
    more = cloud.member.put(f"{path}/add_prefixes", json={"prefixes": ["10.1.0.0/16", "10.4.0.0/16"]})
    assert more.json()["prefixes"] == ["10.0.0.0/15", "10.4.0.0/16"]
    gone = cloud.member.put(f"{path}/remove_prefixes", json={"prefixes": ["10.4.0.0/16", "10.1.0.0/16"]})
    assert gone.json()["prefixes"] == ["10.0.0.0/16"]
    assert cloud.member.put(f"{path}/remove_prefixes", json={"prefixes": ["10.0.0.0/20"]}).status_code == 409
    less = cloud.member.put(path, json={"subnetpool": {"prefixes": ["10.0.0.0/24"]}})
    assert less.json()["NeutronError"]["type"] == "IllegalSubnetPoolPrefixUpdate"


def test_the_default_pool_serves_those_who_name_none(cloud):
    refused = cloud.member.post(
        f"{N}/subnetpools",
        json={"subnetpool": {"name": "d", "prefixes": ["10.8.0.0/16"], "is_default": True}},
    )
    assert refused.status_code == 403
    body = {"network_id": post(cloud.member, "networks", network={})["id"], "use_default_subnetpool": True}
    assert subnet(cloud.member, 404, **body)["type"] == "SubnetPoolNotFound"
    pool(cloud.admin, prefixes=["10.8.0.0/16"], is_default=True, shared=True, default_prefixlen=24)
    assert subnet(cloud.member, **body)["cidr"] == "10.8.0.0/24"
    twin = pool(cloud.admin, 409, prefixes=["10.9.0.0/16"], is_default=True)
    assert twin["type"] == "DefaultSubnetPoolExists"


def test_one_network_has_subnets_of_one_pool(cloud):
    one, other = (
        pool(cloud.member, prefixes=[p], default_prefixlen=24)["id"] for p in ("10.1.0.0/16", "10.2.0.0/16")
    )
    net = subnet(cloud.member, subnetpool_id=one)["network_id"]
    assert (
        subnet(cloud.member, 400, network_id=net, subnetpool_id=other)["type"]
        == "NetworkSubnetPoolAffinityError"
    )
    assert (
        subnet(cloud.member, 400, network_id=net, cidr="10.9.0.0/24", ip_version=4)["type"]
        == "NetworkSubnetPoolAffinityError"
    )


def test_subnets_are_onboarded(cloud):
    old = subnet(cloud.member, cidr="10.77.0.0/24", ip_version=4)
    id = pool(cloud.member)["id"]
    body = {"network_id": old["network_id"]}
    answer = cloud.member.put(f"{N}/subnetpools/{id}/onboard_network_subnets", json=body)
    assert answer.json() == [{"id": old["id"], "cidr": "10.77.0.0/24"}]
    assert cloud.member.get(f"{N}/subnets/{old['id']}").json()["subnet"]["subnetpool_id"] == id
    assert "10.77.0.0/24" in cloud.member.get(f"{N}/subnetpools/{id}").json()["subnetpool"]["prefixes"]
    assert cloud.foreign.put(f"{N}/subnetpools/{id}/onboard_network_subnets", json=body).status_code == 404


def test_within_an_address_scope_prefixes_are_unique(cloud):
    scope = post(cloud.member, "address-scopes", address_scope={"name": "s", "ip_version": 4})["id"]
    first = pool(cloud.member, address_scope_id=scope)
    clash = pool(cloud.member, 409, address_scope_id=scope, prefixes=["10.0.128.0/20"])
    assert clash["type"] == "AddressScopePrefixConflict"
    wrong = pool(cloud.member, 400, address_scope_id=scope, prefixes=["fd00::/48"])
    assert wrong["type"] == "IllegalSubnetPoolIpVersionAssociation"
    made = subnet(cloud.member, subnetpool_id=first["id"], prefixlen=24)
    shown = cloud.member.get(f"{N}/networks/{made['network_id']}").json()["network"]
    assert (shown["ipv4_address_scope"], shown["ipv6_address_scope"]) == (scope, None)
    assert cloud.member.delete(f"{N}/address-scopes/{scope}").status_code == 409


def test_a_project_gets_its_first_network_made(cloud):
    me = cloud.member.project_id
    path = f"{N}/auto-allocated-topology/{me}"
    assert "is_default" in cloud.member.get(path).json()["NeutronError"]["message"]
    outside = post(cloud.admin, "networks", network={"router:external": True, "is_default": True})["id"]
    body = {"network_id": outside, "cidr": "172.24.9.0/24", "ip_version": 4, "enable_dhcp": False}
    post(cloud.admin, "subnets", subnet=body)
    pool(cloud.admin, prefixes=["10.8.0.0/16"], is_default=True, shared=True, default_prefixlen=26)
    dry = cloud.member.get(f"{path}?fields=dry-run").json()["auto_allocated_topology"]
    assert dry["id"] == "dry-run=pass"
    before = len(cloud.member.get(f"{N}/networks").json()["networks"])
    id = cloud.member.get(path).json()["auto_allocated_topology"]["id"]
    assert cloud.member.get(path).json()["auto_allocated_topology"]["id"] == id
    assert len(cloud.member.get(f"{N}/networks").json()["networks"]) == before + 1
    port = post(cloud.member, "ports", port={"network_id": id})
    assert port["fixed_ips"][0]["ip_address"].startswith("10.8.0.")
    assert cloud.member.delete(path).status_code == 409
    cloud.member.delete(f"{N}/ports/{port['id']}")
    assert cloud.foreign.delete(path).status_code == 404
    assert cloud.member.delete(path).status_code == 204
    assert cloud.member.get(f"{N}/networks/{id}").status_code == 404


class Pool:
    id, prefixes, default_quota, ip_version = "p", ["10.0.0.0/24", "10.0.2.0/23"], None, 4
    min_prefixlen, default_prefixlen, max_prefixlen = 20, 26, 32


@given(st.lists(st.integers(24, 30), max_size=40))
def test_what_a_pool_gives_never_overlaps_and_nothing_free_is_missed(lengths):
    taken: list = []
    original, pools.allocated = pools.allocated, lambda _c, _id: list(taken)
    lock, pools.lock = pools.lock, lambda _c, _name: None
    try:
        for length in lengths:
            free = [
                net
                for prefix in map(ipaddress.ip_network, Pool.prefixes)
                if length >= prefix.prefixlen
                for net in prefix.subnets(new_prefix=length)
                if not any(net.overlaps(other) for other in taken)
            ]
            try:
                found = pools.delegate(None, Pool, "me", None, length)
            except pools.Conflict:
                assert not free
                continue
            assert found in free
            taken.append(found)
    finally:
        pools.allocated, pools.lock = original, lock
