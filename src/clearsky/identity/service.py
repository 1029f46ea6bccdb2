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
from clearsky.errors import Forbidden, Unauthorized
from clearsky.house import House
from clearsky.identity import passwords, store
from clearsky.identity import tables as t
from clearsky.identity.keys import Keys
from clearsky.identity.standing import Standing, stand
from clearsky.identity.store import assignment, catalog, identity, limit, resource
from clearsky.identity.tokens import REFUSED, open_token

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


def credential_keys(house: House) -> Keys:
    """Return the keys that encrypt stored credentials."""
    found: Keys = house.cache(
        "identity.credential_keys", lambda: Keys(house.config.state / "credential-keys")
    )
    return found


def remember_s(house: House) -> float:
    """Return how long a token may be asked about: its life, and a while after it."""
    settings = house.config.identity
    return settings.token_lifetime_s + settings.allow_expired_s


def validate(house: House, text: str) -> Caller:
    """Return who is behind a token; raises Unauthorized where it is void, expired or revoked.

    One small query for a token seen before: the revision, so that a revocation by any process counts at once.
    """
    return _known(house, text, store.current_revision(house.db))


def validate_and_render(
    house: House, text: str, variant: str, make: Callable[[Connection, Standing], Any]
) -> tuple[Caller, bytes]:
    """Do what `validate` does, and return the JSON that `make` gives for the token; by the same one query."""
    cache = _cache(house)
    revision = store.current_revision(house.db)
    caller = _known(house, text, revision)
    kept: tuple[bytes, float] | None = cache.get((text, variant), revision)
    if kept is None or kept[1] <= time.time():
        with house.db.read() as c:
            standing = stand(c, caller.token)
            kept = orjson.dumps(make(c, standing)), standing.good_until
        cache.keep((text, variant), revision, kept)
    return caller, kept[0]


def _known(house: House, text: str, revision: int) -> Caller:
    """Return who is behind a token; what is looked up here may be newer than `revision`, never older."""
    cache = _cache(house)
    kept: tuple[Caller, float] | None = cache.get(text, revision)
    if kept is None or kept[1] <= time.time():
        try:
            with house.db.read() as c:
                standing = stand(c, open_token(keys(house), text))
        except Forbidden as error:
            raise Unauthorized(REFUSED) from error
        kept = standing.caller(), min(standing.good_until, standing.token.expires_at)
        cache.keep(text, revision, kept)
    if kept[1] <= time.time():
        raise Unauthorized(REFUSED)
    return kept[0]


def standing_of(house: House, text: str, *, since: float | None = None) -> Standing:
    """Return everything about a token; one that ended after `since` counts still. Raises Unauthorized."""
    token = open_token(keys(house), text)
    if token.expires_at <= (time.time() if since is None else since):
        raise Unauthorized(REFUSED)
    with house.db.read() as c:
        try:
            return stand(c, token)
        except Forbidden as error:
            raise Unauthorized(REFUSED) from error


def verify_s3(house: House, access: str, string_to_sign: str, signature: str) -> Caller:
    """Return who has signed an S3 request with the EC2 key `access`, and for which project.

    `string_to_sign` is that of version 4 (it begins with AWS4-HMAC-SHA256) or 2. Raises Unauthorized or Invalid.
    """
    from clearsky.identity import ec2, signatures  # noqa: PLC0415 - only where S3 is spoken

    def check(secret: str) -> bool:
        return signatures.same(signatures.s3_string(secret, string_to_sign), signature)

    return ec2.log_in(house, access, check, "s3credential").caller()


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


def endpoint(house: House, project_id: str, service_type: str, region: str, interface: str) -> str | None:
    """Return the URL of a service in a region, as the project's catalog has it; None where it has none."""
    with house.db.read() as c:
        found = catalog.enabled(c, project_id)
    links = (link for one in found if one["type"] == service_type for link in one["endpoints"])
    return next(
        (link["url"] for link in links if (link["region"], link["interface"]) == (region, interface)), None
    )


def bootstrap(house: House, *, admin_password: str, region: str, endpoint: str) -> None:
    """Make what must be there before the first request: keys, domain, roles, administrator, catalog. Idempotent.

    An administrator who exists keeps the password; endpoints follow `endpoint` when the address has changed.
    """
    keys(house).ensure()
    credential_keys(house).ensure()
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
            store.bump(c)  # tokens show the catalog
        elif found.url != url:
            store.change(c, t.endpoints, found.id, {"url": url}, "endpoint")
            store.bump(c)
