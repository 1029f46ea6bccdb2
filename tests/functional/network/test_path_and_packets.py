"""`path` and packets agree: in a generated world each pair's packet is really sent, and must fare as it was said."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.api.conftest import cloud, database_url, house  # noqa: F401 - fixtures
from tests.functional.network import path_probe
from tests.functional.network.conftest import run
from tests.functional.network.path_world import BEYOND, OUTER, World

from clearsky import config
from clearsky.network import topology

pytestmark = [pytest.mark.functional, pytest.mark.timeout(600)]
SEED = int(os.environ.get("CLEARSKY_SEED", "20261125"))
PAIRS, FRESH = 210, 15
"""Of these, so many are asked with a copy of the databases of their own, the others with one that is read once."""
WHOLE = {"networks": -1, "subnets": -1, "ports": -1, "routers": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1}  # fmt: skip


@pytest.fixture(name="settings")
def _settings(tmp_path):
    return config.Config(
        cloud=config.Cloud(
            state_dir=tmp_path / "state", run_dir=tmp_path / "run", simulate=True, host="host1"
        ),
        api=config.Api(threads=2),
        identity=config.Identity(argon2_time_cost=1, argon2_memory_kib=64),
        quota=config.Quota(**WHOLE),
    )


@pytest.fixture
def real(house, engine_host):  # noqa: F811
    """Let the cloud's network be a real one."""
    house.drivers["network"] = engine_host.driver
    return engine_host


@pytest.fixture
def world(real, cloud):  # noqa: F811
    made = World(cloud.admin, SEED)
    made.build()
    with cloud.house.db.read() as c:
        real.driver.apply(topology.load(c, ("host1",)))
    _outside(real.settings.network.external_bridge, made)
    for guest in made.guests:
        if guest.plugged:
            _plug(real, guest)
    real.wait_up(*(one.id for one in made.guests if one.plugged and one.port["admin_state_up"]))
    real.settle()
    return made


def _outside(device, world):
    run("ethtool", "-K", device, "tx", "off")
    for name in ("all", device):
        Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("0")
    Path(f"/proc/sys/net/ipv6/conf/{device}/accept_dad").write_text("0")
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    run("ip", "address", "add", f"{OUTER[1]}/64", "dev", device, "nodad")
    for address in BEYOND:
        run("ip", "address", "add", address, "dev", "lo")
    for cidr, hop in world.outer_routes:
        run("ip", "route", "add", cidr, "via", hop)


def _plug(host, guest):
    addresses = guest.port["fixed_ips"]
    first = f"{addresses[0]['ip_address']}/{guest.prefixes[addresses[0]['ip_address']]}"
    made = host.plug(guest.id, guest.port["mac_address"], first)
    made.run("sh", "-c", "cd /proc/sys/net/ipv6/conf; for i in all default eth0; do echo 0 > $i/accept_ra; echo 0 > $i/accept_dad; done")  # fmt: skip
    for one in addresses:
        cidr = f"{one['ip_address']}/{guest.prefixes[one['ip_address']]}"
        made.run("ip", "address", "replace", cidr, "dev", "eth0", *(["nodad"] if ":" in cidr else []))
    for cidr in guest.more:
        made.run("ip", "address", "add", cidr, "dev", "eth0")
    for cidr, hop in guest.routes:
        made.run("ip", "route", "add", cidr, "via", hop, "dev", "eth0")
    guest.namespace = made.name


def _sent(real, world, asks):
    """Send everything; return where each packet was heard, and which were answered."""
    programs = {}
    for guest in world.guests:
        if guest.plugged:
            words = ["ip", "netns", "exec", guest.namespace, sys.executable, path_probe.__file__, "eth0"]
            programs[guest.id] = words
    programs["outside"] = [sys.executable, path_probe.__file__, real.settings.network.external_bridge]
    started = {
        name: subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name, words in programs.items()
    }
    try:
        for program in started.values():
            assert program.stdout.readline() == "ready\n"
        for name, program in started.items():
            mine = [
                one for one in asks if one.source == name or (name == "outside" and one.source not in started)
            ]
            sends = [
                (one.number, one.protocol, one.source_address, one.destination, one.port) for one in mine
            ]
            program.stdin.write(json.dumps(sends) + "\n")
            program.stdin.flush()
        for program in started.values():
            assert program.stdout.readline() == "sent\n"
        heard, answered = {one.number: set() for one in asks}, set()
        for name, program in started.items():
            told = json.loads(program.communicate("done\n")[0])
            for number in told[0]:
                heard[number].add(name)
            answered |= set(told[1])
        return heard, answered
    finally:
        for program in started.values():
            program.kill()
            program.wait()
            program.stdin.close()
            program.stdout.close()


def _path(client, ask):
    question = {"source": ask.source, "destination": ask.destination, "protocol": ask.protocol}
    answer = client.get(
        "/network/v2.0/clearsky/path", params=question | ({"port": ask.port} if ask.port else {})
    )
    assert answer.status_code == 200, (SEED, ask, answer.text)
    return answer.json()["path"]


def _forgetful(lens):
    """Let a copy hold the flows of one question only, as one made for it would."""
    lens._held.clear()
    lens._asked_for.clear()
    lens._stale = True
    return lens


def _place(path):
    """Return where a packet is said to come out: a port's id, `outside`, `router`, or nowhere."""
    last = [hop for hop in path["hops"] if hop["direction"] == "there"][-1]
    if last["outcome"] == "leaves":
        return {"outside"}
    if last["outcome"] == "arrives":
        return {last["id"]} if last["kind"] == "port" else {"router"}
    return set()


def test_what_is_said_of_a_packet_is_what_becomes_of_it(real, world, cloud, monkeypatch):  # noqa: F811
    sys.stdout.write(f"CLEARSKY_SEED={SEED}\n")
    asks = world.asks(PAIRS)
    with real.driver.look() as lens:
        monkeypatch.setattr(real.driver, "look", lambda: contextlib.nullcontext(_forgetful(lens)))
        said = {ask.number: _path(cloud.admin, ask) for ask in asks[FRESH:]}
    monkeypatch.undo()
    said |= {ask.number: _path(cloud.admin, ask) for ask in asks[:FRESH]}
    heard, answered = _sent(real, world, asks)
    # Routers have heard from their neighbours by now: the same is said again.
    again = {ask.number: _path(cloud.admin, ask) for ask in asks[-2 * FRESH :]}
    changed = {
        n: path["hops"]
        for n, path in again.items()
        if (_place(path), path["answered"]) != (_place(said[n]), said[n]["answered"])
    }
    assert not changed, f"CLEARSKY_SEED={SEED}: said otherwise after the packets: {changed}"
    wrong = []
    for ask in asks:
        path = said[ask.number]
        place, back = _place(path), bool(path["answered"])
        seen = heard[ask.number]
        if place != {"outside"}:
            seen = seen - {"outside"}  # it routes what it hears back in
        if place == {"router"} and back == (ask.number in answered):
            seen = seen | {"router"}  # nobody listens there but by answering
        if place != seen or (back != (ask.number in answered) and place != {ask.source}):
            hops = [
                f"{hop['direction']} {hop['kind']} {hop['id']} {hop['outcome']}: {hop['what']}"
                for hop in path["hops"]
            ]
            wrong.append(
                "\n  ".join([f"said {place}, {back}; seen {seen}, {ask.number in answered}: {ask}", *hops])
            )
    reached = sum(bool(_place(path)) for path in said.values())
    assert not wrong, f"CLEARSKY_SEED={SEED}: {len(wrong)} of {len(asks)} disagree\n" + "\n".join(wrong)
    assert PAIRS // 10 < reached < PAIRS * 9 // 10, (
        f"CLEARSKY_SEED={SEED}: {reached} of {PAIRS} arrive: too one-sided to tell"
    )
