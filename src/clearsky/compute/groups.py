"""Server groups: which hosts the policy of a server's group leaves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, select

from clearsky.compute import tables as t
from clearsky.errors import NotFound

POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
s, g = t.servers.c, t.server_groups.c


def get(c: Connection, scope: str | None, id: str) -> Any:
    """Return a group that the project may see; raises NotFound."""
    query = select(t.server_groups).where(g.id == id)
    if scope is not None:
        query = query.where(g.project_id == scope)
    row = c.execute(query).first()
    if row is None:
        raise NotFound(f"Instance group {id} could not be found.")
    return row


def members(c: Connection, ids: list[str]) -> dict[str, list[Any]]:
    """Return group -> its servers (id, host, user_id)."""
    found: dict[str, list[Any]] = {}
    query = select(s.id, s.host, s.user_id, s.group_id).where(s.group_id.in_(ids), s.deleted.is_(False))
    for row in c.execute(query.order_by(s.created_at)):
        found.setdefault(row.group_id, []).append(row)
    return found


def count_members(c: Connection, id: str, user_id: str) -> int:
    query = select(func.count()).select_from(t.servers)
    where = (s.group_id == id, s.user_id == user_id, s.deleted.is_(False))
    return int(c.execute(query.where(*where)).scalar_one())


def judge(c: Connection, row: Any) -> Callable[[str], tuple[str, int]]:
    """Return a function of a host's name: why the group's policy excludes it (empty: it does not), and how little
    it suits a soft policy (0: best).
    """
    group = None
    if row.group_id:
        group = c.execute(select(t.server_groups).where(g.id == row.group_id)).first()
    if group is None:
        return lambda _: ("", 0)
    there = Counter(
        one.host for one in members(c, [group.id]).get(group.id, []) if one.host and one.id != row.id
    )
    most = int(group.rules.get("max_server_per_host", 1))

    def verdict(host: str) -> tuple[str, int]:
        if group.policy == "affinity" and there and host not in there:
            return f"affinity policy of server group {group.id}", 0
        if group.policy == "anti-affinity" and there[host] >= most:
            return f"anti-affinity policy of server group {group.id}", 0
        soft = {"soft-affinity": -there[host], "soft-anti-affinity": there[host]}
        return "", soft.get(group.policy, 0)

    return verdict
