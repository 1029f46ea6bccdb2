"""The private authority and the APIs' certificate: who may read them, what for, and when they are made again."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from clearsky import certificates, config
from clearsky.config import ConfigError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def settings(state: Path, **api: object) -> config.Config:
    return config.parse({"cloud": {"state_dir": str(state)}, "api": {"host": "192.0.2.7"} | api})


def leaf(made: config.Config) -> x509.Certificate:
    return x509.load_pem_x509_certificates((certificates.folder(made) / "api.pem").read_bytes())[0]


def authorities(made: config.Config) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((certificates.folder(made) / "ca.pem").read_bytes())


def test_plain_http_on_loopback_makes_nothing(tmp_path):
    made = settings(tmp_path, host="127.0.0.9")
    assert certificates.ensure(made) is False
    assert certificates.authority_file(made) is None
    assert list(tmp_path.iterdir()) == []


def test_keys_are_for_their_owner_only_and_certificates_for_everybody(tmp_path):
    made = settings(tmp_path)
    assert certificates.ensure(made, NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in certificates.folder(made).iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o644, "api.key": 0o600, "api.pem": 0o644}


def test_the_certificate_is_for_every_name_that_clients_use(tmp_path):
    made = settings(tmp_path, host="::", public_name="cloud.example.org", further_names=["2001:DB8::0:7"])
    certificates.ensure(made, NOW)
    wanted = {"cloud.example.org", "localhost", "127.0.0.1", "::1", "2001:db8::7"}
    assert certificates.names_in(leaf(made)) == wanted
    assert certificates.ensure(made, NOW) is False, "an address in another spelling is the same"


@pytest.mark.parametrize(("days", "again"), [(0, False), (330, False), (340, True), (500, True), (-2, True)])
def test_it_is_made_again_before_it_runs_out_or_when_the_clock_was_wrong(tmp_path, days, again):
    made = settings(tmp_path)
    certificates.ensure(made, NOW)
    before = leaf(made)
    assert certificates.ensure(made, NOW + timedelta(days=days)) is again
    assert (leaf(made) != before) is again


def test_it_is_made_again_for_another_name(tmp_path):
    certificates.ensure(settings(tmp_path), NOW)
    certificates.ensure(other := settings(tmp_path, public_name="cloud.example.org"), NOW)
    assert certificates.names_in(leaf(other)) == {"cloud.example.org", "192.0.2.7"}


def test_a_damaged_file_is_mended(tmp_path):
    made = settings(tmp_path)
    for name in ("api.pem", "api.key", "ca.key"):
        certificates.ensure(made, NOW)
        (certificates.folder(made) / name).write_text("half a fi")
        assert certificates.ensure(made, NOW)
        assert certificates.ensure(made, NOW) is False


def test_a_new_authority_comes_in_time_and_clients_trust_both(tmp_path):
    made = settings(tmp_path)
    certificates.ensure(made, NOW)
    (first,) = authorities(made)
    later = NOW + timedelta(days=certificates.AUTHORITY_DAYS - certificates.AUTHORITY_LEFT_DAYS + 1)
    certificates.ensure(made, later)
    second, still = authorities(made)
    assert still == first
    leaf(made).verify_directly_issued_by(second)
    assert leaf(made).not_valid_after_utc < second.not_valid_after_utc
    # When the first has run out, nobody needs it any more.
    much_later = NOW + timedelta(days=certificates.AUTHORITY_DAYS + 6000)
    certificates.ensure(made, much_later)
    assert first not in authorities(made)


def _serve_once(made: config.Config) -> tuple[int, threading.Thread]:
    context = certificates.context(made)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, closing(listener.accept()[0]) as plain:
            try:
                with context.wrap_socket(plain, server_side=True) as secured:
                    secured.sendall(b"here")
            except (ssl.SSLError, OSError):
                return

    thread = threading.Thread(target=serve)
    thread.start()
    return listener.getsockname()[1], thread


def _fetch(port: int, trusted: Path, name: str) -> bytes:
    context = ssl.create_default_context(cafile=str(trusted))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        return secured.recv(4)


@pytest.mark.parametrize(("name", "good"), [("192.0.2.7", True), ("192.0.2.8", False)])
def test_a_strict_client_accepts_it_under_its_names_only(tmp_path, name, good):
    made = settings(tmp_path)
    certificates.ensure(made)
    port, thread = _serve_once(made)
    try:
        if good:
            assert _fetch(port, certificates.folder(made) / "ca.pem", name) == b"here"
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
                _fetch(port, certificates.folder(made) / "ca.pem", name)
    finally:
        thread.join()


def test_the_operators_own_certificate_is_copied_and_follows_its_file(tmp_path):
    source = settings(tmp_path / "source", host="192.0.2.9")
    certificates.ensure(source)
    own = {
        "certificate": str(certificates.folder(source) / "api.pem"),
        "certificate_key": str(certificates.folder(source) / "api.key"),
    }
    made = settings(tmp_path / "own", host="192.0.2.9", **own)
    assert certificates.ensure(made)
    assert leaf(made) == leaf(source)
    assert certificates.ensure(made) is False
    assert certificates.authority_file(made) is None, "clients trust what their system trusts"
    assert not (certificates.folder(made) / "ca.key").exists()
    certificates.ensure(other := settings(tmp_path / "source", public_name="a.example"))
    assert certificates.ensure(made)
    assert leaf(made) == leaf(other)


def test_an_own_certificate_that_cannot_be_used_is_refused_by_name(tmp_path):
    source = settings(tmp_path / "source")
    certificates.ensure(source)
    place = certificates.folder(source)
    pair = {"certificate": str(place / "ca.pem"), "certificate_key": str(place / "api.key")}
    with pytest.raises(ConfigError, match=r"certificate_key = .*api.key.*mismatch"):
        certificates.ensure(settings(tmp_path / "own", **pair))
    missing = pair | {"certificate": "/none.pem"}
    with pytest.raises(ConfigError, match=r"certificate = '/none.pem'.*No such file"):
        certificates.ensure(settings(tmp_path / "own", **missing))
