"""`clearsky/path`, an API of our own: what happens to a packet from here to there, and by which object."""

from __future__ import annotations

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid
from clearsky.network.path import asking
from clearsky.network.path.asking import Question

routes = Routes()
_PARAMETERS = ("source", "destination", "protocol", "port")
_WORD = {"type": ["string", "null"]}
_SERVER = {"type": ["object", "null"], "properties": {"id": _WORD, "name": _WORD}}
_THING = {"kind": {"type": "string"}, "id": _WORD, "name": _WORD, "server": _SERVER}
_END = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["port", "address"]},
        "id": _WORD,
        "name": _WORD,
        "address": {"type": "string"},
    },
    "required": ["kind", "id", "name", "address"],
    "additionalProperties": False,
}
_PLAIN = {"type": "object", "properties": _THING, "required": list(_THING), "additionalProperties": False}
_HOP = {
    "type": "object",
    "properties": _THING
    | {
        "direction": {"enum": ["there", "back"]},
        "outcome": {"enum": ["passes", "changes", "arrives", "leaves", "dropped"]},
        "what": {"type": "string"},
        "host": _WORD,
        "also": {"type": "array", "items": _PLAIN},
    },
    "required": [*_THING, "direction", "outcome", "what", "host", "also"],
    "additionalProperties": False,
}
_SHOWN = Schema(
    {
        "type": "object",
        "properties": {
            "path": {
                "type": "object",
                "properties": {
                    "packet": {"type": "object", "required": ["protocol", "source", "destination", "port"]},
                    "source": _END,
                    "destination": _END,
                    "arrives": {"type": "boolean"},
                    "answered": {"type": ["boolean", "null"]},
                    "dropped_by": _PLAIN | {"type": ["object", "null"]},
                    "hops": {"type": "array", "items": _HOP, "minItems": 1},
                },
                "required": ["packet", "source", "destination", "arrives", "answered", "dropped_by", "hops"],
                "additionalProperties": False,
            }
        },
        "required": ["path"],
        "additionalProperties": False,
    }
)


@routes.get("/v2.0/clearsky/path", rule="clearsky:get_path", response=_SHOWN)
def show_path(call: Call) -> Reply:
    """Follow a packet and its answer through ports, security groups, networks, routers and translations."""
    return Reply({"path": asking.ask(call.house, call.scope, _question(call))})


def _question(call: Call) -> Question:
    given = dict(call.query.items())
    if unknown := sorted(set(given) - set(_PARAMETERS)):
        raise Invalid(f"{unknown[0]} is no parameter of a path; there are: {', '.join(_PARAMETERS)}.")
    for name in ("source", "destination"):
        if not 0 < len(given.get(name, "")) <= 255:
            raise Invalid(
                f"{name} = {given.get(name)!r:.80}: give a port or server (id or name), or an address."
            )
    return question(given["source"], given["destination"], given.get("protocol", "icmp"), given.get("port"))


def question(source: str, destination: str, protocol: str, port: str | None) -> Question:
    """Return the question; raises Invalid that names the parameter."""
    if protocol not in ("tcp", "udp", "icmp"):
        raise Invalid(f"protocol = {protocol!r:.80}: tcp, udp or icmp is right.")
    if protocol == "icmp":
        if port is not None:
            raise Invalid("port is for tcp and udp; icmp has none.")
        return Question(source, destination)
    if port is None or not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise Invalid(f"port = {port!r:.80}: a number from 1 to 65535 is right for {protocol}.")
    return Question(source, destination, protocol, int(port))
