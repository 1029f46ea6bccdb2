"""Application credentials with their access rules, and trusts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from clearsky.db.engine import lock
from clearsky.errors import Forbidden, NotFound
from clearsky.identity import tables as t
from clearsky.identity.store.kit import AnyRow, bump, create, named

_CREDENTIAL, _RULE = "application credential", "access rule"


# -- application credentials ------------------------------------------------------------------------------------


def add_application_credential(
    c: Connection, values: dict[str, Any], role_ids: Iterable[str], rule_ids: Iterable[str], most: int
) -> AnyRow:
    """Insert one with its roles and rules; raises Forbidden where the user has `most` already (0: no limit)."""
    user_id = values["user_id"]
    lock(c, f"application-credentials-{user_id}")
    table = t.application_credentials
    have = c.execute(select(func.count()).select_from(table).where(table.c.user_id == user_id)).scalar_one()
    if most and have >= most:
        raise Forbidden(
            f"Unable to create additional application credentials, maximum of {most} already exceeded for user."
        )
    row = create(c, table, values, _CREDENTIAL)
    for role_id in dict.fromkeys(role_ids):
        link = {"application_credential_id": row.id, "role_id": role_id}
        c.execute(insert(t.application_credential_roles).values(**link))
    for rule_id in dict.fromkeys(rule_ids):
        link = {"application_credential_id": row.id, "access_rule_id": rule_id}
        c.execute(insert(t.application_credential_access_rules).values(**link))
    return row


def application_credentials_of(user_id: str) -> Select[Any]:
    return select(t.application_credentials).where(t.application_credentials.c.user_id == user_id)


def application_credential(c: Connection, id: str, user_id: str | None = None) -> AnyRow:
    """Return one; with `user_id` only where it is that user's. Raises NotFound."""
    query = select(t.application_credentials).where(t.application_credentials.c.id == id)
    if user_id is not None:
        query = query.where(t.application_credentials.c.user_id == user_id)
    row = c.execute(query).first()
    if row is None:
        raise NotFound(f"Could not find {_CREDENTIAL}: {id}.")
    return row


def application_credential_named(c: Connection, name: str, user_id: str) -> AnyRow | None:
    table = t.application_credentials
    return c.execute(select(table).where(table.c.name == name, table.c.user_id == user_id)).first()


def roles_of_application_credentials(c: Connection, ids: Any) -> dict[str, list[AnyRow]]:
    """Return id -> roles; `ids` is one id, or a query for several."""
    link = t.application_credential_roles
    query = select(link.c.application_credential_id, t.roles).join(t.roles, t.roles.c.id == link.c.role_id)
    return _grouped(c, query.where(named(link.c.application_credential_id, ids)).order_by(t.roles.c.name))


def rules_of_application_credentials(c: Connection, ids: Any) -> dict[str, list[AnyRow]]:
    """Return id -> access rules, of those that have any; `ids` is one id, or a query for several."""
    link, rules = t.application_credential_access_rules, t.access_rules
    query = select(link.c.application_credential_id, rules).join(rules, rules.c.id == link.c.access_rule_id)
    return _grouped(c, query.where(named(link.c.application_credential_id, ids)).order_by(rules.c.id))


def _grouped(c: Connection, query: Select[Any]) -> dict[str, list[AnyRow]]:
    found: dict[str, list[AnyRow]] = {}
    for row in c.execute(query):
        found.setdefault(row.application_credential_id, []).append(row)
    return found


def remove_application_credentials(c: Connection, where: Any) -> list[str]:
    """Delete those that fit `where`, with their links; return their ids. Their tokens are void."""
    table = t.application_credentials
    ids = list(c.execute(select(table.c.id).where(where)).scalars())
    if ids:
        for link in (t.application_credential_roles, t.application_credential_access_rules):
            c.execute(delete(link).where(link.c.application_credential_id.in_(ids)))
        c.execute(delete(table).where(table.c.id.in_(ids)))
        bump(c)
    return ids


# -- access rules -----------------------------------------------------------------------------------------------


def ensure_access_rule(c: Connection, user_id: str, given: dict[str, Any]) -> str:
    """Return the id of the user's rule that is like `given`, made where there is none."""
    table = t.access_rules
    wanted = {name: given[name] for name in ("service", "method", "path")}
    row = c.execute(select(table.c.id).filter_by(user_id=user_id, **wanted)).first()
    if row is None:
        row = create(c, table, {"id": uuid.uuid4().hex, "user_id": user_id} | wanted, _RULE)
    return str(row.id)


def access_rules_of(user_id: str) -> Select[Any]:
    return select(t.access_rules).where(t.access_rules.c.user_id == user_id)


def access_rule(c: Connection, id: str, user_id: str) -> AnyRow:
    row = c.execute(access_rules_of(user_id).where(t.access_rules.c.id == id)).first()
    if row is None:
        raise NotFound(f"Could not find {_RULE}: {id}.")
    return row


def remove_access_rule(c: Connection, id: str, user_id: str) -> None:
    """Delete a rule that no application credential uses; raises Forbidden otherwise."""
    access_rule(c, id, user_id)
    link = t.application_credential_access_rules
    using = c.execute(select(link.c.application_credential_id).where(link.c.access_rule_id == id)).first()
    if using is not None:
        raise Forbidden(
            f"May not delete access rule {id}: application credential {using.application_credential_id} uses it."
        )
    c.execute(delete(t.access_rules).where(t.access_rules.c.id == id))


# -- trusts -----------------------------------------------------------------------------------------------------


def trust(c: Connection, id: str, now: float) -> AnyRow:
    """Return a trust that can be used; raises NotFound for one that has expired or has been used up, too."""
    row = c.execute(select(t.trusts).where(t.trusts.c.id == id)).first()
    spent = row is not None and (
        (row.expires_at is not None and row.expires_at < now)
        or (row.remaining_uses is not None and row.remaining_uses <= 0)
    )
    if row is None or spent:
        raise NotFound(f"Could not find trust: {id}.")
    return row


def trust_chain(c: Connection, row: AnyRow) -> list[AnyRow]:
    """Return the trust and those that it was handed on from, nearest first; raises NotFound where one is gone."""
    chain = [row]
    while chain[-1].redelegated_trust_id and len(chain) < 64:
        above = c.execute(select(t.trusts).where(t.trusts.c.id == chain[-1].redelegated_trust_id)).first()
        if above is None:
            raise NotFound(f"Could not find trust: {chain[-1].redelegated_trust_id}.")
        chain.append(above)
    return chain


def use_trust(c: Connection, row: AnyRow) -> None:
    """Count one use; raises Forbidden where another request has taken the last one."""
    if row.remaining_uses is None:
        return
    table = t.trusts
    counted = c.execute(
        update(table)
        .where(table.c.id == row.id, table.c.remaining_uses > 0)
        .values(remaining_uses=table.c.remaining_uses - 1)
    ).rowcount
    if not counted:
        raise Forbidden(f"No remaining uses for trust: {row.id}.")


def remove_trusts(c: Connection, where: Any) -> list[str]:
    """Delete the trusts that fit `where` and all that were handed on from them; return their ids."""
    found: list[str] = []
    level = list(c.execute(select(t.trusts.c.id).where(where)).scalars())
    while level:
        found += level
        below = select(t.trusts.c.id).where(t.trusts.c.redelegated_trust_id.in_(level))
        level = [id for id in c.execute(below).scalars() if id not in found]
    if found:
        c.execute(delete(t.trusts).where(t.trusts.c.id.in_(found)))
        bump(c)
    return found


# -- what goes with users, projects, roles: `ids` is one id, or a query for several -----------------------------


def forget_users(c: Connection, ids: Any) -> None:
    """Take away what users have handed on or were handed."""
    remove_application_credentials(c, named(t.application_credentials.c.user_id, ids))
    c.execute(delete(t.access_rules).where(named(t.access_rules.c.user_id, ids)))
    remove_trusts(c, or_(named(t.trusts.c.trustor_user_id, ids), named(t.trusts.c.trustee_user_id, ids)))


def forget_projects(c: Connection, ids: Any) -> None:
    remove_application_credentials(c, named(t.application_credentials.c.project_id, ids))
    remove_trusts(c, named(t.trusts.c.project_id, ids))


def forget_roles(c: Connection, ids: Any) -> None:
    """Delete application credentials with these roles; a trust with one stops by itself."""
    link = t.application_credential_roles
    with_it = select(link.c.application_credential_id).where(named(link.c.role_id, ids))
    remove_application_credentials(c, t.application_credentials.c.id.in_(with_it))


def forget_grant(c: Connection, user_id: str, project_id: str) -> None:
    """Delete a user's application credentials for a project where the user has lost a role."""
    table = t.application_credentials
    remove_application_credentials(c, (table.c.user_id == user_id) & (table.c.project_id == project_id))
