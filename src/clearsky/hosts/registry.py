"""Files of root's that say who is invited and who is a host, in the state directory's `hosts/`.

`invitations/NAME.json` only root can read; `members/NAME.json` everybody, for the api looks at it at each request of a
host. `chassis.pem` holds what OVN's southbound database trusts: one authority for each host. `databases.pem` is what the
members of a cluster of databases trust, and by what hosts know them: the cloud's authority, and theirs.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from clearsky import certificates
from clearsky.config import Config
from clearsky.hosts import invitation
from clearsky.hosts.invitation import Invitation


class Refused(Exception):
    """Somebody may not come in, or not any more; says why."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    address: str
    """Where the other hosts reach it: the end of its tunnels."""
    certificate: str
    """PEM. What it shows must be exactly this."""
    authority: str
    """PEM. Who signed it, and nothing else; the key is forgotten."""
    joined_at: float

    @property
    def fingerprint(self) -> str:
        return x509.load_pem_x509_certificate(self.certificate.encode()).fingerprint(hashes.SHA256()).hex()


def folder(config: Config) -> Path:
    return config.state / "hosts"


def trusted_file(config: Config) -> Path:
    """Return what OVN's southbound database trusts: the authorities of all hosts, and the cloud's own."""
    return folder(config) / "chassis.pem"


def databases_file(config: Config) -> Path:
    """Return by what the machines that keep OVN's databases are known."""
    return folder(config) / "databases.pem"


def databases(config: Config) -> tuple[str, ...]:
    """Return the addresses of the machines that keep OVN's databases and are hosts; none where it is no cluster."""
    there = {config.hosts.address, *(member.address for member in members(config))}
    return tuple(address for address in config.hosts.databases if address in there)


def ensure(config: Config) -> None:
    """Make the folders and the file that OVN's southbound database reads."""
    for place, mode in ((folder(config), 0o755), (_members(config), 0o755), (_invitations(config), 0o700)):
        place.mkdir(exist_ok=True)
        _insist(place)
        place.chmod(mode)
    if config.clustered:
        _ensure_own(config)
    trust(config)


def _ensure_own(config: Config) -> None:
    """Give the control plane's machine a certificate as any host has: its controller may ask another machine's database."""
    place = certificates.folder(config)
    own = place / "ca.pem"
    if not (place / "control.pem").exists() or (place / "control.pem").read_bytes() != own.read_bytes():
        certificates.write(place / "control.pem", own.read_bytes(), 0o644)
    if (place / "host.pem").exists() and _own_authority(config).exists():
        return
    now = datetime.now(UTC)
    authority = certificates.new_authority(config.host, now)
    pair = certificates.issue(authority, [config.host], now, client=True, days=certificates.AUTHORITY_DAYS)
    certificates.write_pair(place / "host.pem", place / "host.key", pair)
    certificates.write(_own_authority(config), pem(authority.certificate).encode(), 0o644)


def _own_authority(config: Config) -> Path:
    return folder(config) / "own.pem"


def trust(config: Config) -> None:
    """Write down whom OVN's databases trust, and by what they are known."""
    own = (certificates.folder(config) / "ca.pem").read_bytes()
    if _own_authority(config).exists():
        own += _own_authority(config).read_bytes()
    data = own + b"".join(member.authority.encode() for member in members(config))
    keepers = [one.authority.encode() for one in members(config) if one.address in config.hosts.databases]
    known = (certificates.folder(config) / "ca.pem").read_bytes() + b"".join(keepers)
    for file, content in ((trusted_file(config), data), (databases_file(config), known)):
        write_new(file, content)


def write_new(file: Path, content: bytes) -> bool:
    """Write a file that everybody may read, if that changes it; says whether it did."""
    if file.exists() and file.read_bytes() == content:
        return False
    certificates.write(file, content, 0o644)
    return True


# -- invitations --------------------------------------------------------------------------------------------------


def invite(config: Config, name: str, lifetime_s: float) -> Invitation:
    """Let one host of this name in, once; an earlier invitation of it ends. What is kept does not show the secret."""
    ensure(config)
    authority = x509.load_pem_x509_certificates((certificates.folder(config) / "ca.pem").read_bytes())[0]
    made = invitation.make(name, authority)
    kept = {"secret": invitation.hashed(made.secret), "until": time.time() + lifetime_s}
    certificates.write(_invitations(config) / f"{name}.json", json.dumps(kept).encode(), 0o600)
    return made


def invited(config: Config) -> dict[str, float]:
    """Return until when each invitation is good: name -> seconds since the epoch."""
    found = {}
    for path in sorted(_invitations(config).glob("*.json")):
        until = float(json.loads(path.read_text(encoding="utf-8"))["until"])
        if until > time.time():
            found[path.stem] = until
    return found


def check(config: Config, name: str, secret: str) -> None:
    """Raise Refused where nobody with this secret is invited by this name."""
    try:
        kept = json.loads((_invitations(config) / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {"secret": "", "until": 0.0}
    if not hmac.compare_digest(kept["secret"], invitation.hashed(secret)):
        raise Refused(
            f"no host {name!r} is invited with this token: it was used already, or replaced; ask for a new one"
        )
    if kept["until"] < time.time():
        raise Refused(f"the token of host {name!r} has expired; ask for a new one")


def spend(config: Config, name: str) -> None:
    """End an invitation: from now on it lets nobody in."""
    (_invitations(config) / f"{name}.json").unlink(missing_ok=True)


# -- members ------------------------------------------------------------------------------------------------------


def members(config: Config) -> list[Member]:
    return [found for path in sorted(_members(config).glob("*.json")) if (found := _read(path))]


def member(config: Config, name: str) -> Member | None:
    return _read(_members(config) / f"{name}.json")


def enter(config: Config, new: Member) -> None:
    """Take a host in; who had its name before is none any more."""
    data = json.dumps(asdict(new)).encode()
    certificates.write(_members(config) / f"{new.name}.json", data, 0o644)
    trust(config)


def remove(config: Config, name: str) -> bool:
    """Take a host's rights away; False where there is none of that name."""
    spend(config, name)
    path = _members(config) / f"{name}.json"
    there = path.exists()
    path.unlink(missing_ok=True)
    if there:
        trust(config)
    return there


def refusal(config: Config, shown: bytes | None, name: str) -> str:
    """Say why the bearer of a certificate (DER) may not speak for a host; empty where it may."""
    if not shown:
        return "no host's certificate was shown"
    known = member(config, name)
    if (
        known is None
        or known.fingerprint != x509.load_der_x509_certificate(shown).fingerprint(hashes.SHA256()).hex()
    ):
        return f"this certificate is not, or not any more, that of host {name!r}"
    return ""


def _insist(place: Path) -> None:
    """Raise Refused where a folder is not our own: the state directory is the api's, which could put another there."""
    about = place.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
        raise Refused(
            f"{place} belongs to somebody else: nothing in it is believed; look who has put it there"
        )


@contextmanager
def locked(config: Config) -> Iterator[None]:
    """Let one at a time change who is a host."""
    _insist(folder(config))
    with (folder(config) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _read(path: Path) -> Member | None:
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Member(**json.loads(path.read_text(encoding="utf-8")))
    return None


def _members(config: Config) -> Path:
    return folder(config) / "members"


def _invitations(config: Config) -> Path:
    return folder(config) / "invitations"
