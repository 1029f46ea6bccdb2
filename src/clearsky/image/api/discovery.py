"""Version document, and the JSON Schemas that clients may read."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import NotFound
from clearsky.image import schema

routes = Routes()
MINORS = (16, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)


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


@routes.get("/v2/schemas/{name}", rule="get_images", response=schema.DOCUMENT)
def show_schema(call: Call) -> Reply:
    """Show the JSON Schema of an image, a member, or a list of them."""
    name = call.params["name"]
    documents = {"image": schema.IMAGE, "images": schema.INDEX.definition, "member": schema.MEMBER.definition,
                 "members": schema.MEMBERS.definition}  # fmt: skip
    if name not in documents:
        raise NotFound(f"There is no schema {name!r}; there are: {', '.join(documents)}")
    return Reply({"name": name} | documents[name])
