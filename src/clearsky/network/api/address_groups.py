"""Address groups: lists of addresses that security group rules name as their far end."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid
from clearsky.network import quotas, store
from clearsky.network import tables as t
from clearsky.network.api import crud, kit

routes = Routes()
MOST = 10_000
"""Addresses of one group: they are one row of the engine's database."""
_ADDRESSES = {"type": "array", "items": kit.TEXT, "maxItems": MOST}


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    shared = kit.shared(c, rows, call)
    return [kit.standard(row) | {"addresses": row.addresses, "shared": row.id in shared} for row in rows]


GROUP = kit.Resource(
    "address_group", "address_groups", t.address_groups, view, {"addresses": _ADDRESSES}, {},
    object_type="address_group",
)  # fmt: skip
_SHOWN = GROUP.shown()


def _normal(texts: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for text in texts:
        try:
            found[str(ipaddress.ip_network(text, strict=False))] = None
        except ValueError as error:
            raise Invalid(
                f"Invalid input for addresses. Reason: '{text}' is not a valid IP subnet.",
                kind="HTTPBadRequest",
            ) from error
    return list(found)


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "address_group")
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {"project_id": project_id, "addresses": _normal(body.get("addresses") or [])}
    return store.create(c, t.address_groups, columns)


def _delete(_call: Call, c: Connection, row: Any) -> None:
    r = t.rules.c
    query = select(r.id).where(r.remote_address_group_id == row.id)
    if users := c.execute(query).scalars().all():
        raise Conflict(
            f"Address group {row.id} is in use on one or more security group rules: {', '.join(users[:10])}.",
            kind="AddressGroupInUse",
        )


crud.register(
    routes, GROUP, "/v2.0/address-groups", "address group",
    create=_create, update=lambda _call, _c, _row, _body: {}, delete=_delete,
)  # fmt: skip

_BODY = Schema(
    {
        "type": "object",
        "properties": {"addresses": _ADDRESSES | {"minItems": 1}},
        "required": ["addresses"],
        "additionalProperties": False,
    }
)


def _change(call: Call, make: Any) -> Reply:
    with call.house.db.write() as c:
        row = kit.writable(c, GROUP, call, "update", call.params["id"])
        addresses = make(row.addresses, _normal(call.body["addresses"]))
        if len(addresses) > MOST:
            raise Invalid(f"An address group has at most {MOST} addresses.", kind="InvalidInput")
        row = store.change(c, t.address_groups, row.id, {"addresses": addresses})
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"address_group": shown})


@routes.put(
    "/v2.0/address-groups/{id}/add_addresses", rule="update_address_group", request=_BODY, response=_SHOWN
)
def add_addresses(call: Call) -> Reply:
    """Add addresses that are not in the group yet."""

    def make(have: list[str], more: list[str]) -> list[str]:
        if twice := [one for one in more if one in have]:
            raise Invalid(
                f"Addresses {', '.join(twice)} already exist in the address group.",
                kind="AddressesAlreadyExist",
            )
        return [*have, *more]

    return _change(call, make)


@routes.put(
    "/v2.0/address-groups/{id}/remove_addresses", rule="update_address_group", request=_BODY, response=_SHOWN
)
def remove_addresses(call: Call) -> Reply:
    """Take addresses out of the group."""

    def make(have: list[str], less: list[str]) -> list[str]:
        if absent := [one for one in less if one not in have]:
            raise Invalid(
                f"Addresses {', '.join(absent)} are not found in the address group.", kind="AddressesNotFound"
            )
        return [one for one in have if one not in less]

    return _change(call, make)
