"""By an identity provider's word: proven claims, mapped to a user and groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import Forbidden, NotFound, Unauthorized
from clearsky.house import House
from clearsky.identity import tables as t
from clearsky.identity.auth.interface import Proof
from clearsky.identity.federation import mapping, shadow
from clearsky.identity.federation.claims import attributes
from clearsky.identity.store import AnyRow, federation, get, keep_references
from clearsky.identity.tokens import REFUSED, Federation


def find(c: Connection, provider_id: str, protocol_id: str) -> tuple[AnyRow, AnyRow]:
    """Return an identity provider and one of its protocols; raises NotFound, or Unauthorized for a disabled one."""
    provider = c.execute(select(t.identity_providers).where(t.identity_providers.c.id == provider_id)).first()
    if provider is None:
        raise NotFound(f"Could not find Identity Provider: {provider_id}.")
    protocol = federation.protocol(c, provider_id, protocol_id)
    if not provider.enabled:
        raise Unauthorized(f"Identity Provider {provider_id} is disabled.")
    return provider, protocol


def prove(house: House, provider_id: str, protocol_id: str, claims: Mapping[str, Any]) -> Proof:
    """Return whom the claims lead to, after writing down what they give."""
    found = attributes(claims)
    with house.db.write() as c:
        keep_references(c)
        provider, protocol = find(c, provider_id, protocol_id)
        _check_remote(c, provider, protocol, found)
        try:
            rules = get(c, t.mappings, protocol.mapping_id, "mapping").rules
        except NotFound as error:
            raise Unauthorized(REFUSED) from error
        made = shadow.write(c, provider, protocol.id, mapping.apply(rules, found))
    vouched = None if made.local else Federation(provider.id, protocol.id, made.group_ids)
    return Proof(made.user_id, (protocol.id,), federation=vouched)


def _check_remote(c: Connection, provider: AnyRow, protocol: AnyRow, found: dict[str, list[str]]) -> None:
    """Raise Forbidden where the provider has remote ids, and the claims come from another one."""
    accepted = federation.remote_ids_of(c, provider.id).get(provider.id, [])
    if not accepted and not protocol.remote_id_attribute:
        return
    told = found.get(protocol.remote_id_attribute or "HTTP_OIDC_ISS", [])
    if not set(told) & set(accepted):
        raise Forbidden(
            "Incoming identity provider identifier not included among the accepted identifiers "
            f"(remote_ids) of {provider.id}."
        )
