"""The cloud's private certificate authority, and the certificates that the cloud's servers show.

In the state directory's `tls/`: `ca.key` stays root's, `ca.pem` is for clients. `api.*` (for clients) and `agents.*` (for
the agents of other hosts) belong to the api's account, `ovn.*` (OVN's databases, for other hosts) is root's. EC keys (P-256). Everything is written whole or not at all, and made again before it runs out.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clearsky.config import Config, ConfigError

AUTHORITY_DAYS, AUTHORITY_LEFT_DAYS = 3650, 800
"""An authority lives so long; with less than the second it gets a successor, so that it outlives what it signs."""
LEAF_DAYS, LEAF_LEFT_DAYS = 397, 60
CLOCK_SKEW = timedelta(hours=1)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@dataclass(frozen=True, slots=True)
class Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def folder(config: Config) -> Path:
    return config.state / "tls"


def authority_file(config: Config) -> Path | None:
    """Return what clients must trust: our own authority, or what [api] ca names; None: what their system trusts."""
    if not config.tls:
        return None
    if config.api.certificate == Path():
        return folder(config) / "ca.pem"
    return config.api.ca if config.api.ca != Path() else None


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A certificate that one of the cloud's servers shows."""

    name: str
    names: tuple[str, ...]
    both: bool = False
    """It is shown by clients as well."""


def _leaves(config: Config) -> list[_Leaf]:
    found = [_Leaf("api", config.api_names)] if config.tls and config.api.certificate == Path() else []
    if config.serves_hosts:
        # As clients, both speak to OVN's databases on other hosts.
        found += [_Leaf(name, (config.hosts.address,), both=True) for name in ("agents", "ovn")]
    return found


def needed(config: Config) -> bool:
    """Say whether anything of this cloud speaks TLS with a certificate that is made here."""
    return config.tls or config.serves_hosts


def ensure(config: Config, now: datetime | None = None) -> bool:
    """Make or renew what TLS needs; says whether anything was written. Needs the account that owns the state.

    Raises ConfigError for own certificates that cannot be used.
    """
    if not needed(config):
        return False
    now = now or datetime.now(UTC)
    place = folder(config)
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    written = config.tls and config.api.certificate != Path() and _install_own(config)
    leaves = _leaves(config)
    if not leaves:
        return written
    authority, fresh = _authority(config, now)
    for leaf in leaves:
        certificate, key = place / f"{leaf.name}.pem", place / f"{leaf.name}.key"
        if fresh or not _is_good(certificate, key, authority, leaf.names, now):
            write_pair(certificate, key, issue(authority, leaf.names, now, both=leaf.both))
            written = True
    return written


def context(config: Config, name: str = "api") -> ssl.SSLContext:
    """Return what a server of the api's shows; `load` again when the files change."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    load(config, made, name)
    return made


def load(config: Config, into: ssl.SSLContext, name: str = "api") -> None:
    place = folder(config)
    into.load_cert_chain(place / f"{name}.pem", place / f"{name}.key")


def issue(
    authority: Pair,
    names: Iterable[str],
    now: datetime,
    *,
    client: bool = False,
    both: bool = False,
    days: int = LEAF_DAYS,
) -> Pair:
    """Return a new key with a certificate for `names` (host names and addresses); the first is its common name."""
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [CLIENT] if client else [SERVER, CLIENT] if both else [SERVER]
    return Pair(sign(authority, key.public_key(), names, now, usages, days), key)


def sign(
    authority: Pair,
    key: ec.EllipticCurvePublicKey,
    names: Iterable[str],
    now: datetime,
    usages: Iterable[x509.ObjectIdentifier],
    days: int = LEAF_DAYS,
) -> x509.Certificate:
    """Return a certificate for somebody's public key, which does not outlive the authority's own."""
    names = list(names)
    end = min(now + timedelta(days=days), authority.certificate.not_valid_after_utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(_authority_key(authority), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    return built.sign(authority.key, hashes.SHA256())


def read(certificate: Path, key: Path) -> Pair:
    """Read a certificate (the first of its file) and its EC key; raises OSError or ValueError."""
    found = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key} is no EC key")  # noqa: TRY004 - the file's content, not a caller's mistake
    return Pair(x509.load_pem_x509_certificates(certificate.read_bytes())[0], found)


def names_in(certificate: x509.Certificate) -> set[str]:
    """Return the host names and addresses that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


# -- parts ------------------------------------------------------------------------------------------------------


def _authority(config: Config, now: datetime) -> tuple[Pair, bool]:
    """Return the authority, and whether it is new. Clients go on trusting the earlier ones while these last."""
    certificate, key = folder(config) / "ca.pem", folder(config) / "ca.key"
    earlier: list[x509.Certificate] = []
    if certificate.exists():
        earlier = [
            one
            for one in x509.load_pem_x509_certificates(certificate.read_bytes())
            if one.not_valid_after_utc > now
        ]
    try:
        known = read(certificate, key)
    except (OSError, ValueError):
        known = None
    if known is not None and _lasts(known.certificate, now, AUTHORITY_LEFT_DAYS) and _belong(known):
        return known, False
    made = new_authority(config.cloud.name, now)
    write_pair(certificate, key, made, earlier)
    return made, True


def new_authority(name: str, now: datetime) -> Pair:
    """Return an authority of its own, that nothing knows yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The date keeps it apart from its predecessor, which clients trust as well.
    called = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Clearsky {name} authority {now:%Y-%m-%d}"[:64])]
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Pair(built.sign(key, hashes.SHA256()), key)


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(authority: Pair) -> x509.AuthorityKeyIdentifier:
    own = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _lasts(certificate: x509.Certificate, now: datetime, days: int) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - timedelta(days=days)


def _belong(pair: Pair) -> bool:
    return pair.certificate.public_key() == pair.key.public_key()


def _is_good(certificate: Path, key: Path, authority: Pair, names: Iterable[str], now: datetime) -> bool:
    """Say whether the api's certificate can stay: ours, for all names, and not about to run out."""
    try:
        pair = read(certificate, key)
        pair.certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # whatever is wrong with it, a new one mends it
        return False
    wanted = {str(_name(one).value) for one in names}
    return (
        _belong(pair)
        and wanted <= names_in(pair.certificate)
        and _lasts(pair.certificate, now, LEAF_LEFT_DAYS)
    )


def _install_own(config: Config) -> bool:
    """Copy the operator's certificate to where the api's account can read it; says whether it was another."""
    api = config.api
    try:
        certificate, key = api.certificate.read_bytes(), api.certificate_key.read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(api.certificate, api.certificate_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"[api] certificate = {str(api.certificate)!r}, certificate_key = {str(api.certificate_key)!r}: {error};"
            " they name PEM files: the certificate with its chain, and its key without a passphrase"
        ) from error
    place = folder(config)
    targets = ((place / "api.key", key, 0o600), (place / "api.pem", certificate, 0o644))
    if all(path.exists() and path.read_bytes() == data for path, data, _ in targets):
        return False
    for path, data, mode in targets:
        write(path, data, mode)
    return True


def write_pair(certificate: Path, key: Path, pair: Pair, further: Iterable[x509.Certificate] = ()) -> None:
    """Write a certificate, with others after it, and its key, which only the files' owner can read."""
    private = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(key, private, 0o600)
    chain = (pair.certificate, *further)
    write(certificate, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain), 0o644)


def write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all; its owner stays."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        owner = path.stat() if path.exists() else None
        if owner is not None:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
    unfinished.rename(path)
