"""NDP proxies over the fake engine: who can have one, and what they hold."""

from __future__ import annotations

import pytest

from clearsky.network import service as network

N = "/network/v2.0"


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


def six(cloud, client, scope, prefix, **network_body):
    """Make a network with a range of IPv6 from a pool in an address scope; return both ids."""
    body = {"name": "p", "prefixes": [prefix], "default_prefixlen": 64, "shared": True}
    pool = post(cloud.admin, "subnetpools", subnetpool=body | ({"address_scope_id": scope} if scope else {}))
    id = post(client, "networks", network=network_body)["id"]
    body = {"network_id": id, "ip_version": 6, "subnetpool_id": pool["id"]}
    return id, post(client, "subnets", subnet=body)["id"]


@pytest.fixture
def scope(cloud):
    return post(cloud.admin, "address-scopes", address_scope={"name": "s", "ip_version": 6, "shared": True})["id"]  # fmt: skip


@pytest.fixture
def outside(cloud, scope):
    return six(cloud, cloud.admin, scope, "2001:db8:4::/56", **{"router:external": True})[0]


@pytest.fixture
def inside(cloud, scope):
    return six(cloud, cloud.member, scope, "2001:db8:8::/56")


@pytest.fixture
def router(cloud, outside, inside):
    body = {"external_gateway_info": {"network_id": outside}, "enable_ndp_proxy": True}
    made = post(cloud.member, "routers", router=body)
    assert made["enable_ndp_proxy"] is True
    path = f"{N}/routers/{made['id']}/add_router_interface"
    assert cloud.member.put(path, json={"subnet_id": inside[1]}).status_code == 200
    return made["id"]


@pytest.fixture
def port(cloud, inside):
    return post(cloud.member, "ports", port={"network_id": inside[0]})


def proxy(cloud, router, port, status=201, client=None, **more):
    body = {"router_id": router, "port_id": port["id"]} | more
    return post(client or cloud.member, "ndp-proxies", status, ndp_proxy=body)


def test_a_proxy_is_for_the_address_of_a_port_behind_the_router(cloud, router, port):
    address = port["fixed_ips"][0]["ip_address"]
    made = proxy(cloud, router, port, name="web")
    assert (made["ip_address"], made["name"], made["project_id"]) == (address, "web", cloud.member.project_id)
    proxy(cloud, router, port, 409)
    cloud.settle()
    applied = network.driver(cloud.house).topology
    assert [(one.router_id, one.ip_address) for one in applied.ndp_proxies] == [(router, address)]
    path = f"{N}/ndp-proxies/{made['id']}"
    changed = cloud.member.put(path, json={"ndp_proxy": {"description": "d"}}).json()["ndp_proxy"]
    assert changed["description"] == "d"
    assert cloud.foreign.get(path).status_code == 404
    assert cloud.reader.delete(path).status_code == 403
    assert [one["id"] for one in cloud.member.get(f"{N}/ndp-proxies?router_id={router}").json()["ndp_proxies"]] == [made["id"]]  # fmt: skip
    assert cloud.member.delete(path).status_code == 204
    assert proxy(cloud, router, port, ip_address=address.upper())["ip_address"] == address


def test_proxies_hold_the_gateway_and_the_interface_of_their_router(cloud, router, inside, port):
    made = proxy(cloud, router, port)
    gateway = cloud.member.put(f"{N}/routers/{router}", json={"router": {"external_gateway_info": {}}})
    assert (gateway.status_code, made["id"] in gateway.text) == (409, True)
    path = f"{N}/routers/{router}/remove_router_interface"
    assert cloud.member.put(path, json={"subnet_id": inside[1]}).status_code == 409
    assert cloud.member.delete(f"{N}/ports/{port['id']}").status_code == 204
    assert cloud.member.get(f"{N}/ndp-proxies").json()["ndp_proxies"] == []
    assert cloud.member.put(path, json={"subnet_id": inside[1]}).status_code == 200
    shown = cloud.member.put(f"{N}/routers/{router}", json={"router": {"external_gateway_info": {}}})
    assert shown.json()["router"]["enable_ndp_proxy"] is False


def test_a_proxy_goes_with_its_address(cloud, router, port):
    proxy(cloud, router, port)
    same = cloud.member.put(f"{N}/ports/{port['id']}", json={"port": {"fixed_ips": port["fixed_ips"]}})
    assert same.status_code == 200
    assert len(cloud.member.get(f"{N}/ndp-proxies").json()["ndp_proxies"]) == 1
    cloud.member.put(f"{N}/ports/{port['id']}", json={"port": {"fixed_ips": []}})
    assert cloud.member.get(f"{N}/ndp-proxies").json()["ndp_proxies"] == []


def test_what_cannot_work_is_refused(cloud, router, scope, inside, port):
    proxy(cloud, router, port, 400, ip_address="2001:db8:8::dead")
    proxy(cloud, router, port, 400, ip_address="nonsense")
    proxy(cloud, router, port, 404, client=cloud.foreign)
    far = post(cloud.member, "ports", port={"network_id": six(cloud, cloud.member, scope, "2001:db8:9::/56")[0]})  # fmt: skip
    proxy(cloud, router, far, 409)
    stranger = six(cloud, cloud.member, None, "2001:db8:a::/56")
    path = f"{N}/routers/{router}/add_router_interface"
    assert cloud.member.put(path, json={"subnet_id": stranger[1]}).status_code == 200
    proxy(cloud, router, post(cloud.member, "ports", port={"network_id": stranger[0]}), 409)
    off = cloud.member.put(f"{N}/routers/{router}", json={"router": {"enable_ndp_proxy": False}})
    assert off.json()["router"]["enable_ndp_proxy"] is False
    proxy(cloud, router, port, 409)


def test_a_router_needs_a_gateway_with_a_scope(cloud, outside):
    post(cloud.member, "routers", 409, router={"enable_ndp_proxy": True})
    plain = six(cloud, cloud.admin, None, "2001:db8:5::/56", **{"router:external": True})[0]
    body = {"external_gateway_info": {"network_id": plain}, "enable_ndp_proxy": True}
    post(cloud.member, "routers", 409, router=body)
    assert cloud.member.get(f"{N}/routers").json()["routers"] == []
