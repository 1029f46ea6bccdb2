"""`clearsky/topology`, an API of our own: the networks that somebody may see, as data, text or a drawing."""

from __future__ import annotations

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Forbidden, Invalid
from clearsky.network.drawing import picture, svg, text

routes = Routes()
_FORMATS = ("json", "text", "svg")
_PARAMETERS = ("format", "project_id")
_LIST = {"type": "array", "items": {"type": "object"}}
_SHOWN = Schema(
    {
        "type": "object",
        "properties": {
            "topology": {
                "type": "object",
                "properties": {"networks": _LIST, "routers": _LIST},
                "required": ["networks", "routers"],
                "additionalProperties": False,
            }
        },
        "required": ["topology"],
        "additionalProperties": False,
    }
)
SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
"""A browser that opens the drawing runs nothing in it and fetches nothing for it."""


@routes.get("/v2.0/clearsky/topology", rule="clearsky:get_topology", response=_SHOWN)
def show_topology(call: Call) -> Reply:
    """Show networks, subnets, routers, ports, servers and floating IPs, and how they hang together."""
    wanted = dict(call.query.items())
    if unknown := sorted(set(wanted) - set(_PARAMETERS)):
        raise Invalid(f"{unknown[0]} is no parameter of a topology; there are: {', '.join(_PARAMETERS)}.")
    form = wanted.get("format", "json")
    if form not in _FORMATS:
        raise Invalid(f"format = {form!r:.80}: {', '.join(_FORMATS)} are right.")
    with call.house.db.read() as c:
        found = picture.load(c, _scope(call, wanted.get("project_id")))
    if form == "svg":
        return Reply(svg.draw(found).encode(), headers=SAFE, content_type="image/svg+xml")
    if form == "text":
        return Reply(f"{text.draw(found)}\n".encode(), headers=SAFE, content_type="text/plain; charset=utf-8")
    return Reply({"topology": found.as_json()})


def _scope(call: Call, project_id: str | None) -> str | None:
    """Return whose eyes are looked through: the caller's, or for administrators any project's."""
    if project_id is None:
        return call.scope
    if call.scope not in (None, project_id):
        raise Forbidden(
            f"project_id = {project_id!r:.80}: only administrators see other projects' networks",
            kind="PolicyNotAuthorized",
        )
    return project_id
