"""Bodies of OAuth 1.0."""

from __future__ import annotations

from clearsky.api.schema import Schema
from clearsky.identity.schema.common import ID, LINKS, NAME, TEXT, index, request, show

_CONSUMER = {"id": ID, "description": TEXT, "links": LINKS}
CREATE_CONSUMER = request("consumer", {"description": TEXT})
UPDATE_CONSUMER = Schema(
    {
        "type": "object",
        "properties": {
            "consumer": {
                "type": "object",
                "properties": {"description": TEXT, "secret": False},
                "additionalProperties": True,
            }
        },
        "required": ["consumer"],
    }
)
MADE_CONSUMER = show("consumer", _CONSUMER | {"secret": {"type": "string"}})
CONSUMER = show("consumer", _CONSUMER)
CONSUMERS = index("consumers", _CONSUMER)

AUTHORIZE = Schema(
    {
        "type": "object",
        "properties": {
            "roles": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": ID, "name": NAME},
                    "minProperties": 1,
                    "maxProperties": 1,
                    "additionalProperties": False,
                },
                "minItems": 1,
                "maxItems": 100,
            }
        },
        "required": ["roles"],
    }
)
AUTHORIZED = show("token", {"oauth_verifier": {"type": "string"}})

_ACCESS_TOKEN = {
    "id": ID,
    "consumer_id": ID,
    "project_id": ID,
    "authorizing_user_id": ID,
    "expires_at": {"type": ["string", "null"]},
    "links": {"type": "object", "required": ["self", "roles"]},
}
ACCESS_TOKEN = show("access_token", _ACCESS_TOKEN)
ACCESS_TOKENS = index("access_tokens", _ACCESS_TOKEN)
