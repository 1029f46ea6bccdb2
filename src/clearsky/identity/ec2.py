"""From a signature by an EC2 key to a token: what the API's routes and services that speak EC2 or S3 do."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
from sqlalchemy import Connection

from clearsky.errors import NotFound, Unauthorized
from clearsky.house import House
from clearsky.identity import service
from clearsky.identity.standing import Standing, begin
from clearsky.identity.store import credential, delegation
from clearsky.identity.tokens import REFUSED, Token, new_audit_id


def log_in(house: House, access: str, check: Callable[[str], bool], method: str) -> Standing:
    """Return what the key with this `access` gives, where `check(secret)` says that the signature is right.

    Raises Unauthorized for an unknown key, a wrong signature, a user or project that is disabled or has no role.
    """
    with house.db.read() as c:
        try:
            row = credential.get(c, credential.ec2_id(access))
        except NotFound as error:
            raise Unauthorized("EC2 access key not found.") from error
        if row.type != "ec2":
            raise Unauthorized("EC2 access key not found.")
        blob = orjson.loads(credential.blob_of(service.credential_keys(house), row))
        if not check(blob["secret"]):
            raise Unauthorized("EC2 signature not supplied or wrong.")
        return _stand(c, house, row.user_id, row.project_id, blob, method)


def _stand(
    c: Connection, house: House, user_id: str, project_id: str, blob: dict[str, str], method: str
) -> Standing:
    """Make a token that is limited as the one was that made the key."""
    now = time.time()
    trust_id = blob.get("trust_id") or ""
    if trust_id:
        try:
            user_id = delegation.trust(c, trust_id, now).trustee_user_id
        except NotFound as error:
            raise Unauthorized(REFUSED) from error
    made = Token(
        user_id,
        "project",
        project_id,
        (method,),
        now,
        now + house.config.identity.token_lifetime_s,
        (new_audit_id(),),
        trust_id=trust_id,
        application_credential_id=blob.get("app_cred_id") or "",
        access_token_id=blob.get("access_token_id") or "",
    )
    return begin(c, made)
