"""The text that lets one new host in: its name, whom it can trust, and a secret that is good once."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from clearsky.config import NAME

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Invitation:
    name: str
    """Of the new host."""
    fingerprint: str
    """SHA-256 of the private authority's certificate (DER, base64url): who has another is not the control plane."""
    secret: str

    def text(self) -> str:
        return f"{self.name}:{self.fingerprint}:{self.secret}"


def make(name: str, authority: x509.Certificate) -> Invitation:
    return Invitation(name, fingerprint(authority), secrets.token_urlsafe(SECRET_BYTES))


def parse(text: str) -> Invitation:
    """Read an invitation; raises ValueError."""
    parts = text.strip().split(":")
    if len(parts) != 3 or not NAME.fullmatch(parts[0]) or not all(parts):
        raise ValueError("that is no token of `clearsky host add`: it has three parts, NAME:AUTHORITY:SECRET")
    return Invitation(*parts)


def fingerprint(certificate: x509.Certificate) -> str:
    return base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()


def hashed(secret: str) -> str:
    """Return what is kept of a secret. It is random, so that a plain hash hides it."""
    return hashlib.sha256(secret.encode()).hexdigest()
