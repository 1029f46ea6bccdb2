"""Security groups: the default one of each project, and finding one by name or id."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import Connection, insert, or_, select

from clearsky.db.engine import lock
from clearsky.errors import Conflict, NotFound
from clearsky.network import store
from clearsky.network import tables as t

DEFAULT = "default"
PARENT = "PARENT"
"""As a template's remote group: the new group itself."""
EVERY_PROJECT = ""
"""As the project of a default: every one that has no default of its own."""
_MADE = "default_rules"
_COPIED = ("description", "direction", "ethertype", "protocol", "port_range_min", "port_range_max",
           "remote_ip_prefix", "remote_address_group_id")  # fmt: skip


def ensure_default(c: Connection, project_id: str) -> Any:
    """Return the project's default group, made on demand: everything out, and in only from its own members."""
    g = t.security_groups.c
    query = select(t.security_groups).where(g.project_id == project_id, g.is_default)
    row = c.execute(query).first()
    if row is not None or not project_id:
        return row
    lock(c, f"default-group:{project_id}")
    row = c.execute(query).first()
    if row is not None:
        return row
    values = {
        "project_id": project_id,
        "name": DEFAULT,
        "description": "Default security group",
        "is_default": True,
        "stateful": stateful_by_default(c, project_id),
    }
    row = store.create(c, t.security_groups, values)
    add_rules(c, row)
    return row


def stateful_by_default(c: Connection, project_id: str) -> bool:
    """Say whether a project's new groups remember connections where nobody says."""
    d = t.default_statefulness.c
    query = select(d.project_id, d.stateful).where(d.project_id.in_((project_id, EVERY_PROJECT)))
    found = {row.project_id: bool(row.stateful) for row in c.execute(query)}
    return found.get(project_id, found.get(EVERY_PROJECT, True))


def add_rules(c: Connection, group: Any) -> None:
    """Give a new group the rules that its kind begins with, by the operator's templates."""
    ensure_templates(c)
    d = t.default_rules.c
    used = d.used_in_default_sg if group.is_default else d.used_in_non_default_sg
    query = select(t.default_rules).where(used).order_by(d.created_at, d.id)
    for template in c.execute(query).all():
        far = group.id if template.remote_group_id == PARENT else template.remote_group_id
        columns = {name: getattr(template, name) for name in _COPIED} | {"remote_group_id": far}
        store.create(c, t.rules, columns | {"project_id": group.project_id, "security_group_id": group.id})


def templates_made(c: Connection) -> bool:
    return c.execute(select(t.observed.c.name).where(t.observed.c.name == _MADE)).first() is not None


def ensure_templates(c: Connection) -> None:
    """Write the templates that a cloud begins with, once: what the operator deletes stays deleted."""
    if templates_made(c):
        return
    lock(c, _MADE)
    if templates_made(c):
        return
    now = time.time()
    c.execute(insert(t.observed).values(name=_MADE, value="", seen_at=now))
    for ethertype in ("IPv4", "IPv6"):
        for direction, default, others, far in (
            ("egress", True, True, None),
            ("ingress", True, False, PARENT),
        ):
            c.execute(
                insert(t.default_rules).values(
                    id=str(uuid.uuid4()),
                    created_at=now,
                    direction=direction,
                    ethertype=ethertype,
                    remote_group_id=far,
                    used_in_default_sg=default,
                    used_in_non_default_sg=others,
                )
            )


def resolve(c: Connection, project_id: str, name_or_id: str) -> str:
    """Return the id of one of the project's groups; raises NotFound, and Conflict for a name that several have."""
    if name_or_id == DEFAULT:
        return str(ensure_default(c, project_id).id)
    g = t.security_groups.c
    mine = store.visible(t.security_groups, project_id)
    query = select(g.id).where(mine, or_(g.id == name_or_id, g.name == name_or_id))
    found = list(c.execute(query).scalars())
    if not found:
        raise NotFound(f"Security group {name_or_id} not found for project {project_id}.")
    if len(found) > 1 and name_or_id not in found:
        raise Conflict(f"Multiple security groups are named {name_or_id}: use an id ({', '.join(found)}).")
    return name_or_id if name_or_id in found else str(found[0])
