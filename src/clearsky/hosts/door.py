"""Where new hosts are let in: a UNIX socket of root's on the control plane.

The api, which has no rights, only passes on what a new host says. Whether the host is invited is decided here, by files
that the api cannot read, and here the certificate is made: a hole in the api lets nobody in.

One connection is one `Question`, a line of JSON; the answer is one as well: a `Welcome`, or {"refused": why}.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import pwd
import socket
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from clearsky import certificates, encode
from clearsky.config import NAME, Config
from clearsky.hosts import registry
from clearsky.hosts.registry import Member, Refused

log = structlog.get_logger("door")
QUESTION_BYTES = 32 * 1024
PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    """Of the new host."""
    secret: str
    """Of its invitation."""
    request: str
    """PEM: a certificate request, for its key."""
    address: str
    """Where other hosts reach it."""


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a new host gets."""

    certificate: str
    """PEM: its own."""
    authority: str
    """PEM: the cloud's, by which it knows the control plane."""
    settings: dict[str, dict[str, Any]]
    """What all hosts have in common: section -> key -> value, as in the settings file."""
    database: str = ""
    """PEM: what OVN's databases on it show; empty where they do not run there."""
    trusted: str = ""
    """PEM: whom OVN's southbound database on it trusts."""
    databases: str = ""
    """PEM: by what it knows the machines that keep OVN's databases."""


def path(config: Config) -> Path:
    return config.run / "door.sock"


def ask(config: Config, question: Question) -> Welcome:
    """Pass a question on, as the api does. Raises Refused, or OSError where nobody opens."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as line:
        line.settimeout(PATIENCE_S)
        line.connect(str(path(config)))
        line.sendall(encode.dumps(question) + b"\n")
        answer = json.loads(_line(line))
    if "refused" in answer:
        raise Refused(answer["refused"])
    return Welcome(**answer)


class Door:
    """Answers at the socket, in a thread of the control plane's agent; of a simulated cloud's only process."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def open(self) -> None:
        registry.ensure(self._config)
        place = path(self._config)
        place.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(place))
        if not self._config.cloud.simulate:
            os.chown(place, 0, pwd.getpwnam(self._config.cloud.user).pw_gid)
        place.chmod(0o660)
        listener.listen(8)
        threading.Thread(target=self._serve, args=(listener,), name="door", daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            line, _ = listener.accept()
            with line, contextlib.suppress(OSError):
                line.settimeout(PATIENCE_S)
                try:
                    answer = asdict(admit(self._config, encode.loads(Question, _line(line))))
                except Refused as refused:
                    log.warning("a host was not let in", why=str(refused))
                    answer = {"refused": str(refused)}
                except Exception:
                    log.exception("a host could not be let in")
                    answer = {"refused": "the control plane could not do it; see the log of its agent"}
                line.sendall(json.dumps(answer).encode() + b"\n")


def admit(config: Config, question: Question) -> Welcome:
    """Let a host in that is invited; raises Refused. Its invitation is spent by that, and by nothing else."""
    name, address = question.name, question.address
    if not NAME.fullmatch(name):
        raise Refused(f"{name!r:.60} cannot be the name of a host")
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise Refused(f"{address!r:.60} is no address") from error
    with registry.locked(config):
        registry.check(config, name, question.secret)
        key = _key(question.request)
        registry.spend(config, name)
        # An authority for this host alone: without it the host is none any more. Nobody needs its key again.
        now = datetime.now(UTC)
        authority = certificates.new_authority(name, now)
        days = certificates.AUTHORITY_DAYS
        made = certificates.sign(authority, key, [name], now, [certificates.CLIENT], days)
        registry.enter(
            config,
            Member(name, address, registry.pem(made), registry.pem(authority.certificate), time.time()),
        )
    log.info("a host was let in", name=name, address=address)
    own = (certificates.folder(config) / "ca.pem").read_text(encoding="utf-8")
    common = _common(config, name)
    databases = registry.databases_file(config).read_text(encoding="utf-8")
    if address not in config.hosts.databases:
        return Welcome(registry.pem(made), own, common, databases=databases)
    usages = [certificates.SERVER, certificates.CLIENT]
    database = certificates.sign(authority, key, [address], now, usages, days)
    trusted = registry.trusted_file(config).read_text(encoding="utf-8")
    return Welcome(registry.pem(made), own, common, registry.pem(database), trusted, databases)


def _key(text: str) -> ec.EllipticCurvePublicKey:
    """Return the key of a certificate request; nothing else in it counts."""
    try:
        request = x509.load_pem_x509_csr(text.encode())
    except ValueError as error:
        raise Refused(f"the certificate request cannot be read: {error}") from error
    key = request.public_key()
    if not request.is_signature_valid or not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refused("the certificate request is not signed by an EC key of its own")
    return key


def _common(config: Config, name: str) -> dict[str, dict[str, Any]]:
    net, hosts = config.network, config.hosts
    return {
        "cloud": {"host": name},
        "hosts": {
            "control": hosts.address,
            "port": hosts.port,
            "northbound_port": hosts.northbound_port,
            "southbound_port": hosts.southbound_port,
            "databases": list(hosts.databases),
            "southbound_member_port": hosts.southbound_member_port,
            "northbound_cluster_port": hosts.northbound_cluster_port,
            "southbound_cluster_port": hosts.southbound_cluster_port,
        },
        "network": {
            "encapsulation": net.encapsulation,
            "underlay_mtu": net.underlay_mtu,
            "provider_name": net.provider_name,
        },
    }


def _line(line: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        chunk = line.recv(QUESTION_BYTES)
        if not chunk or len(data) > QUESTION_BYTES:
            raise OSError("half a message")
        data += chunk
    return data
