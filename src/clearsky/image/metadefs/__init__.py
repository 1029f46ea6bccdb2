"""Metadata definitions: how a namespace with all that it holds is written, and the catalogue that a cloud starts with."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

from sqlalchemy import Connection

from clearsky.image.store import metadefs as store
from clearsky.image.tables import metadefs as t


def attributes(body: dict[str, Any], owner: str | None) -> dict[str, Any]:
    """Return a namespace's own columns from its description by a client."""
    return {
        "namespace": body["namespace"],
        "display_name": body.get("display_name"),
        "description": body.get("description"),
        "visibility": body.get("visibility", "private"),
        "protected": body.get("protected", False),
        "owner": owner,
    }


def object_columns(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": body["name"],
        "description": body.get("description"),
        "required": body.get("required", []),
        "properties": body.get("properties", {}),
    }


def property_columns(name: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "definition": {key: value for key, value in body.items() if key != "name"}}


def association_columns(body: dict[str, Any]) -> dict[str, Any]:
    return {"prefix": body.get("prefix"), "properties_target": body.get("properties_target")}


def write(c: Connection, body: dict[str, Any], owner: str | None) -> Any:
    """Write a namespace and all that its description holds; returns its row. Raises Conflict."""
    store.queue(c)
    row = store.create_namespace(c, attributes(body, owner))
    for one in body.get("resource_type_associations", []):
        store.associate(c, row.id, one["name"], association_columns(one))
    for one in body.get("objects", []):
        store.add_part(c, t.objects, row.id, object_columns(one))
    for name, definition in body.get("properties", {}).items():
        store.add_part(c, t.properties, row.id, property_columns(name, definition))
    for tag in body.get("tags", []):
        store.add_part(c, t.tags, row.id, {"name": tag["name"]})
    return row


def catalogue() -> Iterator[dict[str, Any]]:
    """Yield the namespaces that a cloud starts with, as a client would describe them."""
    for file in sorted(resources.files(__name__).joinpath("catalogue").iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            for one in tomllib.loads(file.read_text(encoding="utf-8"))["namespaces"]:
                yield one | {"visibility": "public", "protected": True}


def load(c: Connection) -> int:
    """Write the catalogue's namespaces that are not there; returns how many. What is there belongs to operators.

    They have no owner: everybody sees them, and only administrators change them.
    """
    store.queue(c)
    have = store.names(c)
    missing = [one for one in catalogue() if one["namespace"] not in have]
    for one in missing:
        write(c, one, None)
    return len(missing)
