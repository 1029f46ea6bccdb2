"""Audit events in the manner of CADF (DSP0262) to the structured log: who did what to what, from where, and whether.

Never a secret: events carry ids, names and addresses only.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Route
from clearsky.errors import ClearskyError

log = structlog.get_logger("audit")
_VERBS = {"POST": "create", "PUT": "create", "PATCH": "update", "DELETE": "delete"}
_TYPES = {
    "user": "data/security/account/user",
    "group": "data/security/group",
    "role": "data/security/role",
    "role assignment": "data/security/role",
    "domain": "data/security/domain",
    "project": "data/security/project",
    "region": "data/security/region",
    "service": "data/security/service",
    "endpoint": "data/security/endpoint",
    "policy": "data/security/policy",
    "trust": "data/security/trust",
    "consumer": "data/security/oauth1/consumer",
    "request token": "data/security/oauth1/request-token",
    "access token": "data/security/oauth1/access-token",
    "credential": "data/security/credential",
    "application credential": "data/security/application-credential",
    "access rule": "data/security/access-rule",
    "token": "data/security/token",
    "identity provider": "data/security/identity-provider",
    "protocol": "data/security/federation-protocol",
    "mapping": "data/security/mapping",
    "service provider": "data/security/service-provider",
}


def changed(call: Call, action: str, what: str, id: str, **detail: Any) -> None:
    """Tell that the caller has done `action` (create, update, delete, disable) to the resource `what` with this id.

    Call it after the transaction; `detail` may hold ids and names (`project_id=...`), never values of secrets.
    """
    target = detail | {"typeURI": _TYPES.get(what, f"data/security/{what}"), "id": id}
    _tell(call, f"{action}.{what.replace(' ', '_')}", "success", _initiator(call), target)


def watched(route: Route) -> Route:
    """Return the route with a handler that tells of each change it makes; what was changed is read off the path."""
    if route.method not in _VERBS:
        return route
    fixed = [part for part in route.path.split("/") if part and not part.startswith("{")]
    what = _singular(fixed[-1])
    action = "update" if what == "password" else _VERBS[route.method]

    def handle(call: Call) -> Reply:
        reply: Reply = route.handler(call)
        made = next(iter(reply.body.values()), None) if isinstance(reply.body, dict) else None
        own = made.get("id") if isinstance(made, dict) else None
        changed(call, action, what, str(own or list(call.params.values() or [""])[-1]), **call.params)
        return reply

    return replace(route, handler=handle)


def _singular(plural: str) -> str:
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    return plural.removesuffix("s")


def authenticated(call: Call, user_id: str, methods: tuple[str, ...], **detail: Any) -> None:
    """Tell that somebody has proven to be this user."""
    target = {"typeURI": "service/security/account/user", "id": user_id}
    initiator = _initiator(call) | {"id": user_id}
    _tell(call, "authenticate", "success", initiator, target, methods=list(methods), **detail)


def refused(call: Call, error: ClearskyError, claimed: dict[str, Any], methods: list[str]) -> None:
    """Tell that an attempt to authenticate has failed; `claimed` is who the caller claimed to be (id or name)."""
    target = {"typeURI": "service/security/account/user"} | claimed
    reason = {"reasonType": str(error.code), "reasonCode": error.kind}
    _tell(call, "authenticate", "failure", _initiator(call), target, methods=methods, reason=reason)


def _initiator(call: Call) -> dict[str, Any]:
    who: dict[str, Any] = {
        "typeURI": "service/security/account/user",
        "host": {"address": call.client, "agent": call.headers.get("user-agent", "")[:200]},
    }
    caller = call.optional_caller
    if caller is not None:
        who |= {"id": caller.user_id, "username": caller.user_name, "project_id": caller.project_id}
    return who


def _tell(
    call: Call, action: str, outcome: str, initiator: dict[str, Any], target: dict[str, Any], **more: Any
) -> None:
    log.info(
        "audit",
        typeURI="http://schemas.dmtf.org/cloud/audit/1.0/event",
        id=uuid.uuid4().hex,
        eventTime=datetime.now(UTC).isoformat(),
        eventType="activity",
        action=action,
        outcome=outcome,
        initiator=initiator,
        target=target,
        observer={"typeURI": "service/security", "id": "clearsky.identity"},
        request_id=call.request_id,
        **more,
    )
