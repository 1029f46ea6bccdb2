"""Quotas of projects."""

from __future__ import annotations

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid
from clearsky.network import quotas
from clearsky.network import tables as t
from clearsky.network.api import kit

routes = Routes()
_LIMIT = {"type": ["integer", "string"]}
_QUOTA = Schema({"type": "object", "properties": {"quota": {"type": "object"}}, "required": ["quota"]})
_QUOTAS = Schema({"type": "object", "properties": {"quotas": {"type": "array"}}, "required": ["quotas"]})
_CHANGE = Schema(
    {
        "type": "object",
        "properties": {
            "quota": {
                "type": "object",
                "properties": dict.fromkeys(quotas.RESOURCES, _LIMIT),
                "additionalProperties": {"type": ["integer", "string", "null", "boolean"]},
            }
        },
        "required": ["quota"],
    }
)


@routes.get("/v2.0/quotas", rule="update_quota", response=_QUOTAS)
def list_quotas(call: Call) -> Reply:
    """List the projects whose quotas differ from the defaults."""
    with call.house.db.read() as c:
        ids = c.execute(select(t.quotas.c.project_id).distinct()).scalars().all()
        found = [quotas.limits(c, call.house, id) | {"project_id": id, "tenant_id": id} for id in ids]
    return Reply({"quotas": found})


@routes.get("/v2.0/quotas/{project_id}", rule="get_extension", response=_QUOTA)
def show_quota(call: Call) -> Reply:
    """Show a project's quotas."""
    call.authorize("get_quota", project_id=call.params["project_id"])
    with call.house.db.read() as c:
        return Reply({"quota": quotas.limits(c, call.house, call.params["project_id"])})


@routes.get("/v2.0/quotas/{project_id}/default", rule="get_extension", response=_QUOTA)
def show_default_quota(call: Call) -> Reply:
    """Show the default quotas."""
    call.authorize("get_quota", project_id=call.params["project_id"])
    return Reply({"quota": quotas.defaults(call.house.config.quota)})


@routes.get("/v2.0/quotas/{project_id}/details.json", rule="get_extension", response=_QUOTA)
@routes.get("/v2.0/quotas/{project_id}/details", rule="get_extension", response=_QUOTA)
def show_quota_details(call: Call) -> Reply:
    """Show a project's quotas with what is used of them."""
    id = call.params["project_id"]
    call.authorize("get_quota", project_id=id)
    with call.house.db.read() as c:
        limits = quotas.limits(c, call.house, id)
        found = {
            name: {"limit": limits[name], "used": quotas.used(c, id, name), "reserved": 0} for name in limits
        }
    return Reply({"quota": found})


@routes.put("/v2.0/quotas/{project_id}", rule="update_quota", request=_CHANGE, response=_QUOTA)
def update_quota(call: Call) -> Reply:
    """Set a project's quotas; -1 is no limit. One below what is in use needs `force`."""
    wanted = {}
    for name, value in call.body["quota"].items():
        if name in ("tenant_id", "project_id", "force", "check_limit"):
            continue
        if name not in quotas.RESOURCES:
            raise Invalid(
                f"Unrecognized attribute(s) '{name}': quotas are {', '.join(quotas.RESOURCES)}",
                kind="HTTPBadRequest",
            )
        text = str(value)
        if isinstance(value, bool) or not text.lstrip("-").isdigit() or not -1 <= int(text[:12]) < 2**31:
            raise Invalid(f"quota.{name} = {value!r}: a whole number from -1", kind="InvalidQuotaValue")
        wanted[name] = int(text)
    with call.house.db.write() as c:
        if not kit.truth(call.body["quota"].get("force")):
            _check_use(c, call.params["project_id"], wanted)
        quotas.store(c, call.params["project_id"], wanted)
        return Reply({"quota": quotas.limits(c, call.house, call.params["project_id"])})


def _check_use(c: Connection, project_id: str, wanted: dict[str, int]) -> None:
    for name, limit in wanted.items():
        if limit >= 0 and (have := quotas.used(c, project_id, name)) > limit:
            raise Invalid(
                f"Quota limit {limit} for {name} must be greater than or equal to already used {have}. "
                "To set it all the same: force = true.",
                kind="HTTPBadRequest",
            )


@routes.delete("/v2.0/quotas/{project_id}", rule="delete_quota")
def delete_quota(call: Call) -> Reply:
    """Give a project the default quotas again."""
    with call.house.db.write() as c:
        quotas.reset(c, call.params["project_id"])
    return Reply()
