"""Tokens that were revoked, and the events that tell of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select

from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow

_REVOKED = select(t.revocations.c.audit_id).where(t.revocations.c.audit_id == bindparam("audit_id"))


def revoke(c: Connection, audit_id: str, expires_at: float) -> None:
    """Revoke the one token with this audit id; those that were made from it live on."""
    c.execute(delete(t.revocations).where(t.revocations.c.expires_at < time.time() - 3600))
    if not is_revoked(c, audit_id):
        c.execute(insert(t.revocations).values(audit_id=audit_id, expires_at=expires_at))


def is_revoked(c: Connection, audit_id: str) -> bool:
    return c.execute(_REVOKED, {"audit_id": audit_id}).first() is not None


def tell(c: Connection, keep_s: float, **subject: str) -> None:
    """Record an event: tokens with these attributes that were issued until now are void."""
    now = time.time()
    c.execute(delete(t.revocation_events).where(t.revocation_events.c.revoked_at < now - keep_s))
    event = {"id": uuid.uuid4().hex, "revoked_at": now, "issued_before": now, "subject": subject}
    c.execute(insert(t.revocation_events).values(**event))


def events(c: Connection, since: float | None) -> Sequence[AnyRow]:
    table = t.revocation_events
    query = select(table).order_by(table.c.revoked_at)
    return c.execute(query if since is None else query.where(table.c.revoked_at >= since)).all()
