"""What mapped claims lead to is written down: the user behind them, memberships with an end, projects with roles."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, select, update

from clearsky.errors import Conflict, Forbidden, Unauthorized
from clearsky.identity import tables as t
from clearsky.identity.federation.mapping import Mapped
from clearsky.identity.store import AnyRow, assignment, bump, create, federation, identity, resource
from clearsky.identity.tokens import REFUSED


@dataclass(frozen=True, slots=True)
class Shadow:
    user_id: str
    group_ids: tuple[str, ...]
    local: bool
    """A user of our own, who was only proven from elsewhere: with no more rights than recorded."""


def write(c: Connection, provider: AnyRow, protocol_id: str, mapped: Mapped) -> Shadow:
    """Find or make the user and what the mapping gives; raises Unauthorized or Forbidden where that cannot be."""
    if mapped.user["type"] == "local":
        return Shadow(_local(c, mapped).id, (), local=True)
    group_ids = _groups(c, provider, mapped)
    user_id = _user(c, provider, protocol_id, mapped)
    if provider.authorization_ttl:
        until = time.time() + provider.authorization_ttl * 60
        federation.set_expiring_memberships(c, user_id, provider.id, group_ids, until)
        bump(c)
    for project in mapped.projects:
        _project(c, provider, user_id, project)
    return Shadow(user_id, tuple(group_ids), local=False)


def _domain_id(c: Connection, given: dict[str, Any], default: str) -> str:
    """Return the id of `{"id"}` or `{"name"}`, or the default; raises Unauthorized where there is no such domain."""
    if not given:
        return default
    row = (
        resource.domain_named(c, given["name"])
        if given.get("name")
        else c.execute(
            select(t.projects).where(t.projects.c.id == given.get("id", ""), t.projects.c.is_domain)
        ).first()
    )
    if row is None:
        raise Unauthorized(
            f"Could not map user: there is no domain {given.get('name') or given.get('id')!r:.80}."
        )
    return str(row.id)


def _local(c: Connection, mapped: Mapped) -> AnyRow:
    given = mapped.user
    if given.get("id"):
        row = c.execute(select(t.users).where(t.users.c.id == given["id"])).first()
    else:
        row = identity.user_named(c, given["name"], _domain_id(c, given.get("domain") or {}, ""))
    if row is None:
        raise Unauthorized(REFUSED)
    return row


def _groups(c: Connection, provider: AnyRow, mapped: Mapped) -> list[str]:
    """Return the ids of the groups that exist; a group that is named by id must."""
    for id in mapped.group_ids:
        if c.execute(select(t.groups.c.id).where(t.groups.c.id == id)).first() is None:
            raise Forbidden(f"Group {id!r:.80} returned by the mapping was not found in the backend.")
    found = list(mapped.group_ids)
    for name, domain in mapped.group_names:
        domain_id = _domain_id(c, domain, provider.domain_id)
        query = select(t.groups.c.id).where(t.groups.c.name == name, t.groups.c.domain_id == domain_id)
        found += c.execute(query).scalars().all()
    return list(dict.fromkeys(found))


def _user(c: Connection, provider: AnyRow, protocol_id: str, mapped: Mapped) -> str:
    given = mapped.user
    unique_id = given.get("id") or quote(given["name"])
    name = given.get("name") or unique_id
    if len(unique_id) > 255 or len(name) > 255:
        raise Unauthorized("Could not map user: the user's id or name is longer than 255 characters.")
    known = federation.federated_user(c, provider.id, protocol_id, unique_id)
    if known is None:
        return _new_user(c, provider, protocol_id, unique_id, name, given)
    if known.display_name != name:
        federation.set_display_name(c, known.user_id, name)
    if given.get("email"):
        c.execute(update(t.users).where(t.users.c.id == known.user_id).values(email=given["email"][:255]))
    return str(known.user_id)


def _new_user(
    c: Connection, provider: AnyRow, protocol_id: str, unique_id: str, name: str, given: dict[str, Any]
) -> str:
    domain_id = _domain_id(c, given.get("domain") or {}, provider.domain_id)
    if identity.user_named(c, name, domain_id) is not None:
        # Names from elsewhere may be taken here: they are told apart, and nobody becomes somebody else.
        name = f"{name[:180]} ({uuid.uuid4().hex})"
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "name": name,
        "domain_id": domain_id,
        "email": (given.get("email") or "")[:255] or None,
        "options": {},
        "extra": {},
    }
    try:
        row = create(c, t.users, values, "user")
    except Conflict as error:
        raise Unauthorized(REFUSED) from error
    federation.add_federated_user(
        c,
        {
            "user_id": row.id,
            "provider_id": provider.id,
            "protocol_id": protocol_id,
            "unique_id": unique_id,
            "display_name": given.get("name") or unique_id,
        },
    )
    return str(row.id)


def _project(c: Connection, provider: AnyRow, user_id: str, given: dict[str, Any]) -> None:
    """Make the project where there is none of this name, and give the user the roles on it."""
    domain_id = _domain_id(c, given.get("domain") or {}, provider.domain_id)
    row = resource.project_named(c, given["name"], domain_id)
    if row is None:
        values = {
            "id": uuid.uuid4().hex,
            "name": given["name"][:64],
            "domain_id": domain_id,
            "parent_id": domain_id,
        }
        row = create(c, t.projects, values | {"options": {}, "extra": {}}, "project")
    for role in given["roles"]:
        found = assignment.role_named(c, role["name"])
        if found is None:
            raise Forbidden(f"Role {role['name']!r:.80} of the mapping was not found.")
        grant = {
            "actor_type": "user", "actor_id": user_id, "target_type": "project", "target_id": row.id,
            "role_id": found.id, "inherited": False,
        }  # fmt: skip
        if not assignment.assigned(c, grant):
            assignment.assign(c, grant)
            bump(c)
