"""Ranges of segments: what networks take their numbers from."""

from __future__ import annotations

import pytest

N = "/network/v2.0"
PATH = f"{N}/network-segment-ranges"


def make(cloud, status=201, **body):
    answer = cloud.admin.post(PATH, json={"network_segment_range": body})
    assert answer.status_code == status, answer.text
    return answer.json().get("network_segment_range")


def network(cloud, client, **more):
    answer = client.post(f"{N}/networks", json={"network": more})
    assert answer.status_code == 201, answer.text
    shown = cloud.admin.get(f"{N}/networks/{answer.json()['network']['id']}").json()["network"]
    return shown["provider:segmentation_id"]


VLAN = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}


def test_a_cloud_begins_with_ranges_that_cannot_change(cloud):
    found = cloud.admin.get(f"{PATH}?default=true").json()["network_segment_ranges"]
    ranges = {(one["network_type"], one["physical_network"], one["minimum"], one["maximum"]) for one in found}
    assert ranges == {("vxlan", None, 1, 4095), ("vlan", "physnet1", 1, 4094)}
    first = found[0]
    assert (first["shared"], first["project_id"], first["default"]) == (True, None, True)
    change = {"network_segment_range": {"maximum": 9}}
    assert cloud.admin.put(f"{PATH}/{first['id']}", json=change).status_code == 409
    assert cloud.admin.delete(f"{PATH}/{first['id']}").status_code == 409


def test_a_range_tells_what_is_used_and_what_is_left(cloud):
    made = make(cloud, network_type="vlan", physical_network="physnet1", minimum=10, maximum=13, name="few")
    assert network(cloud, cloud.admin, **VLAN | {"provider:segmentation_id": 12}) == 12
    shown = cloud.admin.get(f"{PATH}/{made['id']}").json()["network_segment_range"]
    assert shown["used"] == {"12": cloud.admin.project_id}
    assert shown["available"] == [10, 11, 13]
    answer = cloud.admin.put(f"{PATH}/{made['id']}", json={"network_segment_range": {"maximum": 11}})
    assert (answer.status_code, "12 is project" in answer.text) == (409, True)
    wider = cloud.admin.put(f"{PATH}/{made['id']}", json={"network_segment_range": {"maximum": 20}})
    assert wider.json()["network_segment_range"]["maximum"] == 20
    assert cloud.admin.delete(f"{PATH}/{made['id']}").status_code == 409


def test_a_projects_networks_take_from_its_own_range_and_others_never_do(cloud):
    mine = {"shared": False, "project_id": cloud.member.project_id, "network_type": "vxlan"}
    made = make(cloud, minimum=1, maximum=2, **mine)
    assert network(cloud, cloud.foreign) == 3
    assert [network(cloud, cloud.member) for _ in range(3)] == [1, 2, 4]
    assert network(cloud, cloud.foreign) == 5
    shown = cloud.admin.get(f"{PATH}/{made['id']}").json()["network_segment_range"]
    assert (shown["available"], set(shown["used"].values())) == ([], {cloud.member.project_id})


def test_numbers_come_back_when_networks_go(cloud):
    answer = cloud.member.post(f"{N}/networks", json={"network": {}})
    number = network(cloud, cloud.member)
    assert cloud.member.delete(f"{N}/networks/{answer.json()['network']['id']}").status_code == 204
    assert network(cloud, cloud.member) == number - 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"network_type": "vlan", "physical_network": "physnet1", "minimum": 20, "maximum": 10}),
        (400, {"network_type": "vlan", "physical_network": "physnet1", "minimum": 1, "maximum": 5000}),
        (400, {"network_type": "vlan", "physical_network": "mars", "minimum": 1, "maximum": 5}),
        (400, {"network_type": "vlan", "minimum": 1, "maximum": 5}),
        (400, {"network_type": "vxlan", "physical_network": "physnet1", "minimum": 1, "maximum": 5}),
        (400, {"network_type": "geneve", "minimum": 1, "maximum": 5}),
        (400, {"network_type": "vxlan", "minimum": 1, "maximum": 2**24 - 1}),
        (400, {"network_type": "vxlan", "shared": False, "minimum": 1, "maximum": 5}),
        (400, {"network_type": "vxlan", "minimum": 1}),
        (409, {"network_type": "vxlan", "minimum": 105, "maximum": 120}),
    ],
)
def test_a_range_that_cannot_be_is_refused(cloud, status, body):
    make(cloud, network_type="vxlan", minimum=100, maximum=110)
    make(cloud, status, **body)


def test_ranges_are_for_administrators(cloud):
    made = make(cloud, network_type="vxlan", minimum=100, maximum=110)
    for client in (cloud.member, cloud.reader):
        assert client.get(PATH).status_code == 403
        assert client.get(f"{PATH}/{made['id']}").status_code == 403
    tags = f"{N}/network_segment_ranges/{made['id']}/tags"
    assert cloud.admin.put(tags, json={"tags": ["a"]}).status_code == 200
    assert cloud.admin.get(f"{PATH}/{made['id']}").json()["network_segment_range"]["tags"] == ["a"]
    assert cloud.admin.delete(f"{PATH}/{made['id']}").status_code == 204
