"""Several gateways of a router: added, changed and removed beside what others add at the same time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid
from clearsky.network import addressing, gateways, store
from clearsky.network import tables as t
from clearsky.network.api import kit, routers
from clearsky.network.api.routers import ROUTER

routes = Routes()
_LIST = {  # an empty object is an empty list: python-openstackclient sends it
    "type": ["array", "object", "null"],
    "maxItems": gateways.MOST,
    "maxProperties": 0,
    "items": routers.GATEWAY | {"type": "object", "required": ["network_id"]},
}
_BODY = Schema(
    {
        "type": "object",
        "properties": {
            "router": {
                "type": "object",
                "properties": {"external_gateways": _LIST},
                "required": ["external_gateways"],
                "additionalProperties": False,
            }
        },
        "required": ["router"],
        "additionalProperties": False,
    }
)
_SHOWN = ROUTER.shown()


def _change(call: Call, make: Any) -> Reply:
    with call.house.db.write() as c:
        row = kit.writable(c, ROUTER, call, "update", call.params["id"])
        infos = call.body["router"]["external_gateways"] or []
        for info in infos:
            routers.check_rights(call, info)
        make(call, c, row, infos)
        row = store.change(c, t.routers, row.id, {})
        shown = routers.view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"router": shown})


def _add(call: Call, c: Connection, row: Any, infos: list[dict[str, Any]]) -> None:
    if len(gateways.of(c, [row])[row.id]) + len(infos) > gateways.MOST:
        raise Invalid(f"Router {row.id} may have at most {gateways.MOST} gateways.", kind="BadRequest")
    for info in infos:
        if row.gateway_port_id is None:
            row = routers.set_gateway(call, c, row, info)
        else:
            network = store.get(c, t.networks, call.scope, info["network_id"])
            gateways.plug(c, call.house, row, network, info.get("external_fixed_ips"))


def _update(call: Call, c: Connection, row: Any, infos: list[dict[str, Any]]) -> None:
    """Make the list of gateways equal to this one: those that are alike stay, with the addresses that are asked for."""
    if not infos:
        gateways.clear(c, row)
        return
    kept, new = {}, []
    for position, info in enumerate(infos):
        port = gateways.matching(c, row, info)
        if port is None or port.id in kept:
            new.append(info)
            continue
        kept[port.id] = info
        _readdress(c, port, info)
        if position == 0:
            row = routers.describe_first(call, c, gateways.put_first(c, row, port), info)
    if infos[0] in new:
        # The first must be the first: what is described takes the place before the others are taken away.
        network = store.get(c, t.networks, call.scope, infos[0]["network_id"])
        port = gateways.plug(c, call.house, row, network, infos[0].get("external_fixed_ips"))
        kept[port.id] = infos[0]
        new.remove(infos[0])
        row = routers.describe_first(call, c, gateways.put_first(c, row, port), infos[0])
    for port in gateways.of(c, [row])[row.id]:
        if port.id not in kept:
            stays = port.network_id in {info["network_id"] for info in infos}
            row = gateways.unplug(c, row, port, network_stays=stays)
    _add(call, c, row, new)


def _readdress(c: Connection, port: Any, info: dict[str, Any]) -> None:
    wanted = info.get("external_fixed_ips")
    if wanted and all("ip_address" in item for item in wanted):
        c.execute(t.addresses.delete().where(t.addresses.c.port_id == port.id))
        chosen = addressing.choose(c, port.network_id, port.mac_address, wanted, port.device_owner)
        addressing.assign(c, port.id, chosen)


def _remove(_call: Call, c: Connection, row: Any, infos: list[dict[str, Any]]) -> None:
    for info in infos:
        port = gateways.matching(c, row, info)
        if port is None:
            raise Invalid(
                f"Unable to match a requested gateway port to existing gateway ports of router {row.id}: none is on "
                f"network {info['network_id']} with those addresses.",
                kind="UnableToMatchGateways",
            )
        row = gateways.unplug(c, row, port)


@routes.put(
    "/v2.0/routers/{id}/add_external_gateways", rule="add_external_gateways", request=_BODY, response=_SHOWN
)
def add_gateways(call: Call) -> Reply:
    """Give a router more gateways."""
    return _change(call, _add)


@routes.put(
    "/v2.0/routers/{id}/update_external_gateways",
    rule="update_external_gateways",
    request=_BODY,
    response=_SHOWN,
)
def update_gateways(call: Call) -> Reply:
    """Replace the list of a router's gateways; those that are described as they are stay."""
    return _change(call, _update)


@routes.put(
    "/v2.0/routers/{id}/remove_external_gateways",
    rule="remove_external_gateways",
    request=_BODY,
    response=_SHOWN,
)
def remove_gateways(call: Call) -> Reply:
    """Take gateways from a router; the oldest of the others becomes the first where that goes."""
    return _change(call, _remove)
