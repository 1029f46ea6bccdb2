"""The new host's side: it makes its key, asks to be let in, and keeps what it is told."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clearsky import certificates
from clearsky.config import JOINED, Config
from clearsky.hosts import invitation, registry
from clearsky.hosts.invitation import Invitation

TIMEOUT_S = 20.0


class NotJoined(Exception):
    """The host was not let in; says what to do."""


def key_file(config: Config) -> Path:
    return certificates.folder(config) / "host.key"


def certificate_file(config: Config) -> Path:
    return certificates.folder(config) / "host.pem"


def control_file(config: Config) -> Path:
    """Return the authority by which a host knows its control plane."""
    return certificates.folder(config) / "control.pem"


def join(config: Config, control: tuple[str, int], invited: Invitation, address: str) -> None:
    """Join the cloud whose control plane is at `control`; nothing is kept where that fails. Raises NotJoined."""
    place = certificates.folder(config)
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    authority = _authority(control, invited)
    key = ec.generate_private_key(ec.SECP256R1())
    question = {
        "name": invited.name,
        "secret": invited.secret,
        "request": _request(invited.name, key),
        "address": address,
    }
    trusting = ssl.create_default_context(cadata=authority)
    trusting.minimum_version = ssl.TLSVersion.TLSv1_3
    welcome = _ask(control, trusting, "POST", "/agent/v1/join", question)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificates.write(key_file(config), private, 0o600)
    certificates.write(certificate_file(config), welcome["certificate"].encode(), 0o644)
    certificates.write(control_file(config), welcome["authority"].encode(), 0o644)
    registry.folder(config).mkdir(exist_ok=True)
    certificates.write(registry.databases_file(config), welcome["databases"].encode(), 0o644)
    if welcome["database"]:
        # OVN's databases run here as well: they show by the same key that they are at this address.
        certificates.write(place / "ovn.key", private, 0o600)
        certificates.write(place / "ovn.pem", welcome["database"].encode(), 0o644)
        certificates.write(registry.trusted_file(config), welcome["trusted"].encode(), 0o644)
    told = welcome["settings"]
    told["hosts"] |= {"address": address, "control": control[0]}
    certificates.write(config.state / JOINED, _toml(told).encode(), 0o644)


def leave(config: Config) -> None:
    """Forget the cloud."""
    (config.state / JOINED).unlink(missing_ok=True)
    for file in (key_file(config), certificate_file(config), control_file(config)):
        file.unlink(missing_ok=True)


def own_address(control: tuple[str, int]) -> str:
    """Return this machine's address toward the control plane."""
    try:
        family, kind, _, _, target = socket.getaddrinfo(*control, type=socket.SOCK_DGRAM)[0]
        with contextlib.closing(socket.socket(family, kind)) as probe:
            probe.connect(target)  # sends nothing
            return str(probe.getsockname()[0])
    except OSError as error:
        raise NotJoined(f"there is no way to {control[0]}: {error}") from error


def _authority(control: tuple[str, int], invited: Invitation) -> str:
    """Return the control plane's authority, which the token names: whoever answers with another is somebody else."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    text = str(_ask(control, blind, "GET", "/agent/v1/authority", None)["authority"])
    try:
        first = x509.load_pem_x509_certificates(text.encode())[0]
    except ValueError as error:
        raise NotJoined(f"{control[0]} answers with something that is no certificate: {error}") from error
    if invitation.fingerprint(first) != invited.fingerprint:
        raise NotJoined(
            f"{control[0]} is not the control plane that made this token, or somebody in between answers for it;"
            " nothing was sent. Compare the address, ask for a new token"
        )
    return _pem(first)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _request(name: str, key: ec.EllipticCurvePrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return built.public_bytes(serialization.Encoding.PEM).decode()


def _ask(
    control: tuple[str, int], context: ssl.SSLContext, method: str, url: str, body: Any
) -> dict[str, Any]:
    connection = http.client.HTTPSConnection(*control, timeout=TIMEOUT_S, context=context)
    where = f"{control[0]}, port {control[1]}"
    try:
        connection.request(
            method, url, json.dumps(body) if body else None, {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        told = json.loads(answer.read())
    except ssl.SSLCertVerificationError as error:
        raise NotJoined(
            f"{where}: its certificate is not for this address ({error.verify_message}); use the control plane's [hosts] address"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotJoined(f"{where} does not answer as a control plane: {error}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise NotJoined(f"{where}: {told.get('message', answer.status)}")
    return dict(told)


def _toml(sections: dict[str, dict[str, Any]]) -> str:
    """Return settings as TOML: texts, numbers and lists of texts, whose JSON is TOML as well."""
    lines = ["# Written by `clearsky host join`: what the control plane has told this host.\n"]
    for section, values in sections.items():
        lines.append(f"[{section}]\n")
        lines += [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
    return "".join(lines)
