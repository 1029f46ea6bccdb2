"""Limits and quotas: counted from rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.schema.servers import holding
from clearsky.db.engine import lock
from clearsky.errors import QuotaExceeded
from clearsky.house import House

routes = Routes()
_LIMIT = {"type": ["integer", "string"], "pattern": "^-?[0-9]{1,9}$", "minimum": -1, "maximum": 2147483647}
_NAMES = ("instances", "cores", "ram", "key_pairs", "metadata_items", "server_groups", "server_group_members")
_UPDATE = Schema(
    {
        "type": "object",
        "properties": {
            "quota_set": {
                "type": "object",
                "properties": dict.fromkeys(_NAMES, _LIMIT) | {"force": {"type": ["boolean", "string"]}},
                "additionalProperties": False,
            }
        },
        "required": ["quota_set"],
    }
)


def defaults(house: House) -> dict[str, int]:
    quota = house.config.quota
    return {name: getattr(quota, "ram_mib" if name == "ram" else name) for name in _NAMES}


def limits(c: Connection, house: House, project_id: str) -> dict[str, int]:
    return defaults(house) | store.limits(c, project_id)


def check(c: Connection, house: House, project_id: str, wanted: dict[str, int]) -> None:
    """Raise QuotaExceeded where `wanted` more (instances, cores, ram) is too much."""
    lock(c, f"compute-quota:{project_id}")
    allowed, used = limits(c, house, project_id), store.usage(c, project_id)
    over = [name for name, more in wanted.items() if 0 <= allowed[name] < used[name] + more]
    if over:
        told = ", ".join(
            f"{name}: requested {wanted[name]}, used {used[name]} of {allowed[name]}" for name in over
        )
        raise QuotaExceeded(f"Quota exceeded for {told}")


@routes.get("/v2.1/limits", rule="os_compute_api:limits", response=holding("limits"))
def show_limits(call: Call) -> Reply:
    """Show the caller's limits and what is used of them."""
    project_id = call.caller.project_id or ""
    if call.scope is None:
        project_id = call.query.get("tenant_id", project_id)
    with call.house.db.read() as c:
        allowed, used = limits(c, call.house, project_id), store.usage(c, project_id)
    absolute = {
        "maxTotalInstances": allowed["instances"],
        "maxTotalCores": allowed["cores"],
        "maxTotalRAMSize": allowed["ram"],
        "maxServerMeta": allowed["metadata_items"],
        "maxTotalKeypairs": allowed["key_pairs"],
        "maxServerGroups": allowed["server_groups"],
        "maxServerGroupMembers": allowed["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": 0,
    }
    if call.version < (2, 57):
        absolute |= {"maxImageMeta": allowed["metadata_items"], "maxPersonality": 0, "maxPersonalitySize": 0}
    if call.version < (2, 36):
        absolute |= {
            "maxSecurityGroups": -1,
            "maxSecurityGroupRules": -1,
            "maxTotalFloatingIps": -1,
            "totalFloatingIpsUsed": 0,
            "totalSecurityGroupsUsed": 0,
        }
    return Reply({"limits": {"rate": [], "absolute": absolute}})


def _set(call: Call, project_id: str, values: dict[str, Any]) -> dict[str, Any]:
    shown = {"id": project_id} | values
    if call.version < (2, 57):
        shown |= dict.fromkeys(
            ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes"), -1
        )
    if call.version < (2, 36):
        shown |= dict.fromkeys(("fixed_ips", "floating_ips", "security_groups", "security_group_rules"), -1)
    return shown


def _quota(call: Call) -> Reply:
    """Show a project's quotas."""
    project_id = call.params["project_id"]
    call.authorize("os_compute_api:os-quota-sets:show", project_id=project_id)
    with call.house.db.read() as c:
        return Reply({"quota_set": _set(call, project_id, limits(c, call.house, project_id))})


routes.get(
    "/v2.1/os-quota-sets/{project_id}", rule="os_compute_api:any_token", response=holding("quota_set")
)(_quota)


@routes.get(
    "/v2.1/os-quota-sets/{project_id}/defaults",
    rule="os_compute_api:any_token",
    response=holding("quota_set"),
)
def show_defaults(call: Call) -> Reply:
    """Show the default quotas."""
    return Reply({"quota_set": _set(call, call.params["project_id"], dict(defaults(call.house)))})


@routes.get(
    "/v2.1/os-quota-sets/{project_id}/detail", rule="os_compute_api:any_token", response=holding("quota_set")
)
def show_detail(call: Call) -> Reply:
    """Show a project's quotas with what is used of them."""
    project_id = call.params["project_id"]
    call.authorize("os_compute_api:os-quota-sets:show", project_id=project_id)
    with call.house.db.read() as c:
        allowed, used = limits(c, call.house, project_id), store.usage(c, project_id)
    full = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in allowed.items()
    }
    shown = {
        name: value if isinstance(value, dict | str) else {"limit": value, "in_use": 0, "reserved": 0}
        for name, value in _set(call, project_id, full).items()
    }
    return Reply({"quota_set": shown})


@routes.put(
    "/v2.1/os-quota-sets/{project_id}",
    rule="os_compute_api:os-quota-sets:update",
    request=_UPDATE,
    response=holding("quota_set"),
)
def update_quota(call: Call) -> Reply:
    """Set a project's quotas; -1 is no limit."""
    project_id = call.params["project_id"]
    wanted = {name: int(value) for name, value in call.body["quota_set"].items() if name != "force"}
    q = t.quotas.c
    with call.house.db.write() as c:
        for name, limit in wanted.items():
            c.execute(delete(t.quotas).where(q.project_id == project_id, q.resource == name))
            c.execute(insert(t.quotas).values(project_id=project_id, resource=name, limit_=limit))
        shown = _set(call, project_id, limits(c, call.house, project_id))
    del shown["id"]
    return Reply({"quota_set": shown})


@routes.delete("/v2.1/os-quota-sets/{project_id}", rule="os_compute_api:os-quota-sets:update", status=202)
def delete_quota(call: Call) -> Reply:
    """Give a project the default quotas again."""
    with call.house.db.write() as c:
        c.execute(delete(t.quotas).where(t.quotas.c.project_id == call.params["project_id"]))
    return Reply()
