"""Consumers of OAuth 1.0: programs that users may let act for them."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid
from clearsky.identity import service, store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema import oauth1 as schema
from clearsky.identity.store import oauth1, revocation

routes = Routes()
_ALL = "/v3/OS-OAUTH1/consumers"
_ONE = f"{_ALL}/{{consumer_id}}"
_KNOWN = {"id", "description", "secret", "links"}


def _view(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "description": row.description,
        "links": link(call, "OS-OAUTH1/consumers", row.id),
    }
    return (row.extra or {}) | shown


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body with names that are words: `some:odd-name` becomes `some_odd_name`."""
    return {name.replace(":", "_").replace("-", "_"): value for name, value in body.items()}


@routes.post(
    _ALL,
    rule="identity:create_consumer",
    status=201,
    request=schema.CREATE_CONSUMER,
    response=schema.MADE_CONSUMER,
)
def create_consumer(call: Call) -> Reply:
    """Create a consumer; its secret is shown this once."""
    body, secret = _plain(call.body["consumer"]), secrets.token_hex(16)
    values = {
        "id": uuid.uuid4().hex,
        "description": body.get("description"),
        "extra": attributes.others(body, _KNOWN),
    }
    with writing(call) as c:
        row = oauth1.add_consumer(c, service.credential_keys(call.house), values, secret)
    return Reply({"consumer": _view(call, row) | {"secret": secret}})


@routes.get(_ALL, rule="identity:list_consumers", response=schema.CONSUMERS)
def list_consumers(call: Call) -> Reply:
    """List the consumers."""
    table = t.consumers
    return listed(call, "consumers", filtered(call, select(table), table, ("id",)), table, _view)


@routes.get(_ONE, rule="identity:get_consumer", response=schema.CONSUMER)
def show_consumer(call: Call) -> Reply:
    """Show a consumer, without its secret."""
    with call.house.db.read() as c:
        row = oauth1.consumer(c, call.params["consumer_id"])
    return Reply({"consumer": _view(call, row)})


@routes.patch(_ONE, rule="identity:update_consumer", request=schema.UPDATE_CONSUMER, response=schema.CONSUMER)
def update_consumer(call: Call) -> Reply:
    """Change what is said of a consumer; its secret stays."""
    body, id = _plain(call.body["consumer"]), call.params["consumer_id"]
    if body.get("id", id) != id:
        raise Invalid(f"consumer.id = {body['id']!r:.80} should be left out: a consumer keeps its id.")
    with writing(call) as c:
        row = oauth1.consumer(c, id)
        values = {"extra": attributes.others(body, _KNOWN, row)}
        if "description" in body:
            values["description"] = body["description"]
        row = store.change(c, t.consumers, id, values, oauth1.CONSUMER)
    return Reply({"consumer": _view(call, row)})


@routes.delete(_ONE, rule="identity:delete_consumer")
def delete_consumer(call: Call) -> Reply:
    """Delete a consumer; what it was allowed is void at once."""
    id = call.params["consumer_id"]
    with writing(call) as c:
        oauth1.remove_consumer(c, id)
        revocation.tell(c, service.remember_s(call.house), **{"OS-OAUTH1:consumer_id": id})
    return Reply()
