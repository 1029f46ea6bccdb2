"""Who makes a request, as proven by a token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A request that an application credential is good for; see api/access_rules.py for the path's language."""

    service: str
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a token, and what the token is for (a project, a domain, the system, or nothing)."""

    user_id: str
    user_name: str = ""
    user_domain_id: str = "default"
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    roles: tuple[str, ...] = ()
    """Names, implied ones included."""
    expires_at: float = 0.0
    access_rules: tuple[AccessRule, ...] = ()
    """The only requests that the token is good for; empty: every request."""
    token: Any = field(default=None, repr=False, compare=False)
    """The identity service's own picture of the token; opaque elsewhere."""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def scope_kind(self) -> str:
        """What the token is for: project, domain or system; one for nothing counts as a project's without a project."""
        if self.system:
            return "system"
        return "domain" if self.domain_id else "project"

    @property
    def scope(self) -> str | None:
        """The project that queries are limited to; None (every project) for administrators only."""
        if self.is_admin:
            return None
        return self.project_id or ""

    def credentials(self) -> dict[str, Any]:
        """Return the attributes that policy rules may look at."""
        return {
            "user_id": self.user_id,
            "project_id": self.project_id,
            "tenant_id": self.project_id,
            "domain_id": self.domain_id,
            "user_domain_id": self.user_domain_id,
            "project_domain_id": self.project_domain_id,
            "system_scope": "all" if self.system else None,
            **({"system": "all"} if self.system else {}),
            "roles": list(self.roles),
            "is_admin": self.is_admin,
        }
