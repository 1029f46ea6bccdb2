"""Identity providers, their protocols, mappings, and service providers."""

from __future__ import annotations

import re
import uuid
from typing import Any

from sqlalchemy import Connection, delete, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid
from clearsky.identity import audit, store
from clearsky.identity import tables as t
from clearsky.identity.api.render import enclose, filtered, link, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.federation import mapping as language
from clearsky.identity.schema import federation as schema
from clearsky.identity.store import federation, resource

routes = Routes()
_BASE = "/v3/OS-FEDERATION"
_PROVIDERS = f"{_BASE}/identity_providers"
_PROVIDER = f"{_PROVIDERS}/{{provider_id}}"
_PROTOCOLS = f"{_PROVIDER}/protocols"
_PROTOCOL = f"{_PROTOCOLS}/{{protocol_id}}"
_MAPPING = f"{_BASE}/mappings/{{mapping_id}}"
_SERVICE = f"{_BASE}/service_providers/{{service_provider_id}}"


def _id(call: Call, name: str) -> str:
    """Return an id that the client chooses; raises Invalid for one that cannot be kept."""
    id = call.params[name]
    if not id.strip() or len(id) > 64:
        raise Invalid(f"The id {id!r:.80} in the path should have 1 to 64 characters.")
    return id


# -- identity providers -----------------------------------------------------------------------------------------


def _view_provider(call: Call, row: Any) -> dict[str, Any]:
    links = link(call, "OS-FEDERATION/identity_providers", row.id)
    return {
        "id": row.id,
        "enabled": row.enabled,
        "description": row.description,
        "domain_id": row.domain_id,
        "authorization_ttl": row.authorization_ttl,
        "remote_ids": [],
        "links": links | {"protocols": f"{links['self']}/protocols"},
    }


def _remote_ids(c: Connection, ids: Any) -> dict[str, dict[str, Any]]:
    return {id: {"remote_ids": found} for id, found in federation.remote_ids_of(c, ids).items()}


def _whole(call: Call, c: Connection, row: Any) -> dict[str, Any]:
    return _view_provider(call, row) | _remote_ids(c, row.id).get(row.id, {})


@routes.put(
    _PROVIDER,
    rule="identity:create_identity_provider",
    status=201,
    request=schema.CREATE_PROVIDER,
    response=schema.PROVIDER,
)
def create_identity_provider(call: Call) -> Reply:
    """Create an identity provider, with a domain for its users where none is named."""
    id, body = _id(call, "provider_id"), call.body["identity_provider"]
    with writing(call) as c:
        given = body.get("domain_id")
        domain_id = resource.domain(c, given).id if given else _own_domain(c, id)
        values = {
            "id": id,
            "domain_id": domain_id,
            "enabled": body.get("enabled", False),
            "description": body.get("description"),
            "authorization_ttl": body.get("authorization_ttl"),
        }
        row = store.create(c, t.identity_providers, values, "identity_provider")
        federation.set_remote_ids(c, id, body.get("remote_ids") or [])
        shown = _whole(call, c, row)
    audit.changed(call, "create", "identity provider", id)
    return Reply({"identity_provider": shown})


def _own_domain(c: Connection, provider_id: str) -> str:
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "name": uuid.uuid4().hex,
        "domain_id": resource.DOMAIN_ROOT,
        "parent_id": None,
        "is_domain": True,
        "description": f"Domain of the users of identity provider {provider_id}",
        "options": {},
        "extra": {},
    }
    return str(store.create(c, t.projects, values, "domain").id)


@routes.get(_PROVIDERS, rule="identity:list_identity_providers", response=schema.PROVIDERS)
def list_identity_providers(call: Call) -> Reply:
    """List identity providers."""
    table = t.identity_providers
    query = filtered(call, select(table), table, ("id", "enabled"))
    return listed(call, "identity_providers", query, table, _view_provider, more=_remote_ids)


@routes.get(_PROVIDER, rule="identity:get_identity_provider", response=schema.PROVIDER)
def show_identity_provider(call: Call) -> Reply:
    """Show an identity provider."""
    with call.house.db.read() as c:
        row = store.get(c, t.identity_providers, call.params["provider_id"], "identity provider")
        shown = _whole(call, c, row)
    return Reply({"identity_provider": shown})


@routes.patch(
    _PROVIDER,
    rule="identity:update_identity_provider",
    request=schema.UPDATE_PROVIDER,
    response=schema.PROVIDER,
)
def update_identity_provider(call: Call) -> Reply:
    """Update an identity provider."""
    id, body = call.params["provider_id"], call.body["identity_provider"]
    values = {name: body[name] for name in ("enabled", "description", "authorization_ttl") if name in body}
    with writing(call) as c:
        row = store.change(c, t.identity_providers, id, values, "identity provider")
        if "remote_ids" in body:
            federation.set_remote_ids(c, id, body["remote_ids"] or [])
        shown = _whole(call, c, row)
        store.bump(c)  # a disabled provider's users are out at once
    audit.changed(call, "update", "identity provider", id)
    return Reply({"identity_provider": shown})


@routes.delete(_PROVIDER, rule="identity:delete_identity_provider")
def delete_identity_provider(call: Call) -> Reply:
    """Delete an identity provider with its protocols; its domain and users stay, but cannot log in by it."""
    id = call.params["provider_id"]
    with writing(call) as c:
        store.get(c, t.identity_providers, id, "identity provider")
        federation.remove_provider(c, id)
        store.bump(c)
    audit.changed(call, "delete", "identity provider", id)
    return Reply()


# -- protocols --------------------------------------------------------------------------------------------------


def _view_protocol(call: Call, row: Any) -> dict[str, Any]:
    provider = f"{call.base_url}{_PROVIDERS}/{row.provider_id}"
    links = {"self": f"{provider}/protocols/{row.id}", "identity_provider": provider}
    shown = {"id": row.id, "mapping_id": row.mapping_id, "links": links}
    return shown | ({"remote_id_attribute": row.remote_id_attribute} if row.remote_id_attribute else {})


def _mapping_there(c: Connection, id: str) -> None:
    if c.execute(select(t.mappings.c.id).where(t.mappings.c.id == id)).first() is None:
        raise Invalid(f"protocol.mapping_id = {id!r}: there is no such mapping")


@routes.put(
    _PROTOCOL,
    rule="identity:create_protocol",
    status=201,
    request=schema.CREATE_PROTOCOL,
    response=schema.PROTOCOL,
)
def create_protocol(call: Call) -> Reply:
    """Say how an identity provider is spoken to, and by which mapping its claims are read."""
    body = call.body["protocol"]
    values = {
        "provider_id": call.params["provider_id"],
        "id": _id(call, "protocol_id"),
        "mapping_id": body["mapping_id"],
        "remote_id_attribute": body.get("remote_id_attribute"),
    }
    with writing(call) as c:
        store.get(c, t.identity_providers, values["provider_id"], "identity provider")
        _mapping_there(c, body["mapping_id"])
        row = store.create(c, t.protocols, values, "federation_protocol")
    audit.changed(call, "create", "protocol", row.id, identity_provider_id=row.provider_id)
    return Reply({"protocol": _view_protocol(call, row)})


@routes.get(_PROTOCOLS, rule="identity:list_protocols", response=schema.PROTOCOLS)
def list_protocols(call: Call) -> Reply:
    """List the protocols of an identity provider."""
    with call.house.db.read() as c:
        store.get(c, t.identity_providers, call.params["provider_id"], "identity provider")
        rows = c.execute(federation.protocols_of(call.params["provider_id"])).all()
    shown = [
        _view_protocol(call, row)
        | {"idp_id": row.provider_id, "remote_id_attribute": row.remote_id_attribute}
        for row in rows
    ]
    return enclose(call, "protocols", shown)


@routes.get(_PROTOCOL, rule="identity:get_protocol", response=schema.PROTOCOL)
def show_protocol(call: Call) -> Reply:
    """Show a protocol of an identity provider."""
    with call.house.db.read() as c:
        row = federation.protocol(c, call.params["provider_id"], call.params["protocol_id"])
    return Reply({"protocol": _view_protocol(call, row)})


@routes.patch(
    _PROTOCOL, rule="identity:update_protocol", request=schema.UPDATE_PROTOCOL, response=schema.PROTOCOL
)
def update_protocol(call: Call) -> Reply:
    """Let a protocol use another mapping."""
    body = call.body["protocol"]
    with writing(call) as c:
        if "mapping_id" in body:
            _mapping_there(c, body["mapping_id"])
        row = federation.change_protocol(
            c, call.params["provider_id"], call.params["protocol_id"], dict(body)
        )
    audit.changed(call, "update", "protocol", row.id, identity_provider_id=row.provider_id)
    return Reply({"protocol": _view_protocol(call, row)})


@routes.delete(_PROTOCOL, rule="identity:delete_protocol")
def delete_protocol(call: Call) -> Reply:
    """Delete a protocol of an identity provider."""
    provider_id, id = call.params["provider_id"], call.params["protocol_id"]
    with writing(call) as c:
        federation.remove_protocol(c, provider_id, id)
        store.bump(c)
    audit.changed(call, "delete", "protocol", id, identity_provider_id=provider_id)
    return Reply()


# -- mappings ---------------------------------------------------------------------------------------------------


def _view_mapping(call: Call, row: Any) -> dict[str, Any]:
    shown = {"id": row.id, "rules": row.rules, "schema_version": row.schema_version}
    return shown | {"links": link(call, "OS-FEDERATION/mappings", row.id)}


def _check_patterns(rules: list[dict[str, Any]]) -> None:
    for pattern in language.patterns(rules):
        try:
            re.compile(pattern)
        except re.error as error:
            raise Invalid(f"mapping.rules: {pattern!r:.80} is not a regular expression: {error}") from error


@routes.put(
    _MAPPING,
    rule="identity:create_mapping",
    status=201,
    request=schema.CREATE_MAPPING,
    response=schema.MAPPING,
)
def create_mapping(call: Call) -> Reply:
    """Create a mapping: rules that turn claims into users, groups and projects."""
    body = call.body["mapping"]
    _check_patterns(body["rules"])
    values = {
        "id": _id(call, "mapping_id"),
        "rules": body["rules"],
        "schema_version": body.get("schema_version") or "1.0",
    }
    with writing(call) as c:
        row = store.create(c, t.mappings, values, "mapping")
    audit.changed(call, "create", "mapping", row.id)
    return Reply({"mapping": _view_mapping(call, row)})


@routes.get(f"{_BASE}/mappings", rule="identity:list_mappings", response=schema.MAPPINGS)
def list_mappings(call: Call) -> Reply:
    """List mappings."""
    return listed(call, "mappings", select(t.mappings), t.mappings, _view_mapping)


@routes.get(_MAPPING, rule="identity:get_mapping", response=schema.MAPPING)
def show_mapping(call: Call) -> Reply:
    """Show a mapping."""
    with call.house.db.read() as c:
        row = store.get(c, t.mappings, call.params["mapping_id"], "mapping")
    return Reply({"mapping": _view_mapping(call, row)})


@routes.patch(
    _MAPPING, rule="identity:update_mapping", request=schema.UPDATE_MAPPING, response=schema.MAPPING
)
def update_mapping(call: Call) -> Reply:
    """Replace the rules of a mapping; they count from the next log-in on."""
    body = call.body["mapping"]
    _check_patterns(body["rules"])
    with writing(call) as c:
        values = {name: body[name] for name in ("rules", "schema_version") if body.get(name) is not None}
        row = store.change(c, t.mappings, call.params["mapping_id"], values, "mapping")
    audit.changed(call, "update", "mapping", row.id)
    return Reply({"mapping": _view_mapping(call, row)})


@routes.delete(_MAPPING, rule="identity:delete_mapping")
def delete_mapping(call: Call) -> Reply:
    """Delete a mapping; protocols that use it let nobody in until they have another one."""
    id = call.params["mapping_id"]
    with writing(call) as c:
        store.get(c, t.mappings, id, "mapping")
        c.execute(delete(t.mappings).where(t.mappings.c.id == id))
    audit.changed(call, "delete", "mapping", id)
    return Reply()


# -- service providers ------------------------------------------------------------------------------------------


def _view_service(call: Call, row: Any) -> dict[str, Any]:
    names = ("id", "auth_url", "sp_url", "enabled", "description", "relay_state_prefix")
    shown = {name: getattr(row, name) for name in names}
    return shown | {"links": link(call, "OS-FEDERATION/service_providers", row.id)}


def _service_values(body: dict[str, Any]) -> dict[str, Any]:
    values = dict(body)
    if "relay_state_prefix" in values:
        values["relay_state_prefix"] = values["relay_state_prefix"] or "ss:mem:"
    return values


@routes.put(
    _SERVICE,
    rule="identity:create_service_provider",
    status=201,
    request=schema.CREATE_SERVICE_PROVIDER,
    response=schema.SERVICE_PROVIDER,
)
def create_service_provider(call: Call) -> Reply:
    """Tell of another cloud that takes our users; tokens name it."""
    defaults = {"enabled": False, "relay_state_prefix": "ss:mem:", "description": None}
    values = (
        defaults | {"id": _id(call, "service_provider_id")} | _service_values(call.body["service_provider"])
    )
    with writing(call) as c:
        row = store.create(c, t.service_providers, values, "service_provider")
        store.bump(c)
    audit.changed(call, "create", "service provider", row.id)
    return Reply({"service_provider": _view_service(call, row)})


@routes.get(
    f"{_BASE}/service_providers", rule="identity:list_service_providers", response=schema.SERVICE_PROVIDERS
)
def list_service_providers(call: Call) -> Reply:
    """List service providers."""
    table = t.service_providers
    query = filtered(call, select(table), table, ("id", "enabled"))
    return listed(call, "service_providers", query, table, _view_service)


@routes.get(_SERVICE, rule="identity:get_service_provider", response=schema.SERVICE_PROVIDER)
def show_service_provider(call: Call) -> Reply:
    """Show a service provider."""
    with call.house.db.read() as c:
        row = store.get(c, t.service_providers, call.params["service_provider_id"], "service provider")
    return Reply({"service_provider": _view_service(call, row)})


@routes.patch(
    _SERVICE,
    rule="identity:update_service_provider",
    request=schema.UPDATE_SERVICE_PROVIDER,
    response=schema.SERVICE_PROVIDER,
)
def update_service_provider(call: Call) -> Reply:
    """Update a service provider."""
    id, values = call.params["service_provider_id"], _service_values(call.body["service_provider"])
    with writing(call) as c:
        row = store.change(c, t.service_providers, id, values, "service provider")
        store.bump(c)
    audit.changed(call, "update", "service provider", id)
    return Reply({"service_provider": _view_service(call, row)})


@routes.delete(_SERVICE, rule="identity:delete_service_provider")
def delete_service_provider(call: Call) -> Reply:
    """Delete a service provider."""
    id = call.params["service_provider_id"]
    with writing(call) as c:
        store.get(c, t.service_providers, id, "service provider")
        c.execute(delete(t.service_providers).where(t.service_providers.c.id == id))
        store.bump(c)
    audit.changed(call, "delete", "service provider", id)
    return Reply()
