"""Tokens that were revoked one by one."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select

from clearsky.identity import tables as t


def revoke(c: Connection, audit_id: str, expires_at: float) -> None:
    c.execute(delete(t.revocations).where(t.revocations.c.expires_at < time.time() - 3600))
    if not is_revoked(c, [audit_id]):
        c.execute(insert(t.revocations).values(audit_id=audit_id, expires_at=expires_at))


def is_revoked(c: Connection, audit_ids: Iterable[str]) -> bool:
    query = select(t.revocations.c.audit_id).where(t.revocations.c.audit_id.in_(list(audit_ids)))
    return c.execute(query).first() is not None
