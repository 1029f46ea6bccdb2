"""The user that a request means, and the pause after too many failures."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, case, update

from clearsky.errors import Invalid
from clearsky.house import House
from clearsky.identity import tables as t
from clearsky.identity.password_rules import DAY
from clearsky.identity.store import AnyRow, identity, kit, resource


def find(c: Connection, given: dict[str, Any], where: str) -> AnyRow | None:
    """Return the user of `{"id"}` or `{"name", "domain"}`; None where there is none. Raises Invalid naming `where`."""
    if given.get("id"):
        return kit.find(c, t.users, given["id"])
    domain = domain_id(c, given.get("domain") or {})
    if not given.get("name") or domain is None:
        raise Invalid(f"{where} needs an id, or a name and a domain (id or name)")
    return identity.user_named(c, given["name"], domain)


def domain_id(c: Connection, given: dict[str, Any]) -> str | None:
    """Return the id of `{"id"}` or `{"name"}`: empty where there is none of that name, None where neither is given."""
    if given.get("id"):
        return str(given["id"])
    if not given.get("name"):
        return None
    row = resource.domain_named(c, given["name"])
    return str(row.id) if row is not None else ""


def is_locked(house: House, user: AnyRow) -> bool:
    """Say whether the user has failed so often, so recently, that even the right secret is refused."""
    settings = house.config.identity
    if not settings.lockout_attempts or (user.options or {}).get("ignore_lockout_failure_attempts"):
        return False
    if user.failed_attempts < settings.lockout_attempts:
        return False
    # Without a duration an administrator must set a new password.
    return not settings.lockout_s or time.time() - (user.failed_at or 0) < settings.lockout_s


def note_failure(house: House, user: AnyRow | None) -> None:
    """Count a failure; after a pause the count begins anew.

    Those of nobody and those within a pause are written as well, elsewhere: what a failure costs tells nothing.
    """
    if user is None or is_locked(house, user):
        with house.db.write() as c:
            identity.note_failure_of_nobody(c)
        return
    now, pause = time.time(), house.config.identity.lockout_s
    table = t.users
    served = (table.c.failed_attempts >= house.config.identity.lockout_attempts) & (
        table.c.failed_at < now - pause
    )
    count = case((served, 1), else_=table.c.failed_attempts + 1) if pause else table.c.failed_attempts + 1
    with house.db.write() as c:
        c.execute(update(table).where(table.c.id == user.id).values(failed_attempts=count, failed_at=now))


def keep_hash(house: House, user: AnyRow, hashed: str) -> None:
    """Keep another hash of the same password, unless that is changed just now."""
    table = t.users
    same = (table.c.id == user.id) & (table.c.password_hash == user.password_hash)
    with house.db.write() as c:
        c.execute(update(table).where(same).values(password_hash=hashed))


def is_active(house: House, user: AnyRow) -> bool:
    """Say whether the user is enabled, and has not been away for longer than the settings allow."""
    days = house.config.identity.disable_user_account_days_inactive
    if not days or (user.options or {}).get("ignore_user_inactivity"):
        return bool(user.enabled)
    since = user.last_active_at or user.created_at
    return bool(user.enabled) and (since is None or time.time() - since < days * DAY)


def note_success(house: House, user: AnyRow) -> None:
    """Forget the failures; where users who stay away are disabled, note the day."""
    values: dict[str, Any] = {"failed_attempts": 0} if user.failed_attempts else {}
    counted = house.config.identity.disable_user_account_days_inactive
    if counted and time.time() - (user.last_active_at or 0) > DAY / 24:
        values["last_active_at"] = time.time()
    if values:
        with house.db.write() as c:
            c.execute(update(t.users).where(t.users.c.id == user.id).values(**values))
