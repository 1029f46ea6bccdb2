"""Subnet pools, and the address scopes that say which of them may be routed to each other without translation."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import pools, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import crud, kit

routes = Routes()

# -- address scopes ---------------------------------------------------------------------------------------------


def view_scopes(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    shared = kit.shared(c, rows, call)
    return [
        {
            "id": row.id,
            "name": row.name,
            "project_id": row.project_id,
            "tenant_id": row.project_id,
            "ip_version": row.ip_version,
            "shared": row.id in shared,
        }
        for row in rows
    ]


SCOPE = kit.Resource(
    "address_scope", "address_scopes", t.address_scopes, view_scopes,
    {"ip_version": {"enum": [4, 6, "4", "6"]}, "shared": kit.FLAG}, {"shared": kit.FLAG},
    required=("ip_version", "name"), object_type="address_scope",
)  # fmt: skip


def _create_scope(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    _shared_by_admins(call, body)
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {"project_id": kit.owner_of(call, body), "ip_version": int(body["ip_version"])}
    row = store.create(c, t.address_scopes, columns)
    if kit.truth(body.get("shared")):
        kit.share(c, SCOPE, row, wanted=True)
    return row


def _shared_by_admins(call: Call, body: dict[str, Any]) -> None:
    kit.only_admins(call, {"shared": 1} if kit.truth(body.get("shared")) else {}, "shared")


def _update_scope(call: Call, c: Connection, row: Any, body: dict[str, Any]) -> dict[str, Any]:
    if "shared" in body:
        kit.only_admins(call, body, "shared")
        if not kit.truth(body["shared"]) and store.shared_with(c, [row.id], store.EVERYBODY):
            raise Invalid(
                f"Unable to update address scope {row.id}: Shared address scope can't be unshared.",
                kind="AddressScopeUpdateError",
            )
        kit.share(c, SCOPE, row, body["shared"])
    return {}


def _delete_scope(call: Call, c: Connection, row: Any) -> None:
    p = t.subnetpools.c
    if users := c.execute(select(p.id).where(p.address_scope_id == row.id)).scalars().all():
        raise Conflict(
            f"Unable to complete operation on address scope {row.id}. There are one or more subnet pools in use on the address scope: {', '.join(users[:10])}.",
            kind="AddressScopeInUse",
        )


crud.register(
    routes, SCOPE, "/v2.0/address-scopes", "address scope",
    create=_create_scope, update=_update_scope, delete=_delete_scope,
)  # fmt: skip

# -- subnet pools -----------------------------------------------------------------------------------------------

_LENGTH = {"type": ["integer", "string", "null"], "minimum": 0, "maximum": 128, "pattern": "^[0-9]{1,3}$"}
_PREFIXES = {"type": "array", "items": kit.TEXT, "minItems": 1, "maxItems": 100}
_UPDATE = {
    "prefixes": _PREFIXES,
    "default_quota": {"type": ["integer", "string", "null"], "minimum": 0, "maximum": 2**62, "pattern": "^[0-9]{1,18}$"},
    "default_prefixlen": _LENGTH,
    "min_prefixlen": _LENGTH,
    "max_prefixlen": _LENGTH,
    "is_default": kit.FLAG,
    "address_scope_id": kit.OPTIONAL_UUID,
}  # fmt: skip
_LENGTHS = ("min_prefixlen", "default_prefixlen", "max_prefixlen")


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    shared = kit.shared(c, rows, call)
    names = ("ip_version", "prefixes", *_LENGTHS, "default_quota", "is_default", "address_scope_id")
    return [
        kit.standard(row)
        | {name: getattr(row, name) for name in names}
        | {"shared": row.id in shared}
        | {name: str(getattr(row, name)) for name in _LENGTHS}
        for row in rows
    ]


POOL = kit.Resource(
    "subnetpool", "subnetpools", t.subnetpools, view, _UPDATE | {"shared": kit.FLAG}, _UPDATE,
    required=("prefixes", "name"), object_type="subnetpool",
)  # fmt: skip
_SHOWN = POOL.shown()


def _prefixes(texts: list[str]) -> list[pools.Net]:
    nets = []
    for text in texts:
        try:
            nets.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            raise Invalid(
                f"Invalid input for prefixes. Reason: '{text}' is not a valid IP subnet.",
                kind="HTTPBadRequest",
            ) from error
    if len({net.version for net in nets}) > 1:
        raise Invalid("The subnet pool has prefixes of IPv4 and IPv6.", kind="PrefixVersionMismatch")
    if any(net.prefixlen == 0 for net in nets):
        raise Invalid("A prefix of length 0 is everything there is.", kind="InvalidInput")
    return pools.compact(nets)


def _lengths(body: dict[str, Any], version: int, have: dict[str, int]) -> dict[str, int]:
    """Return the three prefix lengths, checked against each other."""
    most = 32 if version == 4 else 128
    given = {name: int(body[name]) for name in _LENGTHS if body.get(name) is not None}
    result = {"min_prefixlen": 8 if version == 4 else 64, "max_prefixlen": most} | have | given
    result.setdefault("default_prefixlen", result["min_prefixlen"])
    low, middle, high = (result[name] for name in _LENGTHS)
    for name in _LENGTHS:
        if result[name] > most:
            raise Invalid(f"{name} = {result[name]}: at most {most} in IPv{version}", kind="InvalidInput")
    for one, name, other, against in (
        (low, "min_prefixlen", high, "max_prefixlen"),
        (middle, "default_prefixlen", high, "max_prefixlen"),
        (low, "min_prefixlen", middle, "default_prefixlen"),
    ):
        if one > other:
            raise Invalid(
                f"Illegal prefix bounds: {name}={one} is larger than {against}={other}.",
                kind="IllegalSubnetPoolPrefixBounds",
            )
    return result


def _scope(c: Connection, call: Call, id: str | None, version: int, pool: Any, nets: list[pools.Net]) -> None:
    """Raise unless the pool may be in the address scope: of its version, and with prefixes of its own there."""
    if id is None:
        return
    scope = store.get(c, t.address_scopes, call.scope, id)
    if scope.ip_version != version:
        raise Invalid(
            f"Illegal subnetpool association: subnetpool cannot associate with address scope {id} because subnetpool ip_version is not {scope.ip_version}.",
            kind="IllegalSubnetPoolIpVersionAssociation",
        )
    if (
        call.scope is not None
        and scope.project_id != call.scope
        and not store.shared_with(c, [id], call.scope)
    ):
        raise NotFound(f"Address scope {id} could not be found.", kind="AddressScopeNotFound")
    p = t.subnetpools.c
    query = select(t.subnetpools).where(p.address_scope_id == id, p.id != (pool.id if pool else ""))
    for other in c.execute(query):
        for text in other.prefixes:
            if any(net.overlaps(ipaddress.ip_network(text)) for net in nets):
                raise Conflict(
                    f"Failed to associate address scope: subnetpools within an address scope must have unique prefixes: {text} is in {other.id}.",
                    kind="AddressScopePrefixConflict",
                )


def _default(c: Connection, call: Call, body: dict[str, Any], version: int, pool: Any) -> dict[str, Any]:
    if "is_default" not in body:
        return {}
    wanted = kit.truth(body["is_default"])
    if wanted != (pool is not None and pool.is_default):
        kit.only_admins(call, body, "is_default")
    other = pools.default_of(c, version)
    if wanted and other is not None and (pool is None or other.id != pool.id):
        raise Conflict(
            f"A default subnetpool for this IP family has already been set: {other.id}.",
            kind="DefaultSubnetPoolExists",
        )
    return {"is_default": wanted}


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "subnetpool")
    _shared_by_admins(call, body)
    nets = _prefixes(body["prefixes"])
    version = nets[0].version
    scope_id = body.get("address_scope_id")
    _scope(c, call, scope_id, version, None, nets)
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= _lengths(body, version, {}) | _default(c, call, body, version, None)
    columns |= {
        "project_id": project_id,
        "ip_version": version,
        "prefixes": [str(net) for net in nets],
        "address_scope_id": scope_id,
    }
    if body.get("default_quota") is not None:
        columns["default_quota"] = int(body["default_quota"])
    row = store.create(c, t.subnetpools, columns)
    if kit.truth(body.get("shared")):
        kit.share(c, POOL, row, wanted=True)
    return row


def _update(call: Call, c: Connection, row: Any, body: dict[str, Any]) -> dict[str, Any]:
    columns: dict[str, Any] = _lengths(body, row.ip_version, {name: getattr(row, name) for name in _LENGTHS})
    columns |= _default(c, call, body, row.ip_version, row)
    nets = [ipaddress.ip_network(text) for text in row.prefixes]
    if "prefixes" in body:
        wanted = _prefixes(body["prefixes"])
        if wanted[0].version != row.ip_version or pools.compact([*wanted, *nets]) != wanted:
            raise Invalid(
                "Illegal update to prefixes: existing prefixes must be a subset of the new prefixes.",
                kind="IllegalSubnetPoolPrefixUpdate",
            )
        nets = wanted
    scope_id = body.get("address_scope_id", row.address_scope_id)
    _scope(c, call, scope_id, row.ip_version, row, nets)
    if "default_quota" in body:
        quota = body["default_quota"]
        columns["default_quota"] = None if quota is None else int(quota)
    return columns | {"prefixes": [str(net) for net in nets], "address_scope_id": scope_id}


def _delete(call: Call, c: Connection, row: Any) -> None:
    s = t.subnets.c
    if users := c.execute(select(s.id).where(s.subnetpool_id == row.id)).scalars().all():
        raise Conflict(
            f"Unable to delete subnet pool: Subnet pool has existing allocations: {', '.join(users[:10])}.",
            kind="SubnetPoolDeleteError",
        )


crud.register(
    routes, POOL, "/v2.0/subnetpools", "subnet pool", create=_create, update=_update, delete=_delete
)  # fmt: skip

# -- prefixes ---------------------------------------------------------------------------------------------------

_BODY = Schema(
    {
        "type": "object",
        "properties": {"prefixes": _PREFIXES},
        "required": ["prefixes"],
        "additionalProperties": False,
    }
)
_GIVEN = Schema({"type": "object", "properties": {"prefixes": {"type": "array"}}, "required": ["prefixes"]})


def _change(call: Call, make: Any) -> Reply:
    with call.house.db.write() as c:
        row = kit.writable(c, POOL, call, "update", call.params["id"])
        have = [ipaddress.ip_network(text) for text in row.prefixes]
        nets = pools.compact(make(c, row, have, _prefixes(call.body["prefixes"])))
        _scope(c, call, row.address_scope_id, row.ip_version, row, nets)
        prefixes = [str(net) for net in nets]
        store.change(c, t.subnetpools, row.id, {"prefixes": prefixes})
    return Reply({"prefixes": prefixes})


@routes.put("/v2.0/subnetpools/{id}/add_prefixes", rule="update_subnetpool", request=_BODY, response=_GIVEN)
def add_prefixes(call: Call) -> Reply:
    """Add prefixes to a pool."""

    def make(_c: Connection, row: Any, have: list[pools.Net], more: list[pools.Net]) -> list[pools.Net]:
        if more[0].version != row.ip_version:
            raise Invalid(
                f"A prefix of IPv{more[0].version} cannot be in an IPv{row.ip_version} pool.",
                kind="PrefixVersionMismatch",
            )
        return [*have, *more]

    return _change(call, make)


@routes.put(
    "/v2.0/subnetpools/{id}/remove_prefixes", rule="update_subnetpool", request=_BODY, response=_GIVEN
)
def remove_prefixes(call: Call) -> Reply:
    """Take prefixes out of a pool that no subnet has a part of."""

    def make(c: Connection, row: Any, have: list[pools.Net], less: list[pools.Net]) -> list[pools.Net]:
        taken = pools.allocated(c, row.id)
        for net in less:
            if used := [str(other) for other in taken if net.overlaps(other)]:
                raise Conflict(
                    f"Illegal removal of prefix {net}: subnets are allocated from it: {', '.join(used[:10])}.",
                    kind="IllegalSubnetPoolPrefixUpdate",
                )
        left: list[Any] = list(have)
        for gone in less:
            left = [
                rest
                for net in left
                for rest in (
                    []
                    if net.version != gone.version or net.subnet_of(gone)
                    else net.address_exclude(gone)
                    if gone.subnet_of(net)
                    else [net]
                )
            ]
        return left

    return _change(call, make)


_ONBOARD = Schema(
    {
        "type": "object",
        "properties": {"network_id": kit.UUID},
        "required": ["network_id"],
        "additionalProperties": False,
    }
)
_ONBOARDED = Schema({"type": "array"})


@routes.put(
    "/v2.0/subnetpools/{id}/onboard_network_subnets",
    rule="update_subnetpool",
    request=_ONBOARD,
    response=_ONBOARDED,
)
def onboard_network_subnets(call: Call) -> Reply:
    """Take a network's subnets of the pool's IP version into the pool, with their prefixes."""
    with call.house.db.write() as c:
        row = kit.writable(c, POOL, call, "update", call.params["id"])
        network = store.get(c, t.networks, call.scope, call.body["network_id"])
        subnets = [s for s in store.subnets_on(c, [network.id]) if s.ip_version == row.ip_version]
        moving = [s for s in subnets if s.subnetpool_id != row.id]
        if not moving:
            raise NotFound(
                f"Network {network.id} has no IPv{row.ip_version} subnets to take into {row.id}.",
                kind="NetworkSubnetPoolAffinityError",
            )
        if any(s.subnetpool_id for s in moving):
            raise Conflict(
                f"Subnets of network {network.id} are in another pool already.",
                kind="IllegalSubnetPoolUpdate",
            )
        taken = pools.allocated(c, row.id)
        for subnet in moving:
            net = ipaddress.ip_network(subnet.cidr)
            if any(net.overlaps(other) for other in taken):
                raise Conflict(
                    f"Subnet {subnet.id} ({net}) overlaps with another subnet of the pool.",
                    kind="IllegalSubnetPoolUpdate",
                )
            store.change(c, t.subnets, subnet.id, {"subnetpool_id": row.id})
        nets = [ipaddress.ip_network(text) for text in [*row.prefixes, *(s.cidr for s in moving)]]
        nets = pools.compact(nets)
        _scope(c, call, row.address_scope_id, row.ip_version, row, nets)
        store.change(c, t.subnetpools, row.id, {"prefixes": [str(net) for net in nets]})
        store.sync(c, call.request_id)
        onboarded = [{"id": s.id, "cidr": s.cidr} for s in moving]
    return Reply(onboarded)
