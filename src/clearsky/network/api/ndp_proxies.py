"""NDP proxies: IPv6 addresses of ports that their router answers for outside."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call
from clearsky.api.routing import Routes
from clearsky.errors import Conflict
from clearsky.network import ndp_proxies, store
from clearsky.network import tables as t
from clearsky.network.api import crud, kit

routes = Routes()
_CREATE = {
    "router_id": kit.UUID,
    "port_id": kit.UUID,
    "ip_address": {"type": ["string", "null"], "maxLength": 64},
}


def view(_c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    return [
        kit.standard(row) | {name: getattr(row, name) for name in ("router_id", "port_id", "ip_address")}
        for row in rows
    ]


PROXY = kit.Resource(
    "ndp_proxy", "ndp_proxies", t.ndp_proxies, view, _CREATE, {}, required=("router_id", "port_id")
)


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    router = store.get(c, t.routers, call.scope, body["router_id"])
    port = store.get(c, t.ports, call.scope, body["port_id"])
    address = ndp_proxies.choose(c, router, port, body.get("ip_address"))
    n = t.ndp_proxies.c
    if twin := c.execute(select(n.id).where(n.router_id == router.id, n.ip_address == address)).scalar():
        raise Conflict(
            f"Router {router.id} answers for {address} already: NDP proxy {twin}.", kind="NDPProxyExists"
        )
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {
        "project_id": project_id,
        "router_id": router.id,
        "port_id": port.id,
        "ip_address": address,
    }
    return store.create(c, t.ndp_proxies, columns)


# Both spellings are upstream's: clients use the one, the published contract has the other.
for _path in ("ndp-proxies", "ndp_proxies"):
    crud.register(
        routes,
        PROXY,
        f"/v2.0/{_path}",
        "NDP proxy",
        create=_create,
        update=lambda *_: {},
        delete=lambda *_: None,
    )
