"""What `clearsky doctor` finds: each trouble by name, with the way out."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from clearsky import config
from clearsky.cli import checks


def settings(tmp_path: Path, **sections: dict[str, object]) -> config.Config:
    sections["cloud"] = {
        "state_dir": str(tmp_path / "state"),
        "run_dir": str(tmp_path / "run"),
    } | sections.get("cloud", {})
    return config.parse(sections)


def wrong(findings) -> dict[str, str]:
    return {one.what: one.mend for one in findings if one.state != "ok"}


def test_a_port_that_somebody_else_has_is_found(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        found = wrong(checks.names(settings(tmp_path, api={"port": port})))
    assert found[f"address 127.0.0.1:{port}"] == "set [api] host and port"


def test_a_range_that_the_machine_already_routes_is_found(tmp_path, monkeypatch):
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "wlan0\t000018AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    real = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **how: real(table if str(path) == "/proc/net/route" else path, **how)
    )
    found = list(checks._range(settings(tmp_path, network={"public_cidr": "172.24.4.0/24"})))
    assert [(one.state, one.why) for one in found] == [
        ("wrong", "this machine has a route to 172.24.0.0/16 by wlan0")
    ]
    assert list(checks._range(settings(tmp_path, network={"public_cidr": "172.25.4.0/24"}))) == []


@pytest.mark.parametrize(("policy", "found"), [("drop", 1), ("accept", 0)])
def test_a_firewall_that_drops_what_is_forwarded_is_found(tmp_path, monkeypatch, policy, found):
    chain = {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": policy}
    told = json.dumps({"nftables": [{"metainfo": {}}, {"chain": chain}]})
    monkeypatch.setattr(checks.shutil, "which", lambda _name: "/usr/sbin/nft")
    monkeypatch.setattr(checks.os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        checks.subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 0, stdout=told)
    )
    notes = [one for one in checks.forwarding(settings(tmp_path)) if one.state == "note"]
    assert len(notes) == found
    if found:
        assert "nft insert rule ip filter FORWARD ip saddr 172.24.4.0/24 accept" in notes[0].mend


def test_settings_that_the_api_cannot_read_are_found(tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    file = hidden / "clearsky.toml"
    file.write_text("")
    (finding,) = checks.settings(config.load(file))
    assert finding.state == "wrong"
    assert "chmod 644" in finding.mend


def test_a_container_without_rights_is_found(monkeypatch, tmp_path):
    status = "Name:\tx\nCapEff:\t00000000a80425fb\n"
    real = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, **how: status if str(path) == "/proc/self/status" else real(path, **how),
    )
    (finding,) = checks._capabilities()
    assert finding.what == "root has no CAP_NET_ADMIN, CAP_SYS_ADMIN"


def test_a_clock_that_stands_in_the_past_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(checks.time, "time", lambda: 1e9)
    (finding,) = checks.clock(settings(tmp_path))
    assert finding.state == "wrong"


def test_a_namespace_or_a_device_of_somebody_else_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(checks.socket, "if_nameindex", lambda: [(1, "lo"), (2, "br-ex"), (3, "blue-ex")])
    assert set(wrong(checks._devices(settings(tmp_path)))) == {"device br-ex"}
    assert set(wrong(checks._devices(settings(tmp_path, cloud={"namespace": "blue"})))) == {"device blue-ex"}
    assert not wrong(checks._devices(settings(tmp_path, cloud={"namespace": "green"})))
