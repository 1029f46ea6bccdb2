"""The errors that services raise, by meaning. `api/faults.py` turns each into its service's own body."""

from __future__ import annotations


class ClearskyError(Exception):
    """Base: `message` says what was asked, what stands in the way, and what to do; `code` is the HTTP status.

    `kind` is the name that some services put into their body (NeutronError's `type`).
    """

    code = 500

    def __init__(self, message: str, *, kind: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind or type(self).__name__
        self.headers = headers or {}


class Invalid(ClearskyError):
    code = 400


class Unauthorized(ClearskyError):
    code = 401


class Forbidden(ClearskyError):
    code = 403


class QuotaExceeded(Forbidden):
    """Compute answers 403; network answers 409: see api/faults.py."""


class NotFound(ClearskyError):
    code = 404


class MethodNotAllowed(ClearskyError):
    code = 405


class NotAcceptable(ClearskyError):
    code = 406


class Conflict(ClearskyError):
    code = 409


class Gone(ClearskyError):
    code = 410


class PreconditionFailed(ClearskyError):
    code = 412


class TooLarge(ClearskyError):
    code = 413


class UnsupportedMediaType(ClearskyError):
    code = 415


class RangeNotSatisfiable(ClearskyError):
    code = 416


class Unavailable(ClearskyError):
    """An engine or another process cannot be reached just now."""

    code = 503


class NotImplementedHere(ClearskyError):
    """The API knows of it, and upstream's drivers of this kind do not do it either."""

    code = 501
