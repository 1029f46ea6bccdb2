"""Ports that come and go; the older ways to say so."""

from __future__ import annotations

from tests.api.compute.conftest import LATEST, make_network

from clearsky.compute import service


def _attach(cloud, id, body, *, client=None, version="latest"):
    return (client or cloud.member).post(
        f"/compute/v2.1/servers/{id}/os-interface",
        json={"interfaceAttachment": body},
        headers={"OpenStack-API-Version": f"compute {version}"},
    )


def _plugged(cloud):
    (server,) = service.desired(cloud.house, "host1").servers
    return [nic.port_id for nic in server.nics]


def test_a_port_is_attached_and_detached(cloud, boot, show):
    id = boot()
    cloud.settle()
    (first,) = _plugged(cloud)
    other = make_network(cloud, "second", "10.8.0.0/24")
    answer = _attach(cloud, id, {"net_id": other, "tag": "back"})
    assert answer.status_code == 200, answer.text
    port = answer.json()["interfaceAttachment"]
    assert (port["net_id"], port["tag"]) == (other, "back")
    assert port["fixed_ips"][0]["ip_address"].startswith("10.8.0.")
    cloud.settle()
    assert _plugged(cloud) == [first, port["port_id"]]
    assert set(show(id)["addresses"]) == {"net", "second"}
    path = f"/compute/v2.1/servers/{id}/os-interface"
    assert (
        cloud.member.get(f"{path}/{port['port_id']}").json()["interfaceAttachment"]["port_state"] == "ACTIVE"
    )
    assert len(cloud.member.get(path).json()["interfaceAttachments"]) == 2
    assert cloud.member.delete(f"{path}/{port['port_id']}").status_code == 202
    assert _plugged(cloud) == [first], "the host takes it out first"
    cloud.settle()
    assert set(show(id)["addresses"]) == {"net"}
    assert cloud.member.get(f"/network/v2.0/ports/{port['port_id']}").status_code == 404
    assert cloud.member.delete(f"{path}/{port['port_id']}").status_code == 404


def test_a_port_of_ones_own_survives_its_detachment(cloud, boot, network):
    id = boot()
    cloud.settle()
    made = cloud.member.post("/network/v2.0/ports", json={"port": {"network_id": network}}).json()["port"]
    answer = _attach(cloud, id, {"port_id": made["id"]})
    assert answer.json()["interfaceAttachment"]["mac_addr"] == made["mac_address"]
    assert _attach(cloud, id, {"port_id": made["id"]}).status_code == 409
    cloud.settle()
    cloud.member.delete(f"/compute/v2.1/servers/{id}/os-interface/{made['id']}")
    cloud.settle()
    left = cloud.member.get(f"/network/v2.0/ports/{made['id']}").json()["port"]
    assert (left["device_id"], left["status"]) == ("", "DOWN")


def test_what_cannot_be_attached_is_refused_and_leaves_nothing(cloud, boot, network):
    id = boot()
    cloud.settle()
    nobodys = "11111111-1111-4111-8111-111111111111"
    for body in (
        {"net_id": nobodys},
        {"port_id": nobodys},
        {"fixed_ips": [{"ip_address": "10.9.0.77"}]},
        {"net_id": network, "port_id": nobodys},
        {"net_id": network, "fixed_ips": [{"ip_address": "192.0.2.1"}]},
    ):
        answer = _attach(cloud, id, body)
        assert answer.status_code == 400, (body, answer.text)
    assert _attach(cloud, id, {"net_id": network, "tag": "x"}, version="2.48").status_code == 400
    assert _attach(cloud, id, {"net_id": network}, client=cloud.foreign).status_code == 404
    assert _attach(cloud, id, {"net_id": network}, client=cloud.reader).status_code == 403
    cloud.settle()
    assert len(cloud.member.get(f"/network/v2.0/ports?device_id={id}").json()["ports"]) == 1


def test_a_detached_port_is_not_made_again_when_the_server_is_unshelved(cloud, boot, act, show):
    id = boot()
    cloud.settle()
    (port,) = _plugged(cloud)
    cloud.member.delete(f"/compute/v2.1/servers/{id}/os-interface/{port}")
    cloud.settle()
    act(id, "shelve")
    act(id, "unshelve")
    assert (show(id)["status"], show(id)["addresses"]) == ("ACTIVE", {})


def test_fixed_addresses_come_and_go_as_before_2_44(cloud, boot, show, act, network):
    id = boot()
    cloud.settle()
    act(id, "addFixedIp", {"networkId": network}, version="2.43")
    addresses = [one["addr"] for one in show(id)["addresses"]["net"]]
    assert len(addresses) == 2
    act(id, "removeFixedIp", {"address": addresses[1]}, version="2.43")
    assert [one["addr"] for one in show(id)["addresses"]["net"]] == addresses[:1]
    act(id, "removeFixedIp", {"address": "192.0.2.1"}, status=400, version="2.43")
    act(id, "addFixedIp", {"networkId": network}, status=400, version="2.44")


def test_security_groups_the_old_way(cloud, boot, act):
    make = {"security_group": {"name": "web", "description": "for the web"}}
    made = cloud.member.post("/compute/v2.1/os-security-groups", json=make)
    assert made.status_code == 200, made.text
    group = made.json()["security_group"]
    rule = {"parent_group_id": group["id"], "ip_protocol": "tcp", "from_port": 80, "to_port": 80}
    answer = cloud.member.post(
        "/compute/v2.1/os-security-group-rules", json={"security_group_rule": rule | {"cidr": "10.0.0.0/8"}}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["security_group_rule"]["ip_range"] == {"cidr": "10.0.0.0/8"}
    path = f"/compute/v2.1/os-security-groups/{group['id']}"
    (shown,) = cloud.member.get(path).json()["security_group"]["rules"]
    assert (shown["from_port"], shown["to_port"], shown["ip_protocol"]) == (80, 80, "tcp")
    id = boot(security_groups=[{"name": "web"}])
    cloud.settle()
    groups = cloud.member.get(f"/compute/v2.1/servers/{id}/os-security-groups").json()["security_groups"]
    assert [one["name"] for one in groups] == ["web"]
    assert groups[0]["rules"] == [shown]
    assert cloud.foreign.get(path).status_code == 404
    assert cloud.member.delete(path).status_code == 400, "a port is in it"
    assert cloud.member.get("/compute/v2.1/os-security-groups", headers=LATEST).status_code == 404


def test_floating_ips_the_old_way(cloud, boot, act, network):
    external = {"name": "public", "router:external": True}
    net = cloud.admin.post("/network/v2.0/networks", json={"network": external}).json()["network"]["id"]
    subnet = {"network_id": net, "cidr": "203.0.113.0/24", "ip_version": 4, "enable_dhcp": False}
    cloud.admin.post("/network/v2.0/subnets", json={"subnet": subnet})
    router = {"external_gateway_info": {"network_id": net}}
    made = cloud.member.post("/network/v2.0/routers", json={"router": router}).json()["router"]["id"]
    inside = cloud.member.get(f"/network/v2.0/subnets?network_id={network}").json()["subnets"][0]["id"]
    cloud.member.put(f"/network/v2.0/routers/{made}/add_router_interface", json={"subnet_id": inside})
    id = boot()
    cloud.settle()
    assert cloud.member.get("/compute/v2.1/os-floating-ip-pools").json() == {
        "floating_ip_pools": [{"name": "public"}]
    }
    address = cloud.member.post("/compute/v2.1/os-floating-ips", json={"pool": "public"}).json()[
        "floating_ip"
    ]
    act(id, "addFloatingIp", {"address": address["ip"]}, version="2.43")
    path = f"/compute/v2.1/os-floating-ips/{address['id']}"
    assert cloud.member.get(path).json()["floating_ip"]["instance_id"] == id
    assert cloud.foreign.get("/compute/v2.1/os-floating-ips").json() == {"floating_ips": []}
    act(id, "removeFloatingIp", {"address": address["ip"]}, version="2.43")
    act(id, "removeFloatingIp", {"address": address["ip"]}, status=409, version="2.43")
    assert cloud.member.delete(path).status_code == 202
    assert cloud.member.get(path).status_code == 404
