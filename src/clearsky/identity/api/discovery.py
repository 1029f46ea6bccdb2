"""Version documents, JSON home, and what upstream has taken away."""

from __future__ import annotations

from typing import Any

import orjson

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Route, Routes
from clearsky.errors import Gone
from clearsky.identity import json_home

routes = Routes()
_HOME = "application/json-home"
_served: list[Route] = []
"""The service's routes, which JSON home tells of."""


def tell_of(served: tuple[Route, ...]) -> None:
    """Say which routes the service has: they are gathered after this module."""
    _served[:] = served


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def wants_home(accept: str) -> bool:
    """Say whether an Accept header asks for JSON home rather than for JSON; by the weights that it gives them."""
    weights = {_HOME: 0.0, "application/json": 0.0}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if kind in ("application/json", "application/*", "*/*"):
            weights["application/json"] = max(weights["application/json"], weight)
        elif kind == _HOME:
            weights[_HOME] = weight
    return weights[_HOME] > weights["application/json"]


def _home() -> Reply:
    body = json_home.document(route.path for route in _served)
    return Reply(orjson.dumps(body), 200, content_type=_HOME)


@routes.get("", rule=PUBLIC, status=300)
def list_versions(call: Call) -> Reply:
    """List the versions of the Identity API."""
    if wants_home(call.headers.get("accept", "")):
        return _home()
    body = {"versions": {"values": [_version(call)]}}
    return Reply(body, headers={"Location": f"{call.base_url}/v3/"})


@routes.get("/v3", rule=PUBLIC)
def show_version(call: Call) -> Reply:
    """Describe version 3, or with `Accept: application/json-home` every resource of it."""
    if wants_home(call.headers.get("accept", "")):
        return _home()
    return Reply({"version": _version(call)})


@routes.get("/v3/OS-SIMPLE-CERT/ca", rule=PUBLIC)
@routes.get("/v3/OS-SIMPLE-CERT/certificates", rule=PUBLIC)
def show_certificate(_call: Call) -> Reply:
    """Say that certificates of PKI tokens are no more."""
    raise Gone("This API is no longer available due to the removal of support for PKI tokens.")
