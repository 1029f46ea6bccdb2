"""Stored credentials: TOTP seeds, certificates, EC2 keys; encrypted at rest."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid
from clearsky.identity import audit, service, store
from clearsky.identity import tables as t
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema import credential as schema
from clearsky.identity.store import credential
from clearsky.identity.tokens import Token

routes = Routes()
_ALL = "/v3/credentials"
_ONE = f"{_ALL}/{{credential_id}}"
_KNOWN = ("id", "user_id", "project_id", "type", "blob", "links")
_FIXED = ("trust_id", "app_cred_id", "access_token_id")
"""Parts of an EC2 blob that say by what token it was made: they limit it, so they stay."""


def view(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "type": row.type,
        "blob": credential.blob_of(service.credential_keys(call.house), row),
        "links": link(call, "credentials", row.id),
    }
    return (row.extra or {}) | shown


def made_by(token: Token) -> dict[str, str]:
    """Return what an EC2 blob keeps of the token that made it."""
    limits = {
        "trust_id": token.trust_id,
        "app_cred_id": token.application_credential_id,
        "access_token_id": token.access_token_id,
    }
    return {name: value for name, value in limits.items() if value}


def _ec2_blob(text: str) -> dict[str, Any]:
    try:
        blob = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid("credential.blob of an ec2 credential should be JSON with access and secret") from error
    if not isinstance(blob, dict) or not all(
        isinstance(blob.get(name), str) and blob[name] for name in ("access", "secret")
    ):
        raise Invalid("credential.blob of an ec2 credential should hold the texts access and secret")
    return blob


@routes.post(
    _ALL,
    rule="identity:any_token",
    status=201,
    request=schema.CREATE_CREDENTIAL,
    response=schema.CREDENTIAL,
)
def create_credential(call: Call) -> Reply:
    """Store a credential."""
    body = call.body["credential"]
    call.authorize("identity:create_credential", user_id=body["user_id"])
    id, blob = uuid.uuid4().hex, body["blob"]
    if body["type"].lower() == "ec2":
        if not body.get("project_id"):
            raise Invalid("credential.project_id is needed for an ec2 credential")
        content = _ec2_blob(blob)
        id = credential.ec2_id(content["access"])
        limits = {name: value for name, value in content.items() if name not in _FIXED}
        blob = orjson.dumps(limits | made_by(call.caller.token)).decode()
    values = {
        "id": id,
        "user_id": body["user_id"],
        "project_id": body.get("project_id") or None,
        "type": body["type"],
        "extra": {name: value for name, value in body.items() if name not in _KNOWN},
    }
    with writing(call) as c:
        store.get(c, t.users, values["user_id"], "user")
        row = credential.add(c, service.credential_keys(call.house), values, blob)
    audit.changed(call, "create", "credential", row.id, type=row.type)
    return Reply({"credential": view(call, row)})


@routes.get(_ALL, rule="identity:any_token", response=schema.CREDENTIALS)
def list_credentials(call: Call) -> Reply:
    """List the credentials that the caller may see: one's own, or for operators all."""
    table = t.credentials
    query = filtered(call, select(table), table, ("user_id", "type"))
    if not call.may("identity:get_credential", user_id=""):
        query = query.where(table.c.user_id == call.caller.user_id)
    return listed(call, "credentials", query, table, view)


def _found(c: Connection, call: Call, rule: str) -> Any:
    row = credential.get(c, call.params["credential_id"])
    call.authorize(rule, user_id=row.user_id)
    return row


@routes.get(_ONE, rule="identity:any_token", response=schema.CREDENTIAL)
def show_credential(call: Call) -> Reply:
    """Show a credential with its secret."""
    with call.house.db.read() as c:
        row = _found(c, call, "identity:get_credential")
    return Reply({"credential": view(call, row)})


@routes.patch(_ONE, rule="identity:any_token", request=schema.UPDATE_CREDENTIAL, response=schema.CREDENTIAL)
def update_credential(call: Call) -> Reply:
    """Change a credential."""
    body, keys = call.body["credential"], service.credential_keys(call.house)
    if not body:
        raise Invalid("credential needs at least one property to change")
    with writing(call) as c:
        row = _found(c, call, "identity:update_credential")
        for name in ("id", "user_id", "project_id", "type"):
            if name in body and body[name] != getattr(row, name):
                raise Invalid(f"credential.{name} can not be updated: delete it and make another one")
        if row.type.lower() == "ec2" and "blob" in body:
            _check_limits(_ec2_blob(credential.blob_of(keys, row)), _ec2_blob(body["blob"]))
        extra = {name: value for name, value in body.items() if name not in _KNOWN}
        values = {"extra": (row.extra or {}) | extra}
        row = credential.change(c, keys, row.id, values, body.get("blob"))
    audit.changed(call, "update", "credential", row.id)
    return Reply({"credential": view(call, row)})


def _check_limits(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raise Invalid where an EC2 blob would say of another token that it was made by it."""
    for name in _FIXED:
        if before.get(name) != after.get(name):
            raise Invalid(f"{name} can not be updated for credential")


@routes.delete(_ONE, rule="identity:any_token")
def delete_credential(call: Call) -> Reply:
    """Delete a credential."""
    with writing(call) as c:
        row = _found(c, call, "identity:delete_credential")
        credential.remove(c, row.id)
    audit.changed(call, "delete", "credential", row.id)
    return Reply()
