"""Tags of every resource that has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid, NotFound
from clearsky.network import store
from clearsky.network.api import kit
from clearsky.network.api.address_groups import GROUP as ADDRESS_GROUP
from clearsky.network.api.floating_ips import FLOATING
from clearsky.network.api.networks import NETWORK
from clearsky.network.api.ports import PORT
from clearsky.network.api.qos import POLICY
from clearsky.network.api.routers import ROUTER
from clearsky.network.api.security_group_rules import RULE
from clearsky.network.api.security_groups import GROUP
from clearsky.network.api.segment_ranges import RANGE
from clearsky.network.api.subnetpools import POOL
from clearsky.network.api.subnets import SUBNET
from clearsky.network.api.trunks import TRUNK

routes = Routes()
_BODY = {
    "type": "object",
    "properties": {"tags": kit.TAGS},
    "required": ["tags"],
    "additionalProperties": False,
}
_TAGS = Schema(_BODY)
TAGGED: Mapping[str, kit.Resource] = {
    "networks": NETWORK, "subnets": SUBNET, "ports": PORT, "routers": ROUTER, "floatingips": FLOATING,
    "security-groups": GROUP, "security-group-rules": RULE, "subnetpools": POOL, "address-groups": ADDRESS_GROUP,
    "trunks": TRUNK, "policies": POLICY, "network_segment_ranges": RANGE,
}  # fmt: skip


def _register(path: str, resource: kit.Resource) -> None:
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

    def more(call: Call) -> Reply:
        """Add several tags to a resource."""
        return _set(call, lambda tags: list(dict.fromkeys([*tags, *call.body["tags"]])))

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
    routes.post(base, rule=change, status=201, request=_TAGS, response=_TAGS)(more)
    routes.delete(base, rule=change)(clear)
    routes.get(base + "/{tag}", rule=get, status=204)(check)
    routes.put(base + "/{tag}", rule=change, status=201)(add)
    routes.delete(base + "/{tag}", rule=change)(remove)


def _has(tags: list[str], tag: str) -> list[str]:
    if tag not in tags:
        raise NotFound(f"Tag {tag} could not be found.", kind="TagNotFound")
    return tags


for _path, _resource in TAGGED.items():
    _register(_path, _resource)
