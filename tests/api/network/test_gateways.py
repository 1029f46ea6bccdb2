"""Routers with several gateways: the first is the router's own, the others come and go beside it."""

from __future__ import annotations

import pytest

from clearsky.network import service as network
from clearsky.network import topology
from clearsky.network.ovn.translate import translate

N = "/network/v2.0"


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


def external(cloud, cidr):
    id = post(cloud.admin, "networks", network={"router:external": True})["id"]
    post(cloud.admin, "subnets", subnet={"network_id": id, "cidr": cidr, "ip_version": 4})
    return id


@pytest.fixture
def one(cloud):
    return external(cloud, "172.30.1.0/24")


@pytest.fixture
def two(cloud):
    return external(cloud, "172.30.2.0/24")


@pytest.fixture
def router(cloud):
    return f"{N}/routers/{post(cloud.member, 'routers', router={})['id']}"


def change(client, router, verb, *infos, status=200):
    body = {"router": {"external_gateways": list(infos)}}
    answer = client.put(f"{router}/{verb}_external_gateways", json=body)
    assert answer.status_code == status, answer.text
    return answer.json().get("router")


def networks(shown):
    return [gateway["network_id"] for gateway in shown["external_gateways"]]


def fixed(address):
    return {"external_fixed_ips": [{"ip_address": address}]}


def test_the_first_gateway_is_the_routers_own(cloud, router, one, two):
    shown = change(cloud.member, router, "add", {"network_id": one}, {"network_id": two}, {"network_id": one})
    assert networks(shown) == [one, two, one]
    assert shown["external_gateway_info"] == shown["external_gateways"][0]
    assert networks(change(cloud.member, router, "add", {"network_id": two})) == [one, two, one, two]
    assert len({item["external_fixed_ips"][0]["ip_address"] for item in shown["external_gateways"]}) == 3
    listed = cloud.member.get(f"{N}/routers").json()["routers"]
    assert [networks(item) for item in listed] == [[one, two, one, two]]


def test_where_the_first_goes_another_takes_its_place(cloud, router, one, two):
    change(cloud.member, router, "add", {"network_id": one}, {"network_id": two})
    shown = change(cloud.member, router, "remove", {"network_id": one})
    assert networks(shown) == [two]
    assert shown["external_gateway_info"]["network_id"] == two
    change(cloud.member, router, "add", {"network_id": one})
    answer = cloud.member.put(router, json={"router": {"external_gateway_info": {}}})
    assert networks(answer.json()["router"]) == [one]
    answer = cloud.member.put(router, json={"router": {"external_gateway_info": {}}})
    assert (answer.json()["router"]["external_gateway_info"], networks(answer.json()["router"])) == (None, [])


def test_removal_names_a_gateway_by_its_address_where_there_are_several(cloud, router, one):
    change(cloud.admin, router, "add", *({"network_id": one} | fixed(f"172.30.1.{n}") for n in (50, 60)))
    change(cloud.member, router, "remove", {"network_id": one}, status=400)
    change(cloud.admin, router, "remove", {"network_id": one} | fixed("172.30.1.77"), status=400)
    shown = change(cloud.admin, router, "remove", {"network_id": one} | fixed("172.30.1.50"))
    addresses = [item["external_fixed_ips"][0]["ip_address"] for item in shown["external_gateways"]]
    assert addresses == ["172.30.1.60"]


def test_an_update_replaces_the_list_and_keeps_what_is_alike(cloud, router, one, two):
    before = change(cloud.member, router, "add", {"network_id": one}, {"network_id": two})
    kept = before["external_gateways"][1]["external_fixed_ips"]
    shown = change(cloud.member, router, "update", {"network_id": two})
    assert [item["external_fixed_ips"] for item in shown["external_gateways"]] == [kept]
    shown = change(cloud.member, router, "update", {"network_id": one}, {"network_id": two})
    assert networks(shown) == [one, two]
    assert shown["external_gateways"][1]["external_fixed_ips"] == kept
    moved = change(cloud.admin, router, "update", {"network_id": two} | fixed("172.30.2.99"))
    assert [one["external_fixed_ips"][0]["ip_address"] for one in moved["external_gateways"]] == ["172.30.2.99"]  # fmt: skip
    assert networks(change(cloud.member, router, "update")) == []


def test_floating_ips_hold_the_gateway_of_their_network(cloud, router, one, two):
    net = post(cloud.member, "networks", network={})["id"]
    body = {"network_id": net, "cidr": "10.5.0.0/24", "ip_version": 4}
    subnet = post(cloud.member, "subnets", subnet=body)["id"]
    assert cloud.member.put(f"{router}/add_router_interface", json={"subnet_id": subnet}).status_code == 200
    change(cloud.member, router, "add", {"network_id": one}, {"network_id": two})
    port = post(cloud.member, "ports", port={"network_id": net})["id"]
    floating = post(cloud.member, "floatingips", floatingip={"floating_network_id": two, "port_id": port})
    assert floating["router_id"] == router.rpartition("/")[2]
    change(cloud.member, router, "remove", {"network_id": two}, status=409)
    change(cloud.member, router, "update", {"network_id": one}, status=409)
    assert networks(change(cloud.member, router, "remove", {"network_id": one})) == [two]
    cloud.settle()
    rows = translate(network.driver(cloud.house).topology)
    gateway = next(row.key for row in rows.values() if row.key.startswith("lrp-") and "gateway_mtu" in row.columns["options"])  # fmt: skip
    assert rows[f"floating-{floating['id']}"].refs == {"gateway_port": (gateway,)}
    assert cloud.member.delete(f"{N}/floatingips/{floating['id']}").status_code == 204
    assert networks(change(cloud.member, router, "remove", {"network_id": two})) == []


def test_ranges_must_not_meet_at_a_router(cloud, router, one):
    twin = external(cloud, "172.30.1.0/25")
    change(cloud.member, router, "add", {"network_id": one})
    change(cloud.member, router, "add", {"network_id": twin}, status=400)
    net = post(cloud.member, "networks", network={})["id"]
    body = {"network_id": net, "cidr": "172.30.0.0/16", "ip_version": 4}
    subnet = post(cloud.member, "subnets", subnet=body)["id"]
    assert cloud.member.put(f"{router}/add_router_interface", json={"subnet_id": subnet}).status_code == 400


def test_gateways_are_for_the_routers_owner_and_external_networks(cloud, router, one):
    inside = post(cloud.member, "networks", network={})["id"]
    change(cloud.member, router, "add", {"network_id": inside}, status=400)
    change(cloud.foreign, router, "add", {"network_id": one}, status=404)
    change(cloud.reader, router, "add", {"network_id": one}, status=403)
    change(cloud.member, router, "add", {"network_id": one} | fixed("172.30.1.50"), status=403)
    change(cloud.member, router, "add", {"network_id": one, "enable_snat": False}, status=403)
    change(cloud.member, router, "add", *({"network_id": one} for _ in range(11)), status=400)
    assert networks(cloud.member.get(router).json()["router"]) == []


def test_default_routes_are_spread_on_demand(cloud, router, one, two):
    shown = change(cloud.member, router, "add", {"network_id": one}, {"network_id": two})
    assert shown["enable_default_route_ecmp"] is False

    def defaults():
        with cloud.house.db.read() as c:
            rows = translate(topology.load(c, ("host1",)))
        return sum(row.columns.get("ip_prefix") == "0.0.0.0/0" for row in rows.values())

    assert defaults() == 1
    answer = cloud.member.put(router, json={"router": {"enable_default_route_ecmp": True}})
    assert answer.json()["router"]["enable_default_route_ecmp"] is True
    assert defaults() == 2
    assert post(cloud.member, "routers", router={"enable_default_route_ecmp": True})["enable_default_route_ecmp"]  # fmt: skip


def test_a_router_goes_with_all_its_gateways(cloud, router, one, two):
    change(cloud.member, router, "add", {"network_id": one}, {"network_id": two})
    assert cloud.member.delete(router).status_code == 204
    left = cloud.admin.get(f"{N}/ports?device_owner=network:router_gateway").json()["ports"]
    assert left == []
    assert cloud.admin.delete(f"{N}/networks/{two}").status_code == 204
