"""Lists of servers: filters, order, pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from clearsky.api.call import Call
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.api.pattern import Pattern
from clearsky.db.paging import limit_of, page
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.network import service as network


def truth(value: Any) -> bool:
    return str(value).lower() in ("true", "1", "yes", "on", "t", "y")


_STATES = {
    "ACTIVE": ("active", None), "BUILD": ("building", None), "ERROR": ("error", None), "SHUTOFF": ("stopped", None),
    "PAUSED": ("paused", None), "DELETED": ("deleted", None), "REBOOT": ("active", "rebooting"), "HARD_REBOOT": ("active", "rebooting_hard"),
}  # fmt: skip
_SORT = {
    "created_at": "created_at", "updated_at": "updated_at", "display_name": "name", "name": "name", "uuid": "id",
    "vm_state": "vm_state", "task_state": "task_state", "host": "host", "project_id": "project_id", "user_id": "user_id",
    "launched_at": "launched_at", "terminated_at": "terminated_at", "image_ref": "image_id", "instance_type_id": "id",
    "key_name": "key_name", "availability_zone": "availability_zone", "display_description": "description", "power_state": "power",
}  # fmt: skip
_EQUAL = {"host": "host", "node": "host", "key_name": "key_name", "availability_zone": "availability_zone",
          "reservation_id": "reservation_id", "uuid": "id", "launch_index": "launch_index"}  # fmt: skip


def _time(name: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{name} = {text!r:.60} is no ISO 8601 time") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _filters(call: Call) -> list[Any]:
    s, query, wanted = t.servers.c, call.query, []
    everyone = call.scope is None and ("all_tenants" in query and truth(query["all_tenants"] or "1"))
    if (
        "all_tenants" in query
        and query["all_tenants"]
        and query["all_tenants"].lower() not in ("true", "false", "1", "0", "t", "f", "yes", "no")
    ):
        raise Invalid(
            f"Invalid input for query parameters all_tenants. Value: {query['all_tenants']:.40}. It is a boolean."
        )
    if (
        "all_tenants" in query
        and not everyone
        and call.scope is not None
        and truth(query["all_tenants"] or "1")
    ):
        raise Forbidden("Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.")
    if not everyone:
        wanted.append(s.project_id == (call.caller.project_id or ""))
    elif project := query.get("project_id") or query.get("tenant_id"):
        wanted.append(s.project_id == project)
    asked_deleted = call.scope is None and (
        truth(query.get("deleted", "")) or query.get("status", "").upper() == "DELETED"
    )
    if "changes-since" in query:
        wanted.append(s.updated_at >= _time("changes-since", query["changes-since"]))
    elif "changes-before" not in query or call.version < (2, 66):
        wanted.append(s.deleted.is_(asked_deleted))
    if call.version >= (2, 66) and "changes-before" in query:
        wanted.append(s.updated_at <= _time("changes-before", query["changes-before"]))
    if states := query.getlist("status"):
        wanted.append(_by_status([state.upper() for state in states]))
    if states := query.getlist("vm_state"):
        wanted.append(s.vm_state.in_(states))
    if names := query.getlist("name"):
        wanted += [_like(s.name, name) for name in names if _PLAIN.fullmatch(name)]
    if user := query.get("user_id"):
        wanted.append(s.user_id == user)
    for key, name in (("image", "image_id"), ("flavor", "id")):
        if key == "image" and key in query:
            wanted.append(s[name] == query[key])
    if call.scope is None or call.version >= (2, 83):
        wanted += [s[column] == query[key] for key, column in _EQUAL.items() if key in query]
    if "locked" in query and call.version >= (2, 73):
        wanted.append(s.locked.is_(truth(query["locked"])))
    return wanted


def _by_status(states: list[str]) -> Any:
    s = t.servers.c
    vm_states = [_STATES[state][0] for state in states if state in _STATES]
    found = s.vm_state.in_(vm_states)
    if "ACTIVE" in states:
        return found & (s.task_state.is_(None) | s.task_state.not_in(("rebooting", "rebooting_hard")))
    tasks = [task for state in states if state in _STATES and (task := _STATES[state][1])]
    return found & s.task_state.in_(tasks) if tasks else found


_PLAIN = re.compile(r"\^?[\w -]*\$?")
"""What needs no more than LIKE."""


def _like(column: Any, pattern: str) -> Any:
    """Filter by a text that may be held to the beginning and the end."""
    text = pattern.removeprefix("^").removesuffix("$").replace("/", "//").replace("_", "/_")
    start, end = "" if pattern.startswith("^") else "%", "" if pattern.endswith("$") else "%"
    return column.like(start + text + end, escape="/")


@cache
def _own(*, brief: bool) -> Select[Any]:
    """Return the list that most clients ask for, without a word in the query; made once: that takes long."""
    s = t.servers.c
    query = select(*((s.id, s.name) if brief else s)).where(
        s.project_id == bindparam("project_id"), s.deleted.is_(False)
    )
    return page(query, [(s.created_at, False), (s.id, False)], None, None).limit(bindparam("most"))


def rows(call: Call, *, brief: bool = False) -> tuple[list[Any], int]:
    """Return the servers that the query asks for (`brief`: at least id and name), and the length of a page."""
    s = t.servers.c
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    if not call.query:
        with call.house.db.read() as c:
            asked = {"project_id": call.caller.project_id or "", "most": limit}
            return list(c.execute(_own(brief=brief), asked)), limit
    keys, ways = call.query.getlist("sort_key"), call.query.getlist("sort_dir")
    sort: list[tuple[Any, bool]] = []
    for index, key in enumerate(keys):
        way = ways[index] if index < len(ways) else "desc"
        if key not in _SORT or way not in ("asc", "desc"):
            raise Invalid(
                f"sort_key = {key!r:.40}, sort_dir = {way!r:.10}: keys are {', '.join(_SORT)}; directions asc and desc"
            )
        sort.append((s[_SORT[key]], way == "asc"))
    way = ways[0] if ways and not keys else "desc"
    if not keys:
        sort.append((s.created_at, way == "asc"))
    sort.append((s.id, way == "asc"))
    query = select(t.servers).where(*_filters(call))
    with call.house.db.read() as c:
        marker = None
        if "marker" in call.query:
            try:
                row = store.server(c, call.scope, call.query["marker"], deleted=True)
            except NotFound as error:
                raise Invalid(f"marker [{call.query['marker']:.80}] not found") from error
            marker = [getattr(row, column.name) for column, _ in sort]
        later = _tag_filters(call) or any(name in call.query for name in ("ip", "ip6", "flavor"))
        patterns = [Pattern(name) for name in call.query.getlist("name") if not _PLAIN.fullmatch(name)]
        later = later or bool(patterns)
        if brief and not later:
            query = query.with_only_columns(s.id, s.name)
        found = list(c.execute(page(query, sort, marker, None if later else limit)))
        if later:
            found = [row for row in found if all(one.found_in(row.name) for one in patterns)]
            found = _narrow(c, call, found)[:limit]
    return found, limit


def _tag_filters(call: Call) -> bool:
    return call.version >= (2, 26) and any(
        name in call.query for name in ("tags", "tags-any", "not-tags", "not-tags-any")
    )


def _narrow(c: Any, call: Call, rows: list[Any]) -> list[Any]:
    query = call.query
    if "flavor" in query:
        rows = [row for row in rows if row.flavor["id"] == query["flavor"]]
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        if name in query and call.version >= (2, 26):
            wanted, any_of, negated = (
                set(query[name].split(",")),
                name.endswith("any"),
                name.startswith("not"),
            )
            rows = [
                r
                for r in rows
                if (bool(wanted & set(r.tags)) if any_of else wanted <= set(r.tags)) != negated
            ]
    for name in ("ip", "ip6"):
        if name in query:
            ports = network.ports_of_servers(c, [row.id for row in rows])
            pattern = Pattern(query[name])
            rows = [
                r
                for r in rows
                if any(pattern.found_in(a.ip) for p in ports.get(r.id, []) for a in p.addresses)
            ]
    return rows
