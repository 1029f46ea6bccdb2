"""Limits and quotas: counted from rows."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Connection, delete, insert

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.schema.servers import holding
from clearsky.db.engine import lock
from clearsky.errors import Invalid, NotFound, QuotaExceeded
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
                "properties": dict.fromkeys(_NAMES, _LIMIT)
                | dict.fromkeys(
                    ("fixed_ips", "floating_ips", "security_groups", "security_group_rules"),
                    _LIMIT | {"until": (2, 35)},
                )
                | dict.fromkeys(
                    ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes"),
                    _LIMIT | {"until": (2, 56)},
                )
                | {"force": {"type": ["boolean", "string"]}},
                "additionalProperties": False,
            }
        },
        "required": ["quota_set"],
    }
)


def defaults(house: House) -> dict[str, int]:
    quota = house.config.quota
    return {name: getattr(quota, "ram_mib" if name == "ram" else name) for name in _NAMES}


def limits(c: Connection, house: House, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """Return what a project may have: its own limits, else those of the class, else the settings'.

    A user's own limits count where they are asked for.
    """
    found = store.limits(
        c, [DEFAULT_CLASS, project_id, *([_of_user(project_id, user_id)] if user_id else [])]
    )
    return defaults(house) | found


DEFAULT_CLASS = "class:default"
"""Stands in a project's place for the limits of all projects that have none of their own."""


def _of_user(project_id: str, user_id: str) -> str:
    return hashlib.sha256(f"{project_id}/{user_id}".encode()).hexdigest()


def check(c: Connection, house: House, project_id: str, wanted: dict[str, int], user_id: str) -> None:
    """Raise QuotaExceeded where `wanted` more (instances, cores, ram) is too much, for the project or this user."""
    if not wanted:
        return
    lock(c, f"compute-quota:{project_id}")
    allowed, used = limits(c, house, project_id), store.usage(c, project_id)
    over = [name for name, more in wanted.items() if 0 <= allowed[name] < used[name] + more]
    if not over and (own := store.limits(c, [_of_user(project_id, user_id)])):
        used, allowed = store.usage(c, project_id, user_id), allowed | own
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
        group_count = store.group_count(c, project_id)
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
        "totalServerGroupsUsed": group_count,
    }
    if call.version < (2, 57):
        absolute |= {"maxPersonality": 0, "maxPersonalitySize": 0}
    if call.version < (2, 39):
        absolute |= {"maxImageMeta": allowed["metadata_items"]}
    if call.version < (2, 36):
        absolute |= {
            "maxSecurityGroups": -1,
            "maxSecurityGroupRules": -1,
            "maxTotalFloatingIps": -1,
            "totalFloatingIpsUsed": 0,
            "totalSecurityGroupsUsed": 0,
        }
    return Reply({"limits": {"rate": [], "absolute": absolute}})


_FILES = ("injected_files", "injected_file_content_bytes", "injected_file_path_bytes")
_NETWORK = ("fixed_ips", "floating_ips", "security_groups", "security_group_rules")


def _set(call: Call, id: str | None, values: dict[str, Any], *, of_class: bool = False) -> dict[str, Any]:
    """Show quotas; what other services count, or nobody does, has no limit here but the one that was set."""
    names = [*_NAMES]
    if of_class and call.version < (2, 50):
        names = [name for name in names if not name.startswith("server_group")]
    if call.version < (2, 57):
        names += _FILES
    if call.version < ((2, 50) if of_class else (2, 36)):
        names += _NETWORK
    other: Any = {"limit": -1, "in_use": 0, "reserved": 0} if _is_detail(values) else -1
    return ({"id": id} if id is not None else {}) | {name: values.get(name, other) for name in names}


def _is_detail(values: dict[str, Any]) -> bool:
    return any(isinstance(value, dict) for value in values.values())


def _user(call: Call) -> str | None:
    return call.query.get("user_id") or None


_ONE = "/v2.1/os-quota-sets/{project_id}"


def _may_see(call: Call) -> str:
    project_id = call.params["project_id"]
    call.authorize("os_compute_api:os-quota-sets:show", project_id=project_id)
    return project_id


@routes.get(_ONE, rule="os_compute_api:any_token", response=holding("quota_set"))
def show_quota(call: Call) -> Reply:
    """Show a project's quotas, or one user's in it."""
    project_id = _may_see(call)
    with call.house.db.read() as c:
        return Reply({"quota_set": _set(call, project_id, limits(c, call.house, project_id, _user(call)))})


@routes.get(_ONE + "/defaults", rule="os_compute_api:any_token", response=holding("quota_set"))
def show_defaults(call: Call) -> Reply:
    """Show the quotas of a project that has none of its own."""
    with call.house.db.read() as c:
        values = defaults(call.house) | store.limits(c, [DEFAULT_CLASS])
    return Reply({"quota_set": _set(call, call.params["project_id"], values)})


@routes.get(_ONE + "/detail", rule="os_compute_api:any_token", response=holding("quota_set"))
def show_detail(call: Call) -> Reply:
    """Show a project's quotas with what is used of them."""
    project_id = _may_see(call)
    with call.house.db.read() as c:
        allowed = limits(c, call.house, project_id, _user(call))
        used = store.usage(c, project_id, _user(call)) | {"server_groups": store.group_count(c, project_id)}
    full = {
        name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in allowed.items()
    }
    return Reply({"quota_set": _set(call, project_id, full)})


@routes.put(_ONE, rule="os_compute_api:os-quota-sets:update", request=_UPDATE, response=holding("quota_set"))
def update_quota(call: Call) -> Reply:
    """Set a project's quotas, or one user's in it; -1 is no limit."""
    project_id, user_id = call.params["project_id"], _user(call)
    body = dict(call.body["quota_set"])
    force = str(body.pop("force", False)).lower() in ("true", "1", "yes", "on", "t", "y")
    wanted = {name: int(value) for name, value in body.items()}
    with call.house.db.write() as c:
        used, whole = store.usage(c, project_id, user_id), limits(c, call.house, project_id)
        for name, limit in wanted.items():
            if not force and 0 <= limit < used.get(name, 0):
                raise Invalid(
                    f"Quota value {limit} for {name} must be greater than or equal to already used "
                    f"{used[name]}; force sets it all the same"
                )
            if user_id and whole[name] >= 0 and not -1 < limit <= whole[name]:
                raise Invalid(f"Quota limit {limit} for {name} must be less than or equal to {whole[name]}.")
        _write(c, _of_user(project_id, user_id) if user_id else project_id, wanted)
        shown = _set(call, None, limits(c, call.house, project_id, user_id))
    return Reply({"quota_set": shown})


def _write(c: Connection, owner: str, wanted: dict[str, int]) -> None:
    q = t.quotas.c
    for name, limit in wanted.items():
        c.execute(delete(t.quotas).where(q.project_id == owner, q.resource == name))
        c.execute(insert(t.quotas).values(project_id=owner, resource=name, limit_=limit))


@routes.delete(_ONE, rule="os_compute_api:os-quota-sets:delete", status=202)
def delete_quota(call: Call) -> Reply:
    """Give a project, or one user in it, the default quotas again."""
    project_id, user_id = call.params["project_id"], _user(call)
    owner = _of_user(project_id, user_id) if user_id else project_id
    with call.house.db.write() as c:
        c.execute(delete(t.quotas).where(t.quotas.c.project_id == owner))
    return Reply()


# -- classes ----------------------------------------------------------------------------------------------------

_CLASS = "/v2.1/os-quota-class-sets/{id}"
_UPDATE_CLASS = Schema(
    {
        "type": "object",
        "properties": {
            "quota_class_set": {
                "type": "object",
                "properties": dict.fromkeys(_NAMES, _LIMIT)
                | dict.fromkeys(_NETWORK, _LIMIT | {"until": (2, 49)})
                | dict.fromkeys(_FILES, _LIMIT | {"until": (2, 56)}),
                "additionalProperties": False,
            }
        },
        "required": ["quota_class_set"],
    }
)


def _of_class(c: Connection, call: Call) -> dict[str, int]:
    return defaults(call.house) | (store.limits(c, [DEFAULT_CLASS]) if call.params["id"] == "default" else {})


@routes.get(_CLASS, rule="os_compute_api:os-quota-class-sets:show", response=holding("quota_class_set"))
def show_class(call: Call) -> Reply:
    """Show the quotas of a class; the class `default` is that of every project."""
    with call.house.db.read() as c:
        values = _of_class(c, call)
    return Reply({"quota_class_set": _set(call, call.params["id"], values, of_class=True)})


@routes.put(
    _CLASS,
    rule="os_compute_api:os-quota-class-sets:update",
    request=_UPDATE_CLASS,
    response=holding("quota_class_set"),
)
def update_class(call: Call) -> Reply:
    """Set the quotas of every project that has none of its own."""
    if call.params["id"] != "default":
        raise NotFound(f"There is no quota class {call.params['id']!r:.80}: there is default.")
    wanted = {name: int(value) for name, value in call.body["quota_class_set"].items()}
    with call.house.db.write() as c:
        _write(c, DEFAULT_CLASS, wanted)
        values = _of_class(c, call)
    return Reply({"quota_class_set": _set(call, None, values, of_class=True)})
