"""Quotas of projects, tags of resources."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid, NotFound
from clearsky.network import quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.api.floating_ips import FLOATING
from clearsky.network.api.networks import NETWORK
from clearsky.network.api.ports import PORT
from clearsky.network.api.routers import ROUTER
from clearsky.network.api.security_groups import GROUP, RULE
from clearsky.network.api.subnets import SUBNET

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
    """Set a project's quotas; -1 is no limit."""
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
        quotas.store(c, call.params["project_id"], wanted)
        return Reply({"quota": quotas.limits(c, call.house, call.params["project_id"])})


@routes.delete("/v2.0/quotas/{project_id}", rule="delete_quota")
def delete_quota(call: Call) -> Reply:
    """Give a project the default quotas again."""
    with call.house.db.write() as c:
        quotas.reset(c, call.params["project_id"])
    return Reply()


# -- tags -------------------------------------------------------------------------------------------------------

_TAG = {"type": "string", "minLength": 1, "maxLength": 255}
_TAGS = Schema(
    {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": _TAG, "uniqueItems": True, "maxItems": 50}},
        "required": ["tags"],
        "additionalProperties": False,
    }
)
_TAGGED = {"networks": NETWORK, "subnets": SUBNET, "ports": PORT, "routers": ROUTER, "floatingips": FLOATING,
           "security-groups": GROUP, "security-group-rules": RULE}  # fmt: skip


def _register_tags(path: str, resource: kit.Resource) -> None:
    base, get, change = f"/v2.0/{path}/{{id}}/tags", f"get_{resource.name}", f"update_{resource.name}"

    def index(call: Call) -> Reply:
        """List a resource's tags."""
        with call.house.db.read() as c:
            return Reply({"tags": store.get(c, resource.table, call.scope, call.params["id"]).tags})

    def _set(call: Call, make: Any) -> Reply:
        with call.house.db.write() as c:
            row = kit.writable(c, resource, call, "update", call.params["id"])
            tags = make(list(row.tags))
            store.change(c, resource.table, row.id, {"tags": tags})
        return Reply({"tags": tags})

    def replace(call: Call) -> Reply:
        """Replace a resource's tags."""
        return _set(call, lambda _: call.body["tags"])

    def clear(call: Call) -> Reply:
        """Remove all tags of a resource."""
        _set(call, lambda _: [])
        return Reply()

    def check(call: Call) -> Reply:
        """Say whether a resource has a tag."""
        _has(index(call).body["tags"], call.params["tag"])
        return Reply()

    def add(call: Call) -> Reply:
        """Add a tag to a resource."""
        tag = call.params["tag"]
        if not 0 < len(tag) <= 255:
            raise Invalid("A tag has 1 to 255 characters.", kind="InvalidInput")
        _set(call, lambda tags: list(dict.fromkeys([*tags, tag])))
        return Reply()

    def remove(call: Call) -> Reply:
        """Remove a tag of a resource."""
        tag = call.params["tag"]
        _set(call, lambda tags: [one for one in _has(tags, tag) if one != tag])
        return Reply()

    routes.get(base, rule=get, response=_TAGS)(index)
    routes.put(base, rule=change, request=_TAGS, response=_TAGS)(replace)
    routes.delete(base, rule=change)(clear)
    routes.get(base + "/{tag}", rule=get, status=204)(check)
    routes.put(base + "/{tag}", rule=change, status=201)(add)
    routes.delete(base + "/{tag}", rule=change)(remove)


def _has(tags: list[str], tag: str) -> list[str]:
    if tag not in tags:
        raise NotFound(f"Tag {tag} could not be found.", kind="TagNotFound")
    return tags


for _path, _resource in _TAGGED.items():
    _register_tags(_path, _resource)
