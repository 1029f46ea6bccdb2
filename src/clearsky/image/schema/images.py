"""JSON Schemas of images.

`PROPERTIES` is the one description of an image's attributes: requests, responses and the schema document that
clients may read are made of it.
"""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

DISK_FORMATS = ["ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"]
CONTAINER_FORMATS = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]
STATUSES = ["queued", "saving", "active", "killed", "deleted", "uploading", "importing", "pending_delete", "deactivated"]  # fmt: skip
VISIBILITIES = ["community", "public", "private", "shared"]
UUID_PATTERN = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 2147483647}


def _text(description: str, length: int = 255) -> dict[str, Any]:
    return {"type": ["null", "string"], "description": description, "maxLength": length}


ID = {
    "type": "string",
    "pattern": UUID_PATTERN,
    "description": "The image's UUID; one is made where none is given",
}
SETTABLE: dict[str, Any] = {
    "name": _text("Name for people; it need not be unique"),
    "disk_format": {
        "type": ["null", "string"],
        "enum": [None, *DISK_FORMATS],
        "description": "Format of the data",
    },
    "container_format": {
        "type": ["null", "string"],
        "enum": [None, *CONTAINER_FORMATS],
        "description": "What the data is wrapped into; bare: nothing",
    },
    "min_disk": _WHOLE | {"description": "GiB of disk that a server needs for it"},
    "min_ram": _WHOLE | {"description": "MiB of memory that a server needs for it"},
    "protected": {"type": "boolean", "description": "True: the image cannot be deleted"},
    "os_hidden": {
        "type": "boolean",
        "description": "True: left out of lists that do not ask for hidden images",
    },
    "visibility": {"type": "string", "enum": VISIBILITIES, "description": "Who may see and use the image"},
    "tags": {
        "type": "array",
        "items": {"type": "string", "maxLength": 255},
        "description": "Words to find the image by",
    },
    "owner": _text("Project that the image belongs to", 64),
}
FIXED: dict[str, Any] = {
    "status": {"type": "string", "enum": STATUSES, "description": "Where the image is in its life"},
    "size": {"type": ["null", "integer"], "description": "Bytes of data"},
    "virtual_size": {"type": ["null", "integer"], "description": "Bytes of the disk that the data describes"},
    "checksum": _text("MD5 of the data", 32),
    "os_hash_algo": _text("Name of the digest that os_hash_value holds", 64),
    "os_hash_value": _text("Digest of the data, in hexadecimal", 128),
    "created_at": {"type": "string", "description": "When the image was made, UTC"},
    "updated_at": {"type": "string", "description": "When the image was changed last, UTC"},
    "self": {"type": "string", "description": "Where the image is"},
    "file": {"type": "string", "description": "Where the image's data is"},
    "schema": {"type": "string", "description": "Where this schema is"},
    "stores": {
        "type": "string",
        "description": "Names of the stores that hold the data, separated by commas",
    },
    "direct_url": {"type": "string", "description": "Where the first store keeps the data"},
    "locations": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"url": {"type": "string"}, "metadata": {"type": "object"}},
            "required": ["url", "metadata"],
        },
        "description": "Where each store keeps the data",
    },
}
"""What only the service itself writes."""
_REFERENCE = {"type": ["null", "string"], "pattern": UUID_PATTERN}
KNOWN: dict[str, Any] = {
    "architecture": {
        "type": "string",
        "description": "CPU architecture that the image's system is built for",
    },
    "instance_uuid": {"type": "string", "description": "Server that the image is a snapshot of"},
    "kernel_id": _REFERENCE
    | {"description": "Image with the kernel of a system that is booted from outside"},
    "ramdisk_id": _REFERENCE | {"description": "Image with the initial RAM disk that belongs to kernel_id"},
    "os_distro": {"type": "string", "description": "Name of the distribution, in small letters"},
    "os_version": {"type": "string", "description": "Version of the system, as its makers write it"},
}
"""Custom properties that have a meaning everywhere, so that their values are checked."""
CUSTOM = {"type": "string", "maxLength": 65535}
PROPERTIES: dict[str, Any] = (
    {"id": ID}
    | SETTABLE
    | {name: value | {"readOnly": True} for name, value in FIXED.items()}
    | {name: value | {"is_base": False} for name, value in KNOWN.items()}
)
CREATE = Schema(
    {
        "type": "object",
        "properties": {"id": ID} | SETTABLE | KNOWN | {name: {} for name in FIXED},
        "propertyNames": {"minLength": 1, "maxLength": 255},
        "additionalProperties": CUSTOM,
    }
)
"""What is read-only may be there in any shape: the handler refuses it by name."""
_ALONE = SETTABLE | KNOWN | {"locations": FIXED["locations"]}
VALUES = {name: Schema({"type": "object", "properties": {name: value}}) for name, value in _ALONE.items()}
"""Each attribute alone, as a patch sets it."""
ANY_VALUE = Schema({"type": "object", "additionalProperties": CUSTOM})
IMAGE: dict[str, Any] = {
    "type": "object",
    "properties": PROPERTIES,
    "required": [
        "id", "name", "status", "visibility", "protected", "os_hidden", "owner", "disk_format", "container_format",
        "min_disk", "min_ram", "size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "tags",
        "created_at", "updated_at", "self", "file", "schema",
    ],
    "additionalProperties": CUSTOM,
}  # fmt: skip
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
        "additionalProperties": False,
    }
)
PATCH = Schema({"type": "array", "maxItems": 1000, "items": {"type": "object"}})
"""The rules of the two dialects are in patch.py."""
