"""JSON Schemas of images."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

NULLABLE = {"type": ["string", "null"], "maxLength": 255}
DISK_FORMATS = ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"]
CONTAINER_FORMATS = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
_SIZE = {"type": "integer", "minimum": 0, "maximum": 2147483647}
TAGS = {"type": "array", "items": {"type": "string", "maxLength": 255}, "maxItems": 128}
SETTABLE: dict[str, Any] = {
    "name": NULLABLE,
    "disk_format": {"enum": [None, *DISK_FORMATS]},
    "container_format": {"enum": [None, *CONTAINER_FORMATS]},
    "min_disk": _SIZE,
    "min_ram": _SIZE,
    "protected": {"type": "boolean"},
    "os_hidden": {"type": "boolean"},
    "visibility": {"enum": ["public", "private", "shared", "community"]},
    "tags": TAGS,
    "owner": NULLABLE,
}
CUSTOM = {"type": ["string", "null"], "maxLength": 65535}
CREATE = Schema(
    {
        "type": "object",
        "properties": {"id": {"type": "string", "format": "uuid"}} | SETTABLE,
        "propertyNames": {"type": "string", "maxLength": 255},
        "additionalProperties": CUSTOM,
    }
)
IMAGE: dict[str, Any] = {
    "type": "object",
    "properties": SETTABLE
    | {
        "id": {"type": "string"},
        "status": {
            "enum": ["queued", "saving", "active", "deactivated", "deleted", "importing", "uploading"]
        },
        "size": {"type": ["integer", "null"]},
        "virtual_size": {"type": ["integer", "null"]},
        "checksum": NULLABLE,
        "os_hash_algo": NULLABLE,
        "os_hash_value": NULLABLE,
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "self": {"type": "string"},
        "file": {"type": "string"},
        "schema": {"type": "string"},
    },
    "required": [
        "id",
        "status",
        "visibility",
        "tags",
        "created_at",
        "updated_at",
        "self",
        "file",
        "schema",
        "owner",
    ],
    "additionalProperties": CUSTOM,
}
SHOW = Schema(IMAGE)
INDEX = Schema(
    {
        "type": "object",
        "properties": {
            "images": {"type": "array", "items": IMAGE},
            "next": {"type": "string"},
            "first": {"type": "string"},
            "schema": {"type": "string"},
        },
        "required": ["images", "first", "schema"],
    }
)
PATCH = Schema(
    {
        "type": "array",
        "maxItems": 500,
        "items": {
            "type": "object",
            "properties": {
                "op": {"enum": ["add", "replace", "remove"]},
                "path": {"type": "string", "pattern": "^/", "maxLength": 300},
            },
            "anyOf": [
                {"required": ["op", "path"]},
                *(
                    {"required": [name], "properties": {name: {"type": "string", "pattern": "^/"}}}
                    for name in ("add", "replace", "remove")
                ),
            ],
        },
    }
)
