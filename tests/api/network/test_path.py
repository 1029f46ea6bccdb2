"""The questions that `clearsky/path` takes, and who may ask them; tests/functional/network knows the answers."""

from __future__ import annotations

import pytest

from clearsky.network import service as network_service
from clearsky.network.ovn.trace.words import Enter, Flow, Output

N = "/network/v2.0"
PATH = f"{N}/clearsky/path"


def make(client, plural, kind, /, **body):
    answer = client.post(f"{N}/{plural}", json={kind: body})
    assert answer.status_code == 201, answer.text
    return answer.json()[kind]


@pytest.fixture
def ports(cloud):
    network = make(cloud.member, "networks", "network", name="net")
    make(cloud.member, "subnets", "subnet", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    return [make(cloud.member, "ports", "port", name=name, network_id=network["id"]) for name in ("a", "b")]


def ask(client, **question):
    return client.get(PATH, params=question)


def test_a_simulated_cloud_says_that_it_has_no_data_plane(cloud, ports):
    for source in ("a", ports[0]["id"], ports[0]["fixed_ips"][0]["ip_address"]):
        answer = ask(cloud.member, source=source, destination="b")
        assert answer.status_code == 409, answer.text
        assert "no data plane" in answer.json()["NeutronError"]["message"]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({}, "source"),
        ({"source": "a"}, "destination"),
        ({"source": "a", "destination": "b", "protocol": "sctp"}, "protocol"),
        ({"source": "a", "destination": "b", "protocol": "tcp"}, "port"),
        ({"source": "a", "destination": "b", "protocol": "tcp", "port": "0"}, "port"),
        ({"source": "a", "destination": "b", "protocol": "udp", "port": "65536"}, "port"),
        ({"source": "a", "destination": "b", "port": "22"}, "port"),
        ({"source": "a", "destination": "b", "depth": "3"}, "depth"),
        ({"source": "a", "destination": "fd00::1"}, "IP version"),
        ({"source": "x" * 300, "destination": "b"}, "source"),
    ],
)
def test_a_question_that_is_none_is_refused_by_name(cloud, ports, question, told):
    answer = ask(cloud.member, **question)
    assert answer.status_code == 400, answer.text
    assert told in answer.json()["NeutronError"]["message"]


def test_what_does_not_exist_is_said(cloud, ports):
    for source, destination in (("nobody", "b"), ("a", "nobody"), ("203.0.113.1", "nobody")):
        answer = ask(cloud.member, source=source, destination=destination)
        assert answer.status_code == 404, answer.text
        assert "nobody" in answer.json()["NeutronError"]["message"]


def test_several_ports_of_a_name_are_listed(cloud, ports):
    twin = make(cloud.member, "ports", "port", name="a", network_id=ports[0]["network_id"])
    answer = ask(cloud.member, source="a", destination="b")
    assert answer.status_code == 409
    assert {twin["id"], ports[0]["id"]} <= set(
        answer.json()["NeutronError"]["message"].replace(",", "").replace(".", "").split()
    )


def test_a_foreign_project_finds_neither_end(cloud, ports):
    for source, destination in (
        ("a", "b"),
        (ports[0]["id"], ports[1]["id"]),
        ("203.0.113.1", ports[0]["id"]),
        ("203.0.113.1", "10.0.0.3"),
        ("203.0.113.1", "203.0.113.2"),
    ):
        assert ask(cloud.foreign, source=source, destination=destination).status_code == 404


def test_a_guest_on_ones_network_is_not_ones_own_to_ask_for(cloud, ports):
    """Who owns a network sees the ports of others on it, and asks for none of them."""
    network = ports[0]["network_id"]
    rbac = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
    make(cloud.member, "rbac-policies", "rbac_policy", **rbac, target_tenant=cloud.foreign.project_id)
    theirs = make(cloud.foreign, "ports", "port", name="theirs", network_id=network)
    assert ask(cloud.member, source=theirs["id"], destination="a").status_code == 403
    assert ask(cloud.member, source="a", destination=theirs["id"]).status_code == 409
    assert (
        ask(cloud.foreign, source="theirs", destination=ports[0]["fixed_ips"][0]["ip_address"]).status_code
        == 409
    )
    assert ask(cloud.admin, source=theirs["id"], destination="a").status_code == 409


def test_a_server_is_found_by_its_name_and_id(cloud, ports):
    changed = {"port": {"device_id": "8c0a1e52-0000-4000-8000-000000000001", "device_owner": "compute:nova"}}
    cloud.admin.put(f"{N}/ports/{ports[0]['id']}", json=changed)
    answer = ask(cloud.member, source="8c0a1e52-0000-4000-8000-000000000001", destination="b")
    assert answer.status_code == 409, answer.text


class Glass:
    """An engine that lets everything through from one host to the next, and drops where it is told to."""

    def __init__(self, network, source, target, *, drops=False):
        self.network, self.source, self.target, self.drops = f"net-{network}", source, target, drops

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def made_of(self, flow):
        return ""

    def host_of(self, port):
        return "host2" if port == self.target else "host1"

    def may_speak_as(self, port):
        return []

    def learn(self, router_port, address, mac):
        raise AssertionError("no router here")

    def trace(self, datapath, microflow, states):
        back = microflow.startswith(f'inport == "{self.target}"')
        start, end = (self.target, self.source) if back else (self.source, self.target)
        last = [Flow("ls_out_acl")] if self.drops else [Output(end, "")]
        return [Enter("ingress", datapath, start), Enter("egress", datapath, start, end), *last]


@pytest.fixture
def mixed(cloud, ports, monkeypatch):
    """A guest of another project on the member's network, and an engine that carries it."""
    network = ports[0]["network_id"]
    rbac = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
    make(cloud.member, "rbac-policies", "rbac_policy", **rbac, target_tenant=cloud.foreign.project_id)
    theirs = make(cloud.foreign, "ports", "port", name="theirs", network_id=network)
    driver = network_service.driver(cloud.house)

    def engine(**more):
        monkeypatch.setattr(driver, "look", lambda: Glass(network, theirs["id"], ports[0]["id"], **more))

    engine()
    return {
        "theirs": theirs,
        "mine": ports[0],
        "address": ports[0]["fixed_ips"][0]["ip_address"],
        "engine": engine,
    }


def test_of_others_objects_only_the_kind_is_told(cloud, mixed):
    answer = ask(cloud.foreign, source="theirs", destination=mixed["address"])
    assert answer.status_code == 200, answer.text
    path = answer.json()["path"]
    assert (path["arrives"], path["answered"], path["dropped_by"]) == (True, True, None)
    seen = [(hop["direction"], hop["kind"], hop["id"], hop["host"]) for hop in path["hops"]]
    assert seen == [
        ("there", "port", mixed["theirs"]["id"], None),
        ("there", "host", None, None),
        ("there", "port", None, None),
        ("back", "port", None, None),
        ("back", "host", None, None),
        ("back", "port", mixed["theirs"]["id"], None),
    ]
    hidden = [hop["what"] for hop in path["hops"] if hop["id"] is None]
    assert mixed["address"] not in " ".join(hidden)
    assert "host1" not in answer.text
    assert mixed["mine"]["id"] not in answer.text


def test_an_administrator_sees_every_object_and_the_hosts(cloud, mixed):
    path = ask(cloud.admin, source=mixed["theirs"]["id"], destination="a").json()["path"]
    assert path["destination"]["id"] == mixed["mine"]["id"]
    there = [(hop["kind"], hop["id"], hop["host"]) for hop in path["hops"] if hop["direction"] == "there"]
    assert there == [
        ("port", mixed["theirs"]["id"], "host1"),
        ("host", "host2", "host2"),
        ("port", mixed["mine"]["id"], "host2"),
    ]


def test_who_drops_it_is_named_to_those_who_may_see_it(cloud, mixed):
    mixed["engine"](drops=True)
    groups = mixed["mine"]["security_groups"]
    stopper = ask(cloud.admin, source=mixed["theirs"]["id"], destination="a").json()["path"]["dropped_by"]
    assert (stopper["kind"], stopper["id"], stopper["name"]) == ("security_group", groups[0], "default")
    path = ask(cloud.foreign, source="theirs", destination=mixed["address"]).json()["path"]
    assert (path["arrives"], path["answered"]) == (False, None)
    assert path["dropped_by"] == {"kind": "security_group", "id": None, "name": None, "server": None}
