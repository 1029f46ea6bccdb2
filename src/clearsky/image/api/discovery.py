"""Version document, and the JSON Schemas that clients may read."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import Forbidden, NotFound
from clearsky.image import quotas, schema

routes = Routes()
MINORS = (16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
"""What is served. 2.17 is about adding locations at other places, which no store here takes."""


def _versions(call: Call) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{call.base_url}/v2/"}]
    return {
        "versions": [
            {"id": f"v2.{minor}", "status": "CURRENT" if minor == MINORS[0] else "SUPPORTED", "links": links}
            for minor in MINORS
        ]
    }


@routes.get("", rule=PUBLIC, status=300)
def list_versions(call: Call) -> Reply:
    """List the versions of the Image API."""
    return Reply(_versions(call))


@routes.get("/versions", rule=PUBLIC)
def show_versions(call: Call) -> Reply:
    """List the versions of the Image API."""
    return Reply(_versions(call))


@routes.get("/v2/schemas/{name:path}", rule="get_images", response=schema.DOCUMENT)
def show_schema(call: Call) -> Reply:
    """Show the JSON Schema of a resource, or of a list of them."""
    name = call.params["name"]
    if name not in schema.NAMED:
        raise NotFound(f"There is no schema {name!r:.80}; there are: {', '.join(schema.NAMED)}")
    return Reply(schema.NAMED[name])


@routes.get("/v2/info/usage", rule="get_images", response=schema.USAGE)
def show_usage(call: Call) -> Reply:
    """Show what the caller's project has, and what it may have."""
    project_id = call.caller.project_id
    if project_id is None:
        raise Forbidden("Usage is a project's: take a token for a project.")
    allowed = quotas.limits(call.house, project_id)
    with call.house.db.read() as c:
        found = quotas.report(c, project_id, allowed)
    return Reply({"usage": found})
