"""Bindings of servers' ports, and what else a port says of the host that it is for."""

from __future__ import annotations

import pytest

from clearsky.errors import Invalid
from clearsky.identity import service as identity
from clearsky.network import service as network

N = "/network/v2.0"


@pytest.fixture
def net(cloud):
    id = cloud.member.post(f"{N}/networks", json={"network": {}}).json()["network"]["id"]
    body = {"subnet": {"network_id": id, "cidr": "10.5.0.0/24", "ip_version": 4}}
    assert cloud.member.post(f"{N}/subnets", json=body).status_code == 201
    return id


@pytest.fixture
def port(cloud, net):
    """The path of a port that is bound to host1, in a cloud that has host2 as well."""
    network.driver(cloud.house).hosts.append("host2")
    body = {"network_id": net, "device_owner": "compute:nova", "device_id": "s", "binding:host_id": "host1"}
    made = cloud.admin.post(f"{N}/ports", json={"port": body}).json()["port"]
    cloud.settle()
    return f"{N}/ports/{made['id']}"


def bind(cloud, port, host, status=201):
    answer = cloud.admin.post(f"{port}/bindings", json={"binding": {"host": host}})
    assert answer.status_code == status, answer.text
    return answer.json()


def hosts(cloud, port):
    found = cloud.admin.get(f"{port}/bindings").json()["bindings"]
    return {one["host"]: one["status"] for one in found}


def test_a_port_moves_to_the_host_whose_binding_is_activated(cloud, port):
    made = bind(cloud, port, "host2")["binding"]
    assert (made["status"], made["vif_type"], made["profile"]) == ("INACTIVE", "ovs", {})
    assert hosts(cloud, port) == {"host1": "ACTIVE", "host2": "INACTIVE"}
    assert (
        cloud.admin.put(f"{port}/bindings/host2", json={"binding": {"profile": {"a": "b"}}}).status_code
        == 200
    )
    moved = cloud.admin.put(f"{port}/bindings/host2/activate")
    assert (moved.status_code, moved.json()["binding"]["status"]) == (200, "ACTIVE"), moved.text
    assert hosts(cloud, port) == {"host2": "ACTIVE", "host1": "INACTIVE"}
    shown = cloud.admin.get(port).json()["port"]
    assert (shown["binding:host_id"], shown["binding:profile"]) == ("host2", {"a": "b"})
    cloud.settle()
    applied = network.driver(cloud.house).topology.ports
    assert [one.host for one in applied if one.device_id == "s"] == ["host2"]
    assert cloud.admin.get(f"{port}/bindings/host1").json()["binding"]["status"] == "INACTIVE"
    assert len(cloud.admin.get(f"{port}/bindings?status=ACTIVE").json()["bindings"]) == 1


def test_a_binding_must_be_to_a_host_that_carries_networks_and_new(cloud, port):
    assert "host1, host2" in bind(cloud, port, "mars", 409)["NeutronError"]["message"]
    bind(cloud, port, "host1", 409)
    bind(cloud, port, "host2")
    bind(cloud, port, "host2", 409)
    assert cloud.admin.put(f"{port}/bindings/host1/activate").status_code == 409
    assert cloud.admin.put(f"{port}/bindings/mars/activate").status_code == 404
    assert cloud.admin.get(f"{port}/bindings/mars").status_code == 404
    assert cloud.admin.delete(f"{port}/bindings/mars").status_code == 404
    assert cloud.admin.post(f"{port}/bindings", json={"binding": {"host": "host2", "vnic_type": "direct"}}).status_code == 400  # fmt: skip


def test_bindings_end_with_themselves_with_the_move_and_with_the_port(cloud, port):
    bind(cloud, port, "host2")
    assert cloud.admin.delete(f"{port}/bindings/host2").status_code == 204
    bind(cloud, port, "host2")
    assert cloud.admin.put(port, json={"port": {"binding:host_id": "host2"}}).status_code == 200
    assert hosts(cloud, port) == {"host2": "ACTIVE"}
    assert cloud.admin.delete(f"{port}/bindings/host2").status_code == 204
    assert cloud.admin.get(port).json()["port"]["binding:vif_type"] == "unbound"
    bind(cloud, port, "host2")
    assert cloud.admin.delete(port).status_code == 204
    assert cloud.admin.get(f"{port}/bindings").status_code == 404


def test_bindings_are_for_administrators_and_for_ports_of_servers(cloud, net, port):
    for client in (cloud.member, cloud.foreign):
        assert client.get(f"{port}/bindings").status_code == 403
        assert client.put(f"{port}/bindings/host2/activate").status_code == 403
    free = cloud.member.post(f"{N}/ports", json={"port": {"network_id": net}}).json()["port"]["id"]
    bind(cloud, f"{N}/ports/{free}", "host2", 400)


def test_a_server_gets_no_port_that_asks_for_an_accelerator(cloud, net):
    body = {"network_id": net, "device_profile": "gpu"}
    made = cloud.member.post(f"{N}/ports", json={"port": body}).json()["port"]
    assert made["device_profile"] == "gpu"
    changed = cloud.member.put(f"{N}/ports/{made['id']}", json={"port": {"device_profile": "x"}})
    assert changed.status_code == 400
    caller = identity.validate(cloud.house, cloud.member.token)
    with pytest.raises(Invalid, match="device profile 'gpu'"):
        network.plan(cloud.house, caller, [network.PortRequest(port_id=made["id"])], [])
