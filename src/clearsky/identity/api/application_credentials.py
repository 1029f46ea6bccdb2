"""Application credentials: secrets for programs, with some of a user's roles on one project."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Forbidden, Invalid
from clearsky.identity import audit, passwords, times
from clearsky.identity import tables as t
from clearsky.identity.api.handed_on import refuse_delegated, refuse_restricted, wanted_roles
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema import delegation as schema
from clearsky.identity.store import assignment, delegation
from clearsky.identity.token_body import view_rule

routes = Routes()
_ALL = "/v3/users/{user_id}/application_credentials"
_ONE = f"{_ALL}/{{application_credential_id}}"


def _view(call: Call, row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "system": None,
        "expires_at": times.plain(row.expires_at) if row.expires_at is not None else None,
        "unrestricted": row.unrestricted,
        "links": link(call, f"users/{row.user_id}/application_credentials", row.id),
    }


def _parts(c: Connection, ids: Any) -> dict[str, dict[str, Any]]:
    """Return the roles and access rules of application credentials; `ids` is one id, or a query for several."""
    roles = delegation.roles_of_application_credentials(c, ids)
    rules = delegation.rules_of_application_credentials(c, ids)
    parts: dict[str, dict[str, Any]] = {}
    for id, found in roles.items():
        shown = [{"id": role.id, "name": role.name, "domain_id": role.domain_id or None} for role in found]
        parts[id] = {"roles": shown}
    for id, found in rules.items():
        parts.setdefault(id, {"roles": []})["access_rules"] = [view_rule(rule) for rule in found]
    return parts


def _whole(call: Call, c: Connection, row: Any) -> dict[str, Any]:
    return _view(call, row) | _parts(c, row.id).get(row.id, {"roles": []})


@routes.post(
    _ALL,
    rule="identity:any_token",
    status=201,
    request=schema.CREATE_APPLICATION_CREDENTIAL,
    response=schema.APPLICATION_CREDENTIAL,
)
def create_application_credential(call: Call) -> Reply:
    """Create an application credential for the token's project; the secret is shown this once."""
    user_id, body = call.params["user_id"], call.body["application_credential"]
    call.authorize("identity:create_application_credential", user_id=user_id)
    refuse_delegated(call, "create an application credential")
    project_id = call.caller.project_id
    if project_id is None:
        raise Forbidden(
            "An application credential is for a project: use a project-scoped token to create one."
        )
    expires_at = times.parse_future(body.get("expires_at"), "application_credential.expires_at", time.time())
    secret = body.get("secret") or secrets.token_urlsafe(64)
    settings = call.house.config.identity
    secret_hash = passwords.hash_password(settings, secret)  # takes long: outside the transaction
    values = {
        "id": uuid.uuid4().hex,
        "user_id": user_id,
        "name": body["name"],
        "description": body.get("description"),
        "secret_hash": secret_hash,
        "project_id": project_id,
        "expires_at": expires_at,
        "unrestricted": bool(body.get("unrestricted")),
    }
    with writing(call) as c:
        refuse_restricted(c, call, "additional application credentials")
        role_ids = _roles(c, call, body, project_id)
        rule_ids = [_rule(c, user_id, given) for given in body.get("access_rules") or []]
        row = delegation.add_application_credential(
            c, values, role_ids, rule_ids, settings.application_credentials_per_user
        )
        shown = _whole(call, c, row)
    audit.changed(call, "create", "application credential", row.id, project_id=project_id)
    return Reply({"application_credential": shown | {"secret": secret}})


def _roles(c: Connection, call: Call, body: dict[str, Any], project_id: str) -> list[str]:
    """Return the roles that are asked for, by default all of the token's; raises Invalid for one the caller lacks."""
    held = assignment.roles_on(c, call.caller.user_id, "project", project_id)
    held = {id: name for id, name in held.items() if name in call.caller.roles}
    if not body.get("roles"):
        return list(held)
    wanted = wanted_roles(c, body["roles"])
    for role_id in wanted:
        if role_id not in held:
            raise Invalid(
                f"Invalid application credential: Could not find role assignment with role: {role_id}, user or "
                f"group: {call.caller.user_id}, project, domain, or system: {project_id}."
            )
    return wanted


def _rule(c: Connection, user_id: str, given: dict[str, Any]) -> str:
    if "id" in given:
        return str(delegation.access_rule(c, given["id"], user_id).id)
    return delegation.ensure_access_rule(c, user_id, given)


@routes.get(_ALL, rule="identity:any_token", response=schema.APPLICATION_CREDENTIALS)
def list_application_credentials(call: Call) -> Reply:
    """List a user's application credentials."""
    user_id, table = call.params["user_id"], t.application_credentials
    call.authorize("identity:list_application_credentials", user_id=user_id)
    query = filtered(call, delegation.application_credentials_of(user_id), table, ("name",))
    return listed(call, "application_credentials", query, table, _view, more=_parts)


def _own(c: Connection, call: Call) -> Any:
    return delegation.application_credential(
        c, call.params["application_credential_id"], call.params["user_id"]
    )


@routes.get(_ONE, rule="identity:any_token", response=schema.APPLICATION_CREDENTIAL)
def show_application_credential(call: Call) -> Reply:
    """Show an application credential, without its secret."""
    call.authorize("identity:get_application_credential", user_id=call.params["user_id"])
    with call.house.db.read() as c:
        shown = _whole(call, c, _own(c, call))
    return Reply({"application_credential": shown})


@routes.delete(_ONE, rule="identity:any_token")
def delete_application_credential(call: Call) -> Reply:
    """Delete an application credential; its tokens are void at once."""
    call.authorize("identity:delete_application_credential", user_id=call.params["user_id"])
    with writing(call) as c:
        refuse_restricted(c, call, "additional application credentials")
        row = _own(c, call)
        delegation.remove_application_credentials(c, t.application_credentials.c.id == row.id)
    audit.changed(call, "delete", "application credential", row.id)
    return Reply()


# -- access rules -----------------------------------------------------------------------------------------------

_RULES = "/v3/users/{user_id}/access_rules"
_RULE = f"{_RULES}/{{access_rule_id}}"


def _view_rule(call: Call, row: Any) -> dict[str, Any]:
    return view_rule(row) | {"links": link(call, f"users/{row.user_id}/access_rules", row.id)}


@routes.get(_RULES, rule="identity:any_token", response=schema.ACCESS_RULES)
def list_access_rules(call: Call) -> Reply:
    """List a user's access rules."""
    user_id, table = call.params["user_id"], t.access_rules
    call.authorize("identity:list_access_rules", user_id=user_id)
    query = filtered(call, delegation.access_rules_of(user_id), table, ("service", "method", "path"))
    return listed(call, "access_rules", query, table, _view_rule)


@routes.get(_RULE, rule="identity:any_token", response=schema.ACCESS_RULE)
def show_access_rule(call: Call) -> Reply:
    """Show an access rule."""
    call.authorize("identity:get_access_rule", user_id=call.params["user_id"])
    with call.house.db.read() as c:
        row = delegation.access_rule(c, call.params["access_rule_id"], call.params["user_id"])
    return Reply({"access_rule": _view_rule(call, row)})


@routes.delete(_RULE, rule="identity:any_token")
def delete_access_rule(call: Call) -> Reply:
    """Delete an access rule that no application credential uses."""
    call.authorize("identity:delete_access_rule", user_id=call.params["user_id"])
    with writing(call) as c:
        delegation.remove_access_rule(c, call.params["access_rule_id"], call.params["user_id"])
    audit.changed(call, "delete", "access rule", call.params["access_rule_id"])
    return Reply()
