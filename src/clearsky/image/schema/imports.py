"""JSON Schemas of imports and tasks."""

from __future__ import annotations

from typing import Any

from clearsky.api.schema import Schema

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
IMPORT = Schema(
    {
        "type": "object",
        "properties": {
            "method": {
                "type": "object",
                "properties": {
                    "name": _NAME,
                    "uri": {"type": "string", "maxLength": 4096},
                    "glance_image_id": {"type": "string", "maxLength": 64},
                    "glance_region": _NAME,
                    "glance_service_interface": _NAME,
                },
                "required": ["name"],
            },
            "stores": {"type": "array", "items": _NAME, "minItems": 1, "maxItems": 100},
            "all_stores": {"type": "boolean"},
            "all_stores_must_succeed": {"type": "boolean"},
        },
        "required": ["method"],
        "additionalProperties": False,
    }
)
_TEXT = {"type": "string"}
_OBJECT = {"type": ["null", "object"]}
_BRIEF: dict[str, Any] = {
    "id": _TEXT | {"description": "The task's UUID"},
    "type": {"enum": ["import", "api_image_import", "location_import"], "type": "string"},
    "status": {"enum": ["pending", "processing", "success", "failure"], "type": "string"},
    "owner": _TEXT | {"description": "Project that the task belongs to"},
    "expires_at": {"type": ["null", "string"], "description": "When the task is forgotten"},
    "created_at": _TEXT,
    "updated_at": _TEXT,
    "self": _TEXT | {"readOnly": True},
    "schema": _TEXT | {"readOnly": True},
}
_FULL = _BRIEF | {
    "input": _OBJECT | {"description": "What was asked for"},
    "result": _OBJECT | {"description": "What came out, once it has"},
    "message": _TEXT | {"description": "How far it is, or why it failed"},
    "image_id": _TEXT,
    "request_id": _TEXT,
    "user_id": _TEXT,
}
_ALWAYS = ["id", "type", "status", "owner", "created_at", "updated_at", "schema"]


def _task(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": _ALWAYS,
        "additionalProperties": False,
    }


TASK = Schema(_task(_FULL))
TASKS = Schema(
    {
        "type": "object",
        "properties": {
            "tasks": {"type": "array", "items": _task(_BRIEF)},
            "first": _TEXT,
            "next": _TEXT,
            "schema": _TEXT,
        },
        "required": ["tasks", "first", "schema"],
        "additionalProperties": False,
    }
)
TASKS_OF_IMAGE = Schema(
    {
        "type": "object",
        "properties": {"tasks": {"type": "array", "items": _task(_FULL)}},
        "required": ["tasks"],
        "additionalProperties": False,
    }
)
TASK_CREATE = Schema(
    {
        "type": "object",
        "properties": {
            "type": {"const": "import"},
            "input": {
                "type": "object",
                "properties": {
                    "import_from": {"type": "string", "maxLength": 4096},
                    "import_from_format": {"type": "string", "maxLength": 20},
                    "image_properties": {"type": "object"},
                },
                "required": ["import_from", "import_from_format", "image_properties"],
            },
        },
        "required": ["type", "input"],
    }
)
