"""Hosts are let in by an invitation, speak for themselves alone, and are refused from the moment they are removed."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from cryptography import x509

from clearsky import certificates, config
from clearsky.agent.control_plane import ControlPlane, NotReached
from clearsky.config import JOINED
from clearsky.hosts import door, invitation, joining, registry
from clearsky.hosts.joining import NotJoined
from clearsky.simulation import FakeAgent

pytestmark = pytest.mark.timeout(120)
ADDRESS = "127.0.0.44"
SETTINGS = """
[cloud]
simulate = true
name = "hosts"
host = "first"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
[api]
port = {api}
[hosts]
address = "{address}"
port = {port}
[identity]
argon2_time_cost = 1
"""


def free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hosts")
    file = folder / "clearsky.toml"
    ports = {"api": free_port("127.0.0.1"), "port": free_port(ADDRESS)}
    file.write_text(SETTINGS.format(folder=folder, address=ADDRESS, **ports))
    settings = config.load(file)
    clearsky(settings, "up")
    yield settings
    clearsky(settings, "down", "--purge")


def clearsky(cloud, *words, check=True):
    command = [sys.executable, "-m", "clearsky.cli.main", "--config", str(cloud.file), *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def token(cloud, name, *more):
    return clearsky(cloud, "host", "add", name, "--token-only", *more).strip()


@pytest.fixture
def machine(tmp_path):
    """Return the settings of a machine that is no host yet."""
    own = config.Cloud(state_dir=tmp_path / "state", run_dir=tmp_path / "run")
    own.state_dir.mkdir()
    own.run_dir.mkdir()
    file = tmp_path / "machine.toml"
    file.write_text(f'[cloud]\nstate_dir = "{own.state_dir}"\nrun_dir = "{own.run_dir}"\n')
    return config.load(file)


def join(cloud, machine, text, port=0):
    joining.join(machine, (ADDRESS, port or cloud.hosts.port), invitation.parse(text), "127.0.0.45")
    return config.load(machine.file)


def states(cloud):
    return {one["name"]: one["state"] for one in json.loads(clearsky(cloud, "host", "list", "--json"))}


def report(joined):
    control = ControlPlane(joined)
    agent = FakeAgent(joined)
    control.report(agent.step(control.desired(joined.host, "")))


def test_an_invited_host_joins_and_is_one_of_the_clouds(cloud, machine):
    joined = join(cloud, machine, token(cloud, "second"))
    assert (joined.host, joined.hosts.control, joined.hosts.address) == ("second", ADDRESS, "127.0.0.45")
    assert joined.network.encapsulation == cloud.network.encapsulation
    assert joined.chassis_southbound() == f"ssl:{ADDRESS}:6642"
    assert states(cloud) == {"first": "up", "second": "never reported"}
    report(joined)
    assert states(cloud) == {"first": "up", "second": "up"}


def test_its_key_never_leaves_it(cloud, machine, monkeypatch):
    sent = []
    ask = joining._ask

    def spied(control, context, method, url, body):
        sent.append(json.dumps(body))
        return ask(control, context, method, url, body)

    monkeypatch.setattr(joining, "_ask", spied)
    joined = join(cloud, machine, token(cloud, "keyed"))
    key = joining.key_file(joined)
    assert key.stat().st_mode & 0o077 == 0
    assert "CERTIFICATE REQUEST" in sent[1]
    assert not any("PRIVATE" in text for text in sent)
    everywhere = [path.read_bytes() for path in cloud.state.rglob("*") if path.is_file()]
    assert not any(key.read_bytes() in data for data in everywhere)
    # Nor is its authority's key kept: nobody can make a second host of that name by it.
    authority = x509.load_pem_x509_certificate(registry.member(cloud, "keyed").authority.encode())
    assert not any(
        certificates.read(cloud.state / "tls" / "ca.pem", path).key.public_key() == authority.public_key()
        for path in (cloud.state / "tls").glob("*.key")
    )


def test_a_token_is_good_once(cloud, machine):
    text = token(cloud, "once")
    join(cloud, machine, text)
    with pytest.raises(NotJoined, match="used already"):
        join(cloud, machine, text)


def test_of_many_who_come_with_one_token_at_once_one_is_let_in(cloud, tmp_path):
    text, outcomes = token(cloud, "crowd"), []

    def come(number):
        own = config.Cloud(state_dir=tmp_path / str(number), run_dir=tmp_path)
        try:
            joining.join(
                config.Config(cloud=own), (ADDRESS, cloud.hosts.port), invitation.parse(text), "127.0.0.45"
            )
            outcomes.append(number)
        except NotJoined:
            pass

    threads = [threading.Thread(target=come, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1


def test_a_newer_token_ends_the_one_before(cloud, machine):
    first, second = token(cloud, "twice"), token(cloud, "twice")
    with pytest.raises(NotJoined, match="replaced"):
        join(cloud, machine, first)
    join(cloud, machine, second)


def test_a_token_expires(cloud, machine):
    text = token(cloud, "late", "--hours", "0.0001")
    time.sleep(0.5)
    with pytest.raises(NotJoined, match="expired"):
        join(cloud, machine, text)
    assert not joining.key_file(machine).exists()
    assert not (machine.state / JOINED).exists()


def test_who_stands_in_between_hears_nothing_of_the_secret(cloud, machine, tmp_path):
    """The token names the authority: a machine with another one is not told anything."""
    false = tmp_path / "false"
    other = config.Config(
        cloud=config.Cloud(state_dir=false, run_dir=false),
        hosts=replace(cloud.hosts, port=free_port(ADDRESS)),
    )
    certificates.ensure(other)
    tls = certificates.context(other, "agents")
    heard = []

    def answer(line):
        with tls.wrap_socket(line, server_side=True) as secure:
            heard.append(secure.recv(65536))
            body = json.dumps({"authority": (false / "tls" / "ca.pem").read_text()}).encode()
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with socket.create_server((ADDRESS, other.hosts.port)) as server:
        thread = threading.Thread(target=lambda: answer(server.accept()[0]))
        thread.start()
        text = token(cloud, "between")
        with pytest.raises(NotJoined, match="somebody in between"):
            join(cloud, machine, text, other.hosts.port)
        thread.join()
    assert len(heard) == 1
    assert text.rsplit(":", 1)[1].encode() not in heard[0]
    join(cloud, machine, text)


def test_what_is_no_token_is_refused_before_anything_is_asked(cloud, machine):
    for text in ("", "second", "a:b", "../x:y:z", "a:b:c:d"):
        with pytest.raises(ValueError, match="three parts"):
            invitation.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/x"},
        {"name": "nobody"},
        {"secret": "guessed"},
        {"request": "rubbish"},
        {"address": "somewhere"},
    ],
)
def test_a_wrong_question_at_the_door_spends_no_invitation(cloud, machine, change):
    text = token(cloud, "door")
    invited = invitation.parse(text)
    key = joining.ec.generate_private_key(joining.ec.SECP256R1())
    question = door.Question(invited.name, invited.secret, joining._request(invited.name, key), "127.0.0.45")
    with pytest.raises(registry.Refused):
        door.ask(cloud, replace(question, **change))
    join(cloud, machine, text)


def test_a_host_may_not_speak_for_another(cloud, machine, tmp_path):
    joined = join(cloud, machine, token(cloud, "honest"))
    other = replace(joined, cloud=replace(joined.cloud, host="first"))
    control = ControlPlane(other)
    for attempt in (
        lambda: control.desired("first", ""),
        lambda: control.report(FakeAgent(other).step(ControlPlane(joined).desired("honest", ""))),
    ):
        with pytest.raises(NotReached, match="403"):
            attempt()


def test_without_a_certificate_one_may_only_ask_to_join(cloud):
    blind = ssl.create_default_context(cafile=str(certificates.folder(cloud) / "ca.pem"))

    def ask(path, method="GET"):
        import http.client

        line = http.client.HTTPSConnection(ADDRESS, cloud.hosts.port, timeout=10, context=blind)
        line.request(method, path, b"{}" if method == "POST" else None)
        answer = line.getresponse()
        answer.read()
        line.close()
        return answer.status

    assert ask("/agent/v1/authority") == 200
    assert ask("/agent/v1/desired?host=first") == 403
    assert ask("/agent/v1/images/x?host=first") == 403
    assert ask("/agent/v1/observed", "POST") == 403
    assert ask("/agent/v1/join", "POST") == 400


def test_a_removed_host_is_refused_at_once_and_its_long_poll_ends(cloud, machine):
    joined = join(cloud, machine, token(cloud, "gone"))
    report(joined)
    control, outcome = ControlPlane(joined), []
    revision = control.desired("gone", "").revision

    def wait():
        try:
            control.desired("gone", revision)
        except NotReached as error:
            outcome.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.5)
    clearsky(cloud, "host", "remove", "gone")
    thread.join(15)
    assert "403" in outcome[0]
    with pytest.raises(NotReached, match="403"):
        report(joined)
    assert "gone" not in states(cloud)
    assert registry.member(cloud, "gone") is None
    assert "no host is called" in clearsky(cloud, "host", "remove", "gone", check=False)


def test_a_host_that_joins_anew_is_not_its_former_self(cloud, machine, tmp_path):
    former = join(cloud, machine, token(cloud, "again"))
    place = tmp_path / "anew"
    newer = replace(machine, cloud=replace(machine.cloud, state_dir=place, run_dir=place))
    text = token(cloud, "again")
    report(former)
    joining.join(newer, (ADDRESS, cloud.hosts.port), invitation.parse(text), "127.0.0.46")
    with pytest.raises(NotReached, match="403"):
        report(former)
    assert registry.member(cloud, "again").address == "127.0.0.46"


def test_what_ovn_trusts_are_the_hosts_that_are_ones(cloud, machine):
    join(cloud, machine, token(cloud, "trusted"))

    def authorities():
        return {one.public_bytes(certificates.serialization.Encoding.PEM).decode()
                for one in x509.load_pem_x509_certificates(registry.trusted_file(cloud).read_bytes())}  # fmt: skip

    known = registry.member(cloud, "trusted")
    assert known.authority in authorities()
    own = x509.load_pem_x509_certificate(known.certificate.encode())
    own.verify_directly_issued_by(x509.load_pem_x509_certificate(known.authority.encode()))
    assert certificates.names_in(own) == {"trusted"}
    clearsky(cloud, "host", "remove", "trusted")
    assert known.authority not in authorities()


def test_a_registry_that_somebody_else_has_put_there_is_not_believed(cloud, machine):
    """The state directory is the api's: it can rename what is in it, but cannot make folders of root's."""
    text = token(cloud, "forged")
    place = registry.folder(cloud)
    real = place.rename(place.with_name("hosts-real"))
    try:
        place.symlink_to(real)
        with pytest.raises(NotJoined):
            join(cloud, machine, text)
    finally:
        place.unlink()
        real.rename(place)
    join(cloud, machine, text)


def test_names_that_cannot_be_are_refused(cloud):
    assert "is this machine" in clearsky(cloud, "host", "add", "first", check=False)
    assert "control plane itself" in clearsky(cloud, "host", "remove", "first", check=False)
    assert "letters, digits" in clearsky(cloud, "host", "add", "a/b", check=False)
    assert "more than 0" in clearsky(cloud, "host", "add", "x", "--hours", "0", check=False)


def test_a_cloud_without_an_address_says_how_to_get_one(tmp_path):
    file = tmp_path / "alone.toml"
    file.write_text(f'[cloud]\nsimulate = true\nstate_dir = "{tmp_path}/s"\nrun_dir = "{tmp_path}/r"\n')
    said = clearsky(config.load(file), "host", "add", "second", check=False)
    assert "[hosts] address" in said
    file.write_text(file.read_text() + '[hosts]\naddress = "127.0.0.44"\n')
    assert "`clearsky up`" in clearsky(config.load(file), "host", "add", "second", check=False)
    assert os.listdir(tmp_path) == ["alone.toml"]
