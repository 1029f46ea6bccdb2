"""Version documents."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.microversions import text
from clearsky.api.routing import PUBLIC, Routes
from clearsky.compute.versions import MICROVERSIONS

routes = Routes()


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": text(MICROVERSIONS.maximum),
        "min_version": text(MICROVERSIONS.minimum),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.base_url}/v2.1/"}],
    }


@routes.get("", rule=PUBLIC)
def list_versions(call: Call) -> Reply:
    """List the versions of the Compute API."""
    return Reply({"versions": [_version(call)]})


@routes.get("/v2.1", rule=PUBLIC)
def show_version(call: Call) -> Reply:
    """Describe version 2.1."""
    kinds = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]
    return Reply({"version": _version(call) | {"media-types": kinds}})
