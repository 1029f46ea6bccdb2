"""What the settings of several hosts mean: who keeps OVN's databases, and where each program looks for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearsky import config
from clearsky.config import JOINED, Config, ConfigError
from clearsky.engines import databases, definitions

THREE = ("192.0.2.1", "192.0.2.2", "192.0.2.3")


def host(address, *, control="", databases=()):
    hosts = replace(Config().hosts, address=address, control=control, databases=databases)
    return replace(Config(), hosts=hosts)


def names(settings):
    return [one.name for one in definitions.engines(settings)]


def test_one_host_asks_nobody_else():
    alone = Config()
    assert alone.southbound == alone.chassis_southbound() == "unix:/run/clearsky/ovn/sb.sock"
    assert not any("ssl" in word for one in definitions.engines(alone) for word in one.argv)


def test_a_joined_host_runs_no_database_and_asks_the_control_plane():
    joined = host("192.0.2.9", control="192.0.2.1")
    assert joined.chassis_southbound() == "ssl:192.0.2.1:6642"
    assert "ovn-sb" not in names(joined)
    assert [one.name for one in definitions.own(joined, definitions.HOME)] == ["agent"]


def test_in_a_cluster_everybody_knows_every_member_its_own_first():
    control = host("192.0.2.1", databases=THREE)
    assert control.northbound == "unix:/run/clearsky/ovn/nb.sock,ssl:192.0.2.2:6641,ssl:192.0.2.3:6641"
    member = host("192.0.2.2", control="192.0.2.1", databases=THREE)
    assert member.southbound == "unix:/run/clearsky/ovn/sb.sock,ssl:192.0.2.1:6645,ssl:192.0.2.3:6645"
    other = host("192.0.2.9", control="192.0.2.1", databases=THREE)
    assert other.chassis_southbound() == "ssl:192.0.2.1:6642,ssl:192.0.2.2:6642,ssl:192.0.2.3:6642"
    assert other.chassis_southbound(THREE[:2]) == "ssl:192.0.2.1:6642,ssl:192.0.2.2:6642"
    assert {"ovn-nb", "ovn-sb", "ovn-northd", "ovn-sb-relay"} <= set(names(member))
    assert not {"ovn-nb", "ovn-sb", "ovn-northd", "ovn-sb-relay"} & set(names(other))


def test_in_a_cluster_the_database_itself_does_not_trust_hosts():
    control = host("192.0.2.1", databases=THREE)
    engines = {one.name: one.argv for one in definitions.engines(control)}
    trusted = {
        name: next(word for word in engines[name] if word.startswith("--ca-cert="))
        for name in ("ovn-nb", "ovn-sb", "ovn-sb-relay")
    }
    assert trusted["ovn-sb-relay"].endswith("hosts/chassis.pem")
    assert trusted["ovn-nb"].endswith("hosts/databases.pem")
    assert trusted["ovn-sb"].endswith("hosts/databases.pem")
    # The port with a role is in the database, and only the relay opens it.
    assert not any(word.startswith("--remote=db:") for word in (*engines["ovn-sb"], *engines["ovn-nb"]))


def test_addresses_of_ipv6_are_bracketed():
    joined = host("2001:db8::9", control="2001:db8::1")
    assert joined.chassis_southbound() == "ssl:[2001:db8::1]:6642"


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ({"address": "node1"}, "address"),
        ({"address": "192.0.2.1", "databases": ["192.0.2.1", "192.0.2.2"]}, "3 or 5"),
        ({"address": "192.0.2.9", "databases": list(THREE)}, "must be among them"),
        ({"address": "192.0.2.1", "databases": ["x", "y", "z"]}, "databases"),
        ({"adress": "192.0.2.1"}, "no setting 'adress'"),
    ],
)
def test_settings_that_cannot_be_are_refused(hosts, told):
    with pytest.raises(ConfigError, match=told):
        config.parse({"hosts": hosts})


def test_what_the_control_plane_has_told_goes_before_the_hosts_own_file(tmp_path):
    file = tmp_path / "clearsky.toml"
    file.write_text(
        f'[cloud]\nstate_dir = "{tmp_path}"\nhost = "own"\n[network]\nencapsulation = "vxlan"\nunderlay_device = "eth1"\n'
    )
    assert not config.load(file).joined
    (tmp_path / JOINED).write_text(
        '[cloud]\nhost = "node2"\n[hosts]\naddress = "192.0.2.2"\ncontrol = "192.0.2.1"\ndatabases = []\n'
        '[network]\nencapsulation = "geneve"\n'
    )
    joined = config.load(file)
    assert (joined.host, joined.network.encapsulation, joined.network.underlay_device) == (
        "node2",
        "geneve",
        "eth1",
    )
    assert joined.joined
    assert not joined.serves_hosts


STATUS = """167a
Name: OVN_Northbound
Role: leader
Servers:
    3de7 (3de7 at ssl:192.0.2.3:6643) next_index=5 match_index=4 last msg 3 ms ago
    69a8 (69a8 at ssl:[2001:db8::2]:6643) next_index=5 match_index=4 last msg 2 ms ago
    167a (167a at ssl:192.0.2.1:6643) (self) next_index=2 match_index=4
"""


def test_members_of_a_cluster_are_read_off_its_status(monkeypatch, tmp_path):
    monkeypatch.setattr(databases, "_appctl", lambda *_: STATUS)
    assert databases.members(tmp_path, "OVN_Northbound") == {
        "192.0.2.3": ["3de7"],
        "2001:db8::2": ["69a8"],
        "192.0.2.1": ["167a"],
    }
