"""By an application credential: its id, or its name and user; and its secret."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection

from clearsky.errors import Invalid, NotFound, Unauthorized
from clearsky.house import House
from clearsky.identity import passwords
from clearsky.identity.auth import users
from clearsky.identity.auth.interface import Proof
from clearsky.identity.store import AnyRow, delegation
from clearsky.identity.tokens import REFUSED


def authenticate(house: House, given: dict[str, Any]) -> Proof:
    """Check the secret; raises Unauthorized also for one that has expired."""
    with house.db.read() as c:
        row = _find(c, given)
    good = passwords.verify(
        house.config.identity, row.secret_hash if row is not None else None, given.get("secret") or ""
    )
    if row is None or not good:
        raise Unauthorized(REFUSED)
    if row.expires_at is not None and row.expires_at < time.time():
        raise Unauthorized(REFUSED)
    return Proof(
        row.user_id,
        ("application_credential",),
        application_credential_id=row.id,
        project_id=row.project_id,
    )


def _find(c: Connection, given: dict[str, Any]) -> AnyRow | None:
    if given.get("id"):
        try:
            return delegation.application_credential(c, given["id"])
        except NotFound:
            return None
    where = "auth.identity.application_credential"
    if not given.get("name"):
        raise Invalid(f"{where} needs an id, or a name and a user")
    user = users.find(c, given.get("user") or {}, f"{where}.user")
    if user is None:
        return None
    return delegation.application_credential_named(c, given["name"], user.id)
