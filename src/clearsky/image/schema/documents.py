"""The JSON Schemas that clients may read, made of those that requests and responses are checked against."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema
from clearsky.image.schema import metadefs
from clearsky.image.schema.images import CUSTOM, PROPERTIES
from clearsky.image.schema.imports import TASK
from clearsky.image.schema.members import MEMBER

DOCUMENT = Schema(
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "properties": {"type": "object"}},
        "required": ["name", "properties"],
    }
)


def _one(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    return {"name": name} | {key: value for key, value in definition.items() if key != "type"}


def _many(name: str, one: dict[str, Any], links: dict[str, str] | None = None) -> dict[str, Any]:
    """Describe a page of a list: links to the first and the next, and the items."""
    item = one | ({"links": _links(links)} if links else {})
    properties = {
        "first": {"type": "string"},
        "next": {"type": "string"},
        "schema": {"type": "string"},
        name: {"type": "array", "items": item},
    }
    pages = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}]
    return {"name": name, "properties": properties, "links": [*pages, *_links({"describedby": "{schema}"})]}


def _links(hrefs: dict[str, str]) -> list[dict[str, str]]:
    return [{"rel": rel, "href": href} for rel, href in hrefs.items()]


_IMAGE_LINKS = {"self": "{self}", "enclosure": "{file}", "describedby": "{schema}"}
_IMAGE = {
    "name": "image",
    "properties": PROPERTIES,
    "additionalProperties": CUSTOM,
    "links": _links(_IMAGE_LINKS),
}
_MEMBER = _one("member", MEMBER.definition)
_DEFINED = {
    "namespace": _one("namespace", metadefs.NAMESPACE.definition),
    "object": _one("object", metadefs.OBJECT.definition),
    "property": _one("property", metadefs.PROPERTY.definition),
    "resource_type": _one("resource_type_association", metadefs.ASSOCIATION.definition),
    "tag": _one("tag", metadefs.TAG.definition),
}
"""Of metadata definitions, by the end of their path."""
_TASK = _one("task", TASK.definition)
NAMED: dict[str, dict[str, Any]] = {
    "image": _IMAGE,
    "images": _many("images", _IMAGE),
    "member": _MEMBER,
    "members": _many("members", _MEMBER),
    **{f"metadefs/{name}": one for name, one in _DEFINED.items()},
    "metadefs/namespaces": _many(
        "namespaces", _DEFINED["namespace"], {"self": "{self}", "describedby": "{schema}"}
    ),
    "metadefs/objects": _many("objects", _DEFINED["object"], {"self": "{self}", "describedby": "{schema}"}),
    "metadefs/properties": _one("properties", metadefs.PROPERTIES.definition),
    "metadefs/resource_types": _many("resource_type_associations", _DEFINED["resource_type"]),
    "metadefs/tags": _many("tags", _DEFINED["tag"]),
    "task": _TASK,
    "tasks": _many("tasks", _TASK),
}
"""By the end of their path."""
