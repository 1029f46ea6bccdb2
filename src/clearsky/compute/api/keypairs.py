"""Keypairs: generated or imported."""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.api import quotas
from clearsky.compute.api.render import iso, next_link
from clearsky.compute.schema.servers import holding
from clearsky.db.paging import limit_of, page
from clearsky.errors import Conflict, Forbidden, Invalid, NotFound

routes = Routes()
_RULE = "os_compute_api:any_token"
_BODY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9 _@.-]+$"},
        "public_key": {"type": ["string", "null"], "maxLength": 16384},
        "type": {"enum": ["ssh", "x509"], "since": (2, 2)},
        "user_id": {"type": "string", "maxLength": 64, "since": (2, 10)},
    },
    "required": ["name"],
    "additionalProperties": False,
}
_CREATE = Schema(
    {
        "type": "object",
        "properties": {"keypair": _BODY},
        "required": ["keypair"],
        "additionalProperties": False,
    }
)


def _user(call: Call) -> str:
    """Return whose keypairs are meant: one's own, or with 2.10 for administrators anybody's."""
    wanted = call.query.get("user_id") if call.version >= (2, 10) else None
    if call.method == "POST" and call.version >= (2, 10):
        wanted = call.body["keypair"].get("user_id")
    user_id = wanted or call.caller.user_id
    call.authorize("os_compute_api:os-keypairs", user_id=user_id)
    return user_id


def _view(call: Call, row: Any) -> dict[str, Any]:
    shown = {"name": row.name, "public_key": row.public_key, "fingerprint": row.fingerprint}
    return shown | ({"type": row.type} if call.version >= (2, 2) else {})


def fingerprint(public_key: str) -> str:
    """Return the MD5 fingerprint of an OpenSSH public key; raises Invalid for anything else."""
    try:
        serialization.load_ssh_public_key(public_key.strip().encode())
        blob = base64.b64decode(public_key.split()[1])
    except (ValueError, IndexError, UnsupportedAlgorithm) as error:
        raise Invalid(
            "Keypair data is invalid: public_key is no OpenSSH public key (ssh-ed25519, ecdsa, ssh-rsa)."
        ) from error
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[n : n + 2] for n in range(0, 32, 2))


def _certificate(text: str) -> str:
    """Return the SHA-1 fingerprint of a certificate; raises Invalid for anything else."""
    try:
        found = x509.load_pem_x509_certificate(text.strip().encode())
    except ValueError as error:
        raise Invalid("Keypair data is invalid: public_key is no X.509 certificate in PEM.") from error
    digest = found.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name for people, not a proof
    return ":".join(digest[n : n + 2] for n in range(0, 40, 2))


def _generate_certificate(user_id: str) -> tuple[str, str]:
    """Return (private key, certificate for the log-in of this user), both in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), made.public_bytes(serialization.Encoding.PEM).decode()


def _generate() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} Generated-by-Clearsky"


@routes.post("/v2.1/os-keypairs", rule=_RULE, request=_CREATE, response=holding("keypair"))
def create_keypair(call: Call) -> Reply:
    """Import a public key; up to 2.91, without one, generate a pair and show its private half once."""
    body, user_id, private = call.body["keypair"], _user(call), None
    public, kind = body.get("public_key"), body.get("type", "ssh")
    if public is None:
        if call.version >= (2, 92):
            raise Invalid("keypair.public_key is missing: since 2.92 the client makes the pair itself")
        private, public = _generate() if kind == "ssh" else _generate_certificate(user_id)
    if body["name"] != body["name"].strip() and call.version >= (2, 92):
        raise Invalid("keypair.name starts or ends with a space")
    values = {
        "user_id": user_id,
        "name": body["name"],
        "public_key": public,
        "type": kind,
        "fingerprint": fingerprint(public) if kind == "ssh" else _certificate(public),
        "created_at": time.time(),
    }
    try:
        with call.house.db.write() as c:
            limit = quotas.limits(c, call.house, call.caller.project_id or "")["key_pairs"]
            if 0 <= limit <= store.keypair_count(c, user_id):
                raise Forbidden("Quota exceeded, too many key pairs.")
            row = c.execute(insert(t.keypairs).values(**values).returning(t.keypairs)).one()
    except IntegrityError as error:
        raise Conflict(f"Key pair '{body['name']}' already exists.") from error
    shown = _view(call, row) | {"user_id": user_id} | ({"private_key": private} if private else {})
    return Reply({"keypair": shown}, 201 if call.version >= (2, 2) else 200)


@routes.get("/v2.1/os-keypairs", rule=_RULE, response=holding("keypairs"))
def list_keypairs(call: Call) -> Reply:
    """List keypairs."""
    user_id, k = _user(call), t.keypairs.c
    limit = limit_of(
        call.query.get("limit") if call.version >= (2, 35) else None, call.house.config.api.page_limit
    )
    marker = [call.query["marker"]] if call.version >= (2, 35) and "marker" in call.query else None
    with call.house.db.read() as c:
        if marker:
            try:
                store.keypair(c, user_id, marker[0])
            except NotFound as error:
                raise Invalid(f"marker [{marker[0]:.80}] not found") from error
        rows = list(
            c.execute(page(select(t.keypairs).where(k.user_id == user_id), [(k.name, True)], marker, limit))
        )
    body: dict[str, Any] = {"keypairs": [{"keypair": _view(call, row)} for row in rows]}
    if call.version >= (2, 35) and "limit" in call.query:
        body |= next_link(call, "keypairs", [{"id": row.name} for row in rows], limit)
    return Reply(body)


@routes.get("/v2.1/os-keypairs/{name}", rule=_RULE, response=holding("keypair"))
def show_keypair(call: Call) -> Reply:
    """Show a keypair."""
    with call.house.db.read() as c:
        row = store.keypair(c, _user(call), call.params["name"])
    more = {
        "user_id": row.user_id,
        "id": row.id,
        "created_at": iso(row.created_at, fraction=True),
        "updated_at": None,
        "deleted_at": None,
        "deleted": False,
    }
    return Reply({"keypair": _view(call, row) | more})


@routes.delete("/v2.1/os-keypairs/{name}", rule=_RULE, status=202)
def delete_keypair(call: Call) -> Reply:
    """Delete a keypair; servers keep the key they were made with."""
    with call.house.db.write() as c:
        row = store.keypair(c, _user(call), call.params["name"])
        c.execute(delete(t.keypairs).where(t.keypairs.c.id == row.id))
    return Reply(None, 204 if call.version >= (2, 2) else 202)
