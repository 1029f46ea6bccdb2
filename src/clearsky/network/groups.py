"""Security groups: the default one of each project, and finding one by name or id."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select

from clearsky.db.engine import lock
from clearsky.errors import Conflict, NotFound
from clearsky.network import store
from clearsky.network import tables as t

DEFAULT = "default"


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
    }
    row = store.create(c, t.security_groups, values)
    for ethertype in ("IPv4", "IPv6"):
        common = {"project_id": project_id, "security_group_id": row.id, "ethertype": ethertype}
        store.create(c, t.rules, common | {"direction": "egress"})
        store.create(c, t.rules, common | {"direction": "ingress", "remote_group_id": row.id})
    return row


def add_egress(c: Connection, group: Any) -> None:
    """Give a new group what upstream gives it: everything may go out."""
    for ethertype in ("IPv4", "IPv6"):
        values = {"project_id": group.project_id, "security_group_id": group.id, "ethertype": ethertype}
        store.create(c, t.rules, values | {"direction": "egress"})


def resolve(c: Connection, project_id: str, name_or_id: str) -> str:
    """Return the id of one of the project's groups; raises NotFound, and Conflict for a name that several have."""
    if name_or_id == DEFAULT:
        return str(ensure_default(c, project_id).id)
    g = t.security_groups.c
    query = select(g.id).where(g.project_id == project_id, or_(g.id == name_or_id, g.name == name_or_id))
    found = list(c.execute(query).scalars())
    if not found:
        raise NotFound(f"Security group {name_or_id} not found for project {project_id}.")
    if len(found) > 1 and name_or_id not in found:
        raise Conflict(f"Multiple security groups are named {name_or_id}: use an id ({', '.join(found)}).")
    return name_or_id if name_or_id in found else str(found[0])
