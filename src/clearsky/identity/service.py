"""What other services may ask of Identity: whose token this is, and whether a project exists."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from sqlalchemy import Connection, select

from clearsky.caller import Caller
from clearsky.errors import Unauthorized
from clearsky.house import House
from clearsky.identity import passwords, store
from clearsky.identity import tables as t
from clearsky.identity.store import assignment, identity, limit, resource, revocation
from clearsky.identity.tokens import Keys, Token, open_token

REFUSED = "The request you have made requires authentication."
CACHE_SIZE = 10_000
ROLES = ("admin", "manager", "member", "reader", "service")
IMPLIED = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
CATALOG = (
    ("identity", "keystone", "/identity"),
    ("image", "glance", "/image"),
    ("placement", "placement", "/placement"),
    ("network", "neutron", "/network"),
    ("compute", "nova", "/compute/v2.1"),
)


class Cache:
    """What this process has found out about tokens, each with the store's revision that it was true at."""

    def __init__(self) -> None:
        self._known: OrderedDict[object, tuple[int, Any]] = OrderedDict()

    def get(self, key: object, revision: int) -> Any:
        """Return what was kept at this very revision; None otherwise."""
        kept = self._known.get(key)
        return kept[1] if kept is not None and kept[0] == revision else None

    def keep(self, key: object, revision: int, value: Any) -> None:
        self._known[key] = (revision, value)
        while len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)


def _cache(house: House) -> Cache:
    found: Cache = house.cache("identity.tokens", Cache)
    return found


def keys(house: House) -> Keys:
    found: Keys = house.cache("identity.keys", lambda: Keys(house.config.state / "fernet-keys"))
    return found


def validate(house: House, text: str) -> Caller:
    """Return who is behind a token; raises Unauthorized where it is void, expired or revoked.

    One small query for a token seen before: the revision, so that a revocation by any process counts at once.
    """
    with house.db.read() as c:
        return _known(c, house, text, store.revision(c))


def validate_and_render(
    house: House, text: str, variant: str, make: Callable[[Connection, Caller], Any]
) -> tuple[Caller, bytes]:
    """Do what `validate` does, and return the JSON that `make` gives for the token; by the same one query."""
    cache = _cache(house)
    with house.db.read() as c:
        revision = store.revision(c)
        caller = _known(c, house, text, revision)
        body: bytes | None = cache.get((text, variant), revision)
        if body is None:
            body = orjson.dumps(make(c, caller))
            cache.keep((text, variant), revision, body)
    return caller, body


def _known(c: Connection, house: House, text: str, revision: int) -> Caller:
    cache = _cache(house)
    caller: Caller | None = cache.get(text, revision)
    if caller is None:
        caller = resolve(c, open_token(keys(house), text))
        cache.keep(text, revision, caller)
    if caller.expires_at <= time.time():
        raise Unauthorized(REFUSED)
    return caller


def resolve(c: Connection, token: Token) -> Caller:
    """Look up what a token stands for now; raises Unauthorized where something of it is gone or disabled."""
    user = c.execute(select(t.users).where(t.users.c.id == token.user_id)).first()
    if user is None or not user.enabled or token.issued_at < user.valid_from:
        raise Unauthorized(REFUSED)
    if not _enabled(c, user.domain_id) or revocation.is_revoked(c, token.audit_ids):
        raise Unauthorized(REFUSED)
    common: dict[str, Any] = {
        "user_id": user.id,
        "user_name": user.name,
        "user_domain_id": user.domain_id,
        "expires_at": token.expires_at,
        "token": token,
    }
    if not token.scope:
        return Caller(**common)
    scope_id = token.scope_id
    if token.scope in ("project", "domain"):
        row = c.execute(select(t.projects).where(t.projects.c.id == scope_id)).first()
        if row is None or not row.enabled or (not row.is_domain and not _enabled(c, row.domain_id)):
            raise Unauthorized(REFUSED)
        if token.scope == "project":
            common |= {"project_id": row.id, "project_name": row.name, "project_domain_id": row.domain_id}
        else:
            common |= {"domain_id": row.id}
    else:
        common |= {"system": True}
    roles = assignment.roles_on(c, user.id, token.scope, scope_id)
    if not roles:
        raise Unauthorized(REFUSED)
    return Caller(**common, roles=tuple(sorted(roles.values())))


def _enabled(c: Connection, domain_id: str) -> bool:
    query = select(t.projects.c.enabled).where(t.projects.c.id == domain_id)
    return bool(c.execute(query).scalar())


def project_exists(house: House, project_id: str) -> bool:
    with house.db.read() as c:
        query = select(t.projects.c.id).where(
            t.projects.c.id == project_id, t.projects.c.is_domain.is_(False)
        )
        return c.execute(query).first() is not None


def project_limits(house: House, project_id: str, service_type: str, names: Iterable[str]) -> dict[str, int]:
    """Return resource name -> what the project may use of a service's resources, in this region; -1: no limit.

    The project's own limit where it has one, else the registered default. Names that no operator has registered are
    left out: the service's own settings decide about them.
    """
    with house.db.read() as c:
        return limit.of_project(c, project_id, service_type, house.config.cloud.region, names)


def bootstrap(house: House, *, admin_password: str, region: str, endpoint: str) -> None:
    """Make what must be there before the first request: keys, domain, roles, administrator, catalog. Idempotent.

    An administrator who exists keeps the password; endpoints follow `endpoint` when the address has changed.
    """
    keys(house).ensure()
    with house.db.write() as c:
        if store.revision(c) == 0:
            store.bump(c)
        _domain(c)
        role_ids = {name: _role(c, name) for name in ROLES}
        for prior, implied in IMPLIED:
            _imply(c, role_ids[prior], role_ids[implied])
        project = resource.project_named(c, "admin", "default") or store.create(
            c, t.projects, _project("admin", "default", "The operators' own project"), "project"
        )
        user = identity.user_named(c, "admin", "default")
        if user is None:
            stored = passwords.hash_password(house.config.identity, admin_password)
            values = {
                "id": uuid.uuid4().hex,
                "name": "admin",
                "domain_id": "default",
                "password_hash": stored,
            }
            user = store.create(c, t.users, values | {"options": {}, "extra": {}}, "user")
        for kind, target in (("project", project.id), ("system", assignment.SYSTEM), ("domain", "default")):
            actor = {
                "actor_type": "user",
                "actor_id": user.id,
                "role_id": role_ids["admin"],
                "inherited": False,
            }
            assignment.assign(c, actor | {"target_type": kind, "target_id": target})
        if not c.execute(select(t.regions).where(t.regions.c.id == region)).first():
            store.create(c, t.regions, {"id": region}, "region")
        for kind, name, path in CATALOG:
            _service(c, kind, name, endpoint + path, region)


def _project(name: str, domain_id: str, description: str = "") -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex,
        "name": name,
        "domain_id": domain_id,
        "parent_id": domain_id,
        "description": description,
        "options": {},
        "extra": {},
    }


def _domain(c: Connection) -> None:
    if resource.domain_named(c, "Default") is None:
        values = _project("Default", resource.DOMAIN_ROOT, "The default domain")
        store.create(
            c, t.projects, values | {"id": "default", "is_domain": True, "parent_id": None}, "domain"
        )


def _role(c: Connection, name: str) -> str:
    row = assignment.role_named(c, name) or store.create(
        c, t.roles, {"id": uuid.uuid4().hex, "name": name, "options": {"immutable": True}}, "role"
    )
    return str(row.id)


def _imply(c: Connection, prior: str, implied: str) -> None:
    assignment.imply(c, prior, implied)


def _service(c: Connection, kind: str, name: str, url: str, region: str) -> None:
    row = c.execute(select(t.services).where(t.services.c.type == kind)).first() or store.create(
        c, t.services, {"id": uuid.uuid4().hex, "type": kind, "name": name}, "service"
    )
    for interface in ("public", "internal", "admin"):
        found = c.execute(
            select(t.endpoints).where(
                t.endpoints.c.service_id == row.id, t.endpoints.c.interface == interface
            )
        ).first()
        if found is None:
            values = {
                "id": uuid.uuid4().hex,
                "service_id": row.id,
                "region_id": region,
                "interface": interface,
            }
            store.create(c, t.endpoints, values | {"url": url}, "endpoint")
        elif found.url != url:
            store.change(c, t.endpoints, found.id, {"url": url}, "endpoint")
            store.bump(c)  # tokens show the catalog
