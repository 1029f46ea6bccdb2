"""Error bodies: one small tree of errors inside, each service's own JSON outside."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from clearsky.errors import ClearskyError

_COMPUTE_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


def title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def identity(error: ClearskyError, status: int, _request_id: str) -> dict[str, Any]:
    """`{"error": {...}}`, as the Identity API has it."""
    return {"error": {"code": status, "title": title(status), "message": error.message}}


def compute(error: ClearskyError, status: int, _request_id: str) -> dict[str, Any]:
    """`{"itemNotFound": {...}}`, as the Compute and Block Storage APIs have it."""
    return {_COMPUTE_NAMES.get(status, "computeFault"): {"code": status, "message": error.message}}


def network(error: ClearskyError, _status: int, _request_id: str) -> dict[str, Any]:
    """`{"NeutronError": {...}}`, as the Network API has it."""
    return {"NeutronError": {"type": error.kind, "message": error.message, "detail": ""}}


def placement(error: ClearskyError, status: int, request_id: str) -> dict[str, Any]:
    """`{"errors": [...]}`, as the Placement API has it; `kind` becomes the code where it starts with placement."""
    fault = {
        "status": status,
        "title": title(status),
        "detail": error.message,
        "request_id": request_id,
        "code": error.kind if error.kind.startswith("placement.") else "placement.undefined_code",
    }
    return {"errors": [fault]}


def plain(error: ClearskyError, status: int, _request_id: str) -> dict[str, Any]:
    """`{"code", "title", "message"}`: for what has no tradition of its own (and Image)."""
    return {"code": status, "title": title(status), "message": error.message}
