"""EC2 keys of users, and tokens for requests that were signed with one."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid, NotFound
from clearsky.identity import audit, ec2, service, signatures, store
from clearsky.identity import tables as t
from clearsky.identity.api.auth import issued, refusing
from clearsky.identity.api.credentials import made_by
from clearsky.identity.api.render import enclose, link
from clearsky.identity.api.writing import writing
from clearsky.identity.schema import auth as auth_schema
from clearsky.identity.schema import credential as schema
from clearsky.identity.store import credential, resource

routes = Routes()
_ALL = "/v3/users/{user_id}/credentials/OS-EC2"
_ONE = f"{_ALL}/{{credential_id}}"


def _view(call: Call, row: Any) -> dict[str, Any]:
    blob = orjson.loads(credential.blob_of(service.credential_keys(call.house), row))
    return {
        "access": blob["access"],
        "secret": blob["secret"],
        "user_id": row.user_id,
        "tenant_id": row.project_id,
        "trust_id": blob.get("trust_id"),
        "links": link(call, f"users/{row.user_id}/credentials/OS-EC2", blob["access"]),
    }


@routes.post(_ALL, rule="identity:any_token", status=201, request=schema.CREATE_EC2, response=schema.EC2)
def create_ec2_credential(call: Call) -> Reply:
    """Make an access key and its secret for a project."""
    user_id = call.params["user_id"]
    call.authorize("identity:ec2_create_credential", user_id=user_id)
    project_id = call.body.get("tenant_id") or call.body["project_id"]
    access, secret = uuid.uuid4().hex, uuid.uuid4().hex
    blob = {"access": access, "secret": secret, "trust_id": None} | made_by(call.caller.token)
    values = {
        "id": credential.ec2_id(access),
        "user_id": user_id,
        "project_id": project_id,
        "type": "ec2",
        "extra": {},
    }
    with writing(call) as c:
        store.get(c, t.users, user_id, "user")
        resource.project(c, project_id)
        row = credential.add(c, service.credential_keys(call.house), values, orjson.dumps(blob).decode())
    audit.changed(call, "create", "credential", row.id, type="ec2")
    return Reply({"credential": _view(call, row)})


@routes.get(_ALL, rule="identity:any_token", response=schema.EC2S)
def list_ec2_credentials(call: Call) -> Reply:
    """List a user's access keys."""
    call.authorize("identity:ec2_list_credentials", user_id=call.params["user_id"])
    with call.house.db.read() as c:
        store.get(c, t.users, call.params["user_id"], "user")
        rows = credential.of_user(c, call.params["user_id"], "ec2")
    return enclose(call, "credentials", [_view(call, row) for row in rows])


def _found(c: Connection, call: Call, rule: str) -> Any:
    call.authorize(rule, user_id=call.params["user_id"])
    row = credential.get(c, credential.ec2_id(call.params["credential_id"]))
    if row.user_id != call.params["user_id"] or row.type != "ec2":
        raise NotFound(f"Could not find credential: {call.params['credential_id']}.")
    return row


@routes.get(_ONE, rule="identity:any_token", response=schema.EC2)
def show_ec2_credential(call: Call) -> Reply:
    """Show an access key and its secret."""
    with call.house.db.read() as c:
        row = _found(c, call, "identity:ec2_get_credential")
    return Reply({"credential": _view(call, row)})


@routes.delete(_ONE, rule="identity:any_token")
def delete_ec2_credential(call: Call) -> Reply:
    """Delete an access key."""
    with writing(call) as c:
        row = _found(c, call, "identity:ec2_delete_credential")
        credential.remove(c, row.id)
    audit.changed(call, "delete", "credential", row.id, type="ec2")
    return Reply()


# -- tokens for signed requests ---------------------------------------------------------------------------------


def _signed(call: Call) -> dict[str, Any]:
    given = call.body.get("credentials") or call.body.get("ec2Credentials")
    if not given:
        raise Invalid("the body needs credentials with access and signature")
    found: dict[str, Any] = given
    return found


def _check_ec2(secret: str, given: dict[str, Any]) -> bool:
    if signatures.same(signatures.ec2(secret, given), given["signature"]):
        return True
    # Some clients sign the host without its port.
    host = str(given.get("host", ""))
    bare = given | {"host": signatures.with_port_left_out(host)}
    return bare["host"] != host and signatures.same(signatures.ec2(secret, bare), given["signature"])


def _check_s3(secret: str, given: dict[str, Any]) -> bool:
    if not given.get("token"):
        raise Invalid("credentials.token should be the string to sign in URL-safe base64")
    return signatures.same(signatures.s3(secret, given["token"]), given["signature"])


def _token_for(call: Call, method: str, check: Any) -> Reply:
    given = _signed(call)
    with refusing(call, {"access": given["access"]}, [method]):
        standing = ec2.log_in(call.house, given["access"], lambda secret: check(secret, given), method)
    return issued(call, standing)


@routes.post(
    "/v3/ec2tokens", rule="identity:ec2tokens_validate", request=schema.SIGNED, response=auth_schema.TOKEN
)
def token_for_ec2_request(call: Call) -> Reply:
    """Give a token for a request that was signed with an EC2 key; for services that speak EC2."""
    return _token_for(call, "ec2credential", _check_ec2)


@routes.post(
    "/v3/s3tokens", rule="identity:s3tokens_validate", request=schema.SIGNED, response=auth_schema.TOKEN
)
def token_for_s3_request(call: Call) -> Reply:
    """Give a token for a request that was signed with an EC2 key; for services that speak S3."""
    reply = _token_for(call, "s3credential", _check_s3)
    return Reply(reply.body)  # what it stands for, not the token itself
