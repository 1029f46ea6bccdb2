"""Version documents."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes

routes = Routes()


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@routes.get("", rule=PUBLIC, status=300)
def list_versions(call: Call) -> Reply:
    """List the versions of the Identity API."""
    return Reply({"versions": {"values": [_version(call)]}})


@routes.get("/v3", rule=PUBLIC)
def show_version(call: Call) -> Reply:
    """Describe version 3."""
    return Reply({"version": _version(call)})
