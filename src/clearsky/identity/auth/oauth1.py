"""By OAuth 1.0: a request that a consumer has signed with an access token."""

from __future__ import annotations

import time

from clearsky.errors import Invalid, NotFound, Unauthorized
from clearsky.house import House
from clearsky.identity import oauth1, service
from clearsky.identity.auth.interface import Proof
from clearsky.identity.oauth1 import Signed
from clearsky.identity.store import oauth1 as store


def authenticate(house: House, signed: Signed) -> Proof:
    """Check the signature; raises NotFound for an unknown access token, Unauthorized for one that has expired."""
    id, keys = signed.need("token"), service.credential_keys(house)
    with house.db.read() as c:
        row = store.access_token(c, id)
        try:
            consumer = store.consumer(c, signed.given.get("consumer_key", ""))
        except NotFound as error:
            raise Unauthorized("Could not validate the access token.") from error
    if row.expires_at is not None and row.expires_at <= time.time():
        raise Unauthorized("Access token is expired.")
    if consumer.id != row.consumer_id:
        raise Unauthorized("Could not validate the access token.")
    try:
        oauth1.insist(house, signed, store.secret_of(keys, consumer), store.secret_of(keys, row))
    except Invalid as error:
        raise Unauthorized(f"Could not validate the access token: {error.message}") from error
    return Proof(row.authorizing_user_id, ("oauth1",), access_token_id=row.id, project_id=row.project_id)
