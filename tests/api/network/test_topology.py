"""`clearsky/topology`: what each may see of the networks, in each form."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

N = "/network/v2.0"
TOPOLOGY = f"{N}/clearsky/topology"
EVIL = "<script>alert('&')</script>"


def make(client, plural, kind, /, **body):
    answer = client.post(f"{N}/{plural}", json={kind: body})
    assert answer.status_code == 201, answer.text
    return answer.json()[kind]


def look(client, **query):
    answer = client.get(TOPOLOGY, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["topology"]


@pytest.fixture
def made(cloud):
    """A network behind a router to the outside, with two ports, one of them with a floating IP."""
    outer = make(cloud.admin, "networks", "network", name="public", **{"router:external": True})
    make(
        cloud.admin,
        "subnets",
        "subnet",
        network_id=outer["id"],
        ip_version=4,
        cidr="172.24.4.0/24",
        enable_dhcp=False,
    )
    inner = make(cloud.member, "networks", "network", name=EVIL)
    subnet = make(cloud.member, "subnets", "subnet", network_id=inner["id"], ip_version=4, cidr="10.0.0.0/24")
    gateway = {"external_gateway_info": {"network_id": outer["id"]}}
    router = make(cloud.member, "routers", "router", name="main", **gateway)
    cloud.member.put(f"{N}/routers/{router['id']}/add_router_interface", json={"subnet_id": subnet["id"]})
    ports = [make(cloud.member, "ports", "port", name=name, network_id=inner["id"]) for name in ("a", "b")]
    floating = make(
        cloud.member, "floatingips", "floatingip", floating_network_id=outer["id"], port_id=ports[0]["id"]
    )
    return {"outer": outer, "inner": inner, "router": router, "ports": ports, "floating": floating}


def test_a_project_sees_how_its_own_hangs_together(cloud, made):
    found = look(cloud.member)
    outer, inner = found["networks"]
    assert (outer["id"], outer["external"], inner["id"]) == (made["outer"]["id"], True, made["inner"]["id"])
    assert [(port["name"], port["floating_ips"]) for port in inner["ports"]] == [
        ("a", [made["floating"]["floating_ip_address"]]),
        ("b", []),
    ]
    (router,) = found["routers"]
    assert {(one["network_id"], one["gateway"]) for one in router["interfaces"]} == {
        (outer["id"], True),
        (inner["id"], False),
    }


def test_others_see_nothing_of_it(cloud, made):
    assert look(cloud.foreign) == {"networks": [], "routers": []}
    answer = cloud.foreign.get(TOPOLOGY, params={"project_id": cloud.member.project_id})
    assert answer.status_code == 403
    assert look(cloud.foreign, project_id=cloud.foreign.project_id) == {"networks": [], "routers": []}


def test_a_guest_of_a_shared_network_sees_it_and_not_its_neighbours(cloud, made):
    rbac = {"object_type": "network", "object_id": made["inner"]["id"], "action": "access_as_shared"}
    make(cloud.member, "rbac-policies", "rbac_policy", **rbac, target_tenant=cloud.foreign.project_id)
    mine = make(cloud.foreign, "ports", "port", name="mine", network_id=made["inner"]["id"])
    found = look(cloud.foreign)
    assert [(one["id"], one["shared"]) for one in found["networks"]] == [(made["inner"]["id"], True)]
    assert [port["id"] for port in found["networks"][0]["ports"]] == [mine["id"]]
    assert found["routers"] == []


def test_an_administrator_sees_all_or_one_project(cloud, made):
    lonely = make(cloud.foreign, "networks", "network", name="lonely")
    everything = {one["id"] for one in look(cloud.admin)["networks"]}
    assert {lonely["id"], made["inner"]["id"], made["outer"]["id"]} <= everything
    assert look(cloud.admin, project_id=cloud.member.project_id) == look(cloud.member)


def test_the_drawing_is_safe_to_open(cloud, made):
    answer = cloud.member.get(TOPOLOGY, params={"format": "svg"})
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    tree = ET.fromstring(answer.text)
    assert any(EVIL in "".join(element.itertext()) for element in tree.iter())


def test_the_text_is_a_tree(cloud, made):
    answer = cloud.member.get(TOPOLOGY, params={"format": "text"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[0] == f"network public {made['outer']['id']} (external, shared)"
    assert any(line.endswith(f"from outside {made['floating']['floating_ip_address']}") for line in lines)


@pytest.mark.parametrize("query", [{"format": "png"}, {"depth": "3"}])
def test_what_is_not_there_is_refused_by_name(cloud, query):
    answer = cloud.member.get(TOPOLOGY, params=query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["NeutronError"]["message"]


def test_a_server_is_called_by_its_name(cloud, made, monkeypatch):
    from clearsky.network import servers

    id = "8c0a1e52-0000-4000-8000-000000000001"
    changed = {"port": {"device_id": id, "device_owner": "compute:nova"}}
    assert cloud.admin.put(f"{N}/ports/{made['ports'][1]['id']}", json=changed).status_code == 200
    directory = servers.Directory(lambda *_: [], lambda _c, ids: dict.fromkeys(ids, "web"))
    monkeypatch.setattr(servers, "_directories", [directory])
    ports = look(cloud.member)["networks"][1]["ports"]
    assert [(port["server_id"], port["server_name"]) for port in ports] == [(None, None), (id, "web")]
