"""What has happened, for operators and for bills: migrations, usage, audits of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import or_, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.api.render import iso, next_link
from clearsky.compute.schema.servers import holding
from clearsky.db.paging import limit_of, page
from clearsky.errors import Invalid, NotFound

routes = Routes()

# -- migrations -------------------------------------------------------------------------------------------------


def _migration(call: Call, row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row.id,
        "instance_uuid": row.server_id,
        "status": row.status,
        "source_compute": row.source,
        "source_node": row.source,
        "dest_compute": row.target,
        "dest_node": row.target,
        "dest_host": None,
        "old_instance_type_id": None,
        "new_instance_type_id": None,
        "created_at": iso(row.created_at, fraction=True),
        "updated_at": iso(row.updated_at, fraction=True),
    }
    if call.version >= (2, 23):
        shown["migration_type"] = row.type
    if call.version >= (2, 59):
        shown["uuid"] = row.uuid
    if call.version >= (2, 80):
        shown |= {"user_id": row.user_id, "project_id": row.project_id}
    return shown


@routes.get("/v2.1/os-migrations", rule="os_compute_api:os-migrations:index", response=holding("migrations"))
def list_migrations(call: Call) -> Reply:
    """List the moves and resizes of servers, newest first."""
    m, query = t.migrations.c, call.query
    columns = {"instance_uuid": m.server_id, "status": m.status, "migration_type": m.type}
    if call.version >= (2, 80):
        columns |= {"user_id": m.user_id, "project_id": m.project_id}
    found = select(t.migrations).where(*(c == query[name] for name, c in columns.items() if name in query))
    if "host" in query:
        found = found.where(or_(m.source == query["host"], m.target == query["host"]))
    if "source_compute" in query:
        found = found.where(m.source == query["source_compute"])
    for name, since in (("changes-since", (2, 59)), ("changes-before", (2, 66))):
        if name in query and call.version >= since:
            at = when(name, query[name])
            found = found.where(m.updated_at >= at if name == "changes-since" else m.updated_at <= at)
    limit, marker = call.house.config.api.page_limit, None
    with call.house.db.read() as c:
        if call.version >= (2, 59):
            limit = limit_of(query.get("limit"), limit)
            if "marker" in query:
                row = c.execute(select(t.migrations).where(m.uuid == query["marker"])).first()
                if row is None:
                    raise Invalid(f"Marker {query['marker']:.80} could not be found.")
                marker = [row.created_at, row.id]
        rows = list(c.execute(page(found, [(m.created_at, False), (m.id, False)], marker, limit)))
    shown = [_migration(call, row) for row in rows]
    more = next_link(call, "migrations", shown, limit, "uuid") if call.version >= (2, 59) else {}
    return Reply({"migrations": shown} | more)


@routes.get(
    "/v2.1/servers/{server_id}/migrations",
    rule="os_compute_api:servers:migrations:index",
    since=(2, 23),
    response=holding("migrations"),
)
def list_server_migrations(call: Call) -> Reply:
    """List a server's live migrations that are under way: there are none, as there is one host."""
    with call.house.db.read() as c:
        store.server(c, call.scope, call.params["server_id"])
    return Reply({"migrations": []})


def when(name: str, text: str) -> float:
    """Parse an ISO 8601 time; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"Invalid input for query parameters {name}. Value: {text!r:.60} is no time") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


# -- usage ------------------------------------------------------------------------------------------------------

_DAY_S, _HOUR_S = 86400.0, 3600.0


def _period(call: Call) -> tuple[float, float]:
    """Return the asked period: the last four weeks by default."""
    now = time.time()
    start = when("start", call.query["start"]) if "start" in call.query else now - 28 * _DAY_S
    end = when("end", call.query["end"]) if "end" in call.query else now
    if start >= end:
        raise Invalid("Invalid start time. The start time cannot occur after the end time.")
    return start, end


def _usages(call: Call, project_id: str | None) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return project -> usage in the period, and the link to the next page."""
    start, end = _period(call)
    s, paged = t.servers.c, call.version >= (2, 40)
    limit = limit_of(call.query.get("limit") if paged else None, 2**31 - 1)
    query = select(t.servers).where(
        s.launched_at.is_not(None),
        s.launched_at < end,
        or_(s.terminated_at.is_(None), s.terminated_at > start),
    )
    if project_id is not None:
        query = query.where(s.project_id == project_id)
    with call.house.db.read() as c:
        marker = None
        if paged and "marker" in call.query:
            try:
                row = store.server(c, call.scope, call.query["marker"], deleted=True)
            except NotFound as error:
                raise Invalid(f"marker [{call.query['marker']:.80}] not found") from error
            marker = [row.project_id, row.launched_at, row.id]
        order = [(s.project_id, True), (s.launched_at, True), (s.id, True)]
        rows = list(c.execute(page(query, order, marker, limit if paged else None)))
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        _add(found, row, start, end)
    more = {}
    if paged and rows and len(rows) == limit:
        name = "tenant_usages" if project_id is None else "tenant_usage"
        more = next_link(call, name, [{"id": row.id} for row in rows], limit)
    return found, more


def _add(found: dict[str, dict[str, Any]], row: Any, start: float, end: float) -> None:
    own = found.setdefault(
        row.project_id,
        {
            "tenant_id": row.project_id,
            "start": _plain(start),
            "stop": _plain(end),
            "total_hours": 0.0,
            "total_local_gb_usage": 0.0,
            "total_memory_mb_usage": 0.0,
            "total_vcpus_usage": 0.0,
            "server_usages": [],
        },
    )
    until = min(end, row.terminated_at or end)
    hours = max(0.0, until - max(start, row.launched_at)) / _HOUR_S
    disk = row.flavor["disk_gib"] + row.flavor["ephemeral_gib"]
    own["total_hours"] += hours
    own["total_local_gb_usage"] += disk * hours
    own["total_memory_mb_usage"] += row.ram_mib * hours
    own["total_vcpus_usage"] += row.vcpus * hours
    own["server_usages"].append(
        {
            "instance_id": row.id,
            "name": row.name,
            "tenant_id": row.project_id,
            "flavor": row.flavor["name"],
            "hours": hours,
            "local_gb": disk,
            "memory_mb": row.ram_mib,
            "vcpus": row.vcpus,
            "started_at": _plain(row.launched_at),
            "ended_at": _plain(row.terminated_at) if row.terminated_at else None,
            "state": "terminated" if row.terminated_at else row.vm_state,
            "uptime": int((row.terminated_at or time.time()) - row.launched_at),
        }
    )


def _plain(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


@routes.get(
    "/v2.1/os-simple-tenant-usage",
    rule="os_compute_api:os-simple-tenant-usage:list",
    response=holding("tenant_usages"),
)
def list_usages(call: Call) -> Reply:
    """List what all projects have used in a period."""
    found, more = _usages(call, None)
    if call.query.get("detailed") != "1":
        for usage in found.values():
            del usage["server_usages"]
    return Reply({"tenant_usages": list(found.values())} | more)


@routes.get(
    "/v2.1/os-simple-tenant-usage/{project_id}",
    rule="os_compute_api:any_token",
    response=holding("tenant_usage"),
)
def show_usage(call: Call) -> Reply:
    """Show what a project has used in a period, server by server."""
    project_id = call.params["project_id"]
    call.authorize("os_compute_api:os-simple-tenant-usage:show", project_id=project_id)
    found, more = _usages(call, project_id)
    return Reply({"tenant_usage": found.get(project_id, {})} | more)


# -- audits -----------------------------------------------------------------------------------------------------

_AUDIT = "/v2.1/os-instance_usage_audit_log"


def _audit(call: Call, before: float) -> dict[str, Any]:
    """Show the audits of the month before `before`: none has run, as usage is counted when it is asked for."""
    first = datetime.fromtimestamp(before, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    previous = first.replace(year=first.year - (first.month == 1), month=first.month - 1 or 12)
    with call.house.db.read() as c:
        hosts = [host.name for host in store.hosts(c)]
    return {
        "period_beginning": previous.strftime("%Y-%m-%d %H:%M:%S"),
        "period_ending": first.strftime("%Y-%m-%d %H:%M:%S"),
        "num_hosts": len(hosts),
        "num_hosts_done": 0,
        "num_hosts_running": 0,
        "num_hosts_not_run": len(hosts),
        "hosts_not_run": hosts,
        "total_instances": 0,
        "total_errors": 0,
        "overall_status": f"0 of {len(hosts)} hosts done. 0 errors.",
        "log": {},
    }


@routes.get(
    _AUDIT,
    rule="os_compute_api:os-instance-usage-audit-log:list",
    response=holding("instance_usage_audit_logs"),
)
def list_audits(call: Call) -> Reply:
    """Show the audits of usage of the last whole month."""
    return Reply({"instance_usage_audit_logs": _audit(call, time.time())})


@routes.get(
    _AUDIT + "/{before}",
    rule="os_compute_api:os-instance-usage-audit-log:show",
    response=holding("instance_usage_audit_log"),
)
def show_audits(call: Call) -> Reply:
    """Show the audits of usage of the last whole month before a time."""
    text = call.params["before"]
    try:
        before = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError) as error:
        raise Invalid(f"Invalid timestamp for date {text:.60}") from error
    return Reply({"instance_usage_audit_log": _audit(call, before)})
