"""Bodies of /servers."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

NAME = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$",
}
UUID = {"type": "string", "format": "uuid"}
TAG = {"type": "string", "minLength": 1, "maxLength": 60, "pattern": "^[^,/]*$"}
ACCESS_V4 = {"type": "string", "anyOf": [{"format": "ipv4"}, {"const": ""}]}
ACCESS_V6 = {"type": "string", "anyOf": [{"format": "ipv6"}, {"const": ""}]}
_COUNT = {"type": ["integer", "string"], "pattern": "^[1-9][0-9]{0,3}$", "minimum": 1, "maximum": 1000}
METADATA = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-_:. ]{1,255}$"},
    "additionalProperties": {"type": "string", "maxLength": 255},
}
_NETWORK = {
    "type": "object",
    "properties": {"uuid": UUID, "port": {"type": ["string", "null"], "format": "uuid"}, "fixed_ip": {"type": "string"},
                   "tag": TAG | {"since": (2, 32)}},
    "additionalProperties": False,
}  # fmt: skip
_BLOCK = {
    "type": "object",
    "properties": {
        "uuid": UUID,
        "source_type": {"enum": ["image"]},
        "destination_type": {"enum": ["local"]},
        "boot_index": {"type": ["integer", "string", "null"]},
        "delete_on_termination": {"type": ["boolean", "string"]},
    },
    "required": ["source_type", "destination_type", "uuid"],
    "additionalProperties": False,
}
_SERVER: dict[str, Any] = {
    "name": NAME,
    "imageRef": {"type": "string"},
    "flavorRef": {"type": ["string", "integer"], "minLength": 1},
    "adminPass": {"type": "string"},
    "metadata": METADATA,
    "networks": {
        "anyOf": [
            {"type": "array", "items": _NETWORK, "maxItems": 16},
            {"enum": ["none", "auto"], "since": (2, 37)},
        ]
    },
    "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
    "accessIPv4": ACCESS_V4,
    "accessIPv6": ACCESS_V6,
    "personality": {"type": "array", "maxItems": 0, "until": (2, 56)},
    "key_name": {"type": ["string", "null"], "maxLength": 255},
    "user_data": {"type": ["string", "null"], "maxLength": 65535},
    "config_drive": {"type": ["boolean", "string", "null"]},
    "availability_zone": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    "min_count": _COUNT,
    "max_count": _COUNT,
    "return_reservation_id": {"type": ["boolean", "string"]},
    "security_groups": {
        "type": "array",
        "maxItems": 50,
        "items": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "required": ["name"],
        },
    },
    "block_device_mapping_v2": {"type": "array", "items": _BLOCK, "minItems": 1, "maxItems": 1},
    "description": {"type": ["string", "null"], "maxLength": 255, "since": (2, 19)},
    "tags": {"type": "array", "items": TAG, "maxItems": 50, "since": (2, 52)},
    "trusted_image_certificates": {"type": "null", "since": (2, 63)},
    "host": {"type": "string", "minLength": 1, "maxLength": 255, "since": (2, 74)},
    "hypervisor_hostname": {"type": "string", "minLength": 1, "maxLength": 255, "since": (2, 74)},
    "hostname": {
        "type": "string",
        "anyOf": [
            {"minLength": 2, "maxLength": 63, "pattern": r"^[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+$"},
            {"minLength": 1, "maxLength": 255, "pattern": r"^[a-zA-Z0-9-._]*$", "since": (2, 94)},
        ],
        "since": (2, 90),
    },
}
_ID_OR_IDS = {"oneOf": [UUID, {"type": "array", "items": UUID}]}
_HINTS = {
    "type": "object",
    "properties": {
        "group": UUID,
        "different_host": _ID_OR_IDS,
        "same_host": _ID_OR_IDS,
        "query": {"type": ["string", "object"]},
        "target_cell": {"type": "string", "minLength": 1, "maxLength": 255},
        "different_cell": {"type": ["string", "array"]},
        "build_near_host_ip": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        "cidr": {"type": "string", "pattern": "^/[0-9a-f.:]+$"},
    },
}
CREATE = Schema(
    {
        "type": "object",
        "properties": {
            "server": {
                "type": "object",
                "properties": _SERVER,
                "required": ["name", "flavorRef", "networks"],
                "additionalProperties": False,
            },
            "os:scheduler_hints": _HINTS,
            "OS-SCH-HNT:scheduler_hints": _HINTS,
        },
        "required": ["server"],
        "additionalProperties": False,
    }
)
CREATE_BEFORE_2_37 = Schema(
    {
        "type": "object",
        "properties": CREATE.definition["properties"]
        | {"server": CREATE.definition["properties"]["server"] | {"required": ["name", "flavorRef"]}},
        "required": ["server"],
        "additionalProperties": False,
    }
)
UPDATE = Schema(
    {
        "type": "object",
        "properties": {
            "server": {
                "type": "object",
                "properties": {
                    "name": NAME,
                    "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
                    "accessIPv4": ACCESS_V4,
                    "accessIPv6": ACCESS_V6,
                    "description": _SERVER["description"],
                    "hostname": _SERVER["hostname"],
                    "pinned_availability_zone": {
                        "type": ["string", "null"],
                        "minLength": 1,
                        "maxLength": 255,
                        "since": (2, 104),
                    },
                },
                "additionalProperties": False,
            }
        },
        "required": ["server"],
        "additionalProperties": False,
    }
)
CREATED = Schema({"type": "object", "anyOf": [{"required": ["server"]}, {"required": ["reservation_id"]}]})
_TIME = {"type": "string", "format": "date-time"}
_SHOWN: dict[str, Any] = {
    "id": {"type": "string"},
    "name": {"type": "string"},
    "status": {
        "enum": [
            "ACTIVE",
            "BUILD",
            "DELETED",
            "ERROR",
            "HARD_REBOOT",
            "PAUSED",
            "REBOOT",
            "REBUILD",
            "RESCUE",
            "RESIZE",
            "REVERT_RESIZE",
            "SHELVED",
            "SHELVED_OFFLOADED",
            "SHUTOFF",
            "SUSPENDED",
            "UNKNOWN",
            "VERIFY_RESIZE",
        ]
    },
    "tenant_id": {"type": "string"},
    "user_id": {"type": "string"},
    "metadata": {"type": "object"},
    "hostId": {"type": "string"},
    "image": {"type": ["object", "string"]},
    "flavor": {"type": "object"},
    "created": _TIME,
    "updated": _TIME,
    "addresses": {"type": "object"},
    "links": {"type": "array"},
    "locked": {"type": "boolean", "since": (2, 9)},
    "tags": {"type": "array", "since": (2, 26)},
    "OS-EXT-STS:vm_state": {"type": "string"},
    "OS-EXT-STS:power_state": {"type": "integer"},
    "description": {"type": ["string", "null"], "since": (2, 19)},
}
_DETAIL = {"type": "object", "properties": _SHOWN, "required": list(_SHOWN)}
SHOW = Schema({"type": "object", "properties": {"server": _DETAIL}, "required": ["server"]})
_BRIEF = {
    "type": "object",
    "properties": _SHOWN,
    "required": [n for n in _SHOWN if not n.startswith("OS-EXT-")],
}
CHANGED = Schema({"type": "object", "properties": {"server": _BRIEF}, "required": ["server"]})
DETAIL = Schema(
    {
        "type": "object",
        "properties": {"servers": {"type": "array", "items": _DETAIL}},
        "required": ["servers"],
    }
)
INDEX = Schema(
    {
        "type": "object",
        "properties": {
            "servers": {"type": "array", "items": {"type": "object", "required": ["id", "name", "links"]}}
        },
        "required": ["servers"],
    }
)


def holding(*keys: str) -> Schema:
    """A body that has these keys."""
    return Schema({"type": "object", "required": list(keys)})


METADATA_BODY = Schema(
    {
        "type": "object",
        "properties": {"metadata": METADATA},
        "required": ["metadata"],
        "additionalProperties": False,
    }
)
METADATA_ITEM = Schema(
    {
        "type": "object",
        "properties": {"meta": METADATA | {"minProperties": 1, "maxProperties": 1}},
        "required": ["meta"],
        "additionalProperties": False,
    }
)
TAGS = Schema(
    {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": TAG, "maxItems": 50}},
        "required": ["tags"],
        "additionalProperties": False,
    }
)


def action(name: str, body: dict[str, Any]) -> Schema:
    return Schema(
        {"type": "object", "properties": {name: body}, "required": [name], "additionalProperties": False}
    )


# -- actions with more to say -----------------------------------------------------------------------------------

_REBUILD = {
    name: _SERVER[name]
    for name in ("name", "adminPass", "metadata", "accessIPv4", "accessIPv6", "OS-DCF:diskConfig", "personality",
                 "description", "trusted_image_certificates", "hostname")
} | {
    "imageRef": UUID,
    "preserve_ephemeral": {"type": ["boolean", "string"]},
    "key_name": _SERVER["key_name"] | {"since": (2, 54)},
    "user_data": _SERVER["user_data"] | {"since": (2, 57)},
}  # fmt: skip
REBUILD = action(
    "rebuild",
    {"type": "object", "properties": _REBUILD, "required": ["imageRef"], "additionalProperties": False},
)
RESIZE = action(
    "resize",
    {
        "type": "object",
        "properties": {
            "flavorRef": {"type": ["string", "integer"], "minLength": 1},
            "OS-DCF:diskConfig": {"enum": ["AUTO", "MANUAL"]},
        },
        "required": ["flavorRef"],
        "additionalProperties": False,
    },
)
RESCUE = action(
    "rescue",
    {
        "type": ["object", "null"],
        "properties": {"adminPass": {"type": "string"}, "rescue_image_ref": UUID},
        "additionalProperties": False,
    },
)
_IMAGE = {"name": NAME, "metadata": METADATA}
CREATE_IMAGE = action(
    "createImage",
    {"type": "object", "properties": _IMAGE, "required": ["name"], "additionalProperties": False},
)
ATTACH = Schema(
    {
        "type": "object",
        "properties": {
            "interfaceAttachment": {
                "type": "object",
                "properties": {
                    "net_id": UUID,
                    "port_id": UUID,
                    "fixed_ips": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "ip_address": {
                                    "type": "string",
                                    "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
                                }
                            },
                            "required": ["ip_address"],
                            "additionalProperties": False,
                        },
                    },
                    "tag": TAG | {"since": (2, 49)},
                },
                "additionalProperties": False,
            }
        },
        "additionalProperties": False,
    }
)
CREATE_BACKUP = action(
    "createBackup",
    {
        "type": "object",
        "properties": _IMAGE
        | {
            "backup_type": {"type": "string", "maxLength": 255},
            "rotation": {"type": ["integer", "string"], "pattern": "^[0-9]{1,9}$", "minimum": 0},
        },
        "required": ["name", "backup_type", "rotation"],
        "additionalProperties": False,
    },
)
UNSHELVE = action(
    "unshelve",
    {
        "type": ["object", "null"],
        "properties": {
            "availability_zone": {
                "since": (2, 77),
                "anyOf": [
                    {"type": "string", "minLength": 1, "maxLength": 255},
                    {"type": "null", "since": (2, 91)},
                ],
            },
            "host": {"type": "string", "minLength": 1, "maxLength": 255, "since": (2, 91)},
        },
        "additionalProperties": False,
    },
)
