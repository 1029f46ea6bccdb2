"""Identity's rules, under upstream's names, a module a subject."""

from __future__ import annotations

from clearsky.identity.policy import (
    auth,
    catalog,
    credential,
    delegation,
    federation,
    limits,
    oauth1,
    resources,
    roles,
)

RULES = (
    *auth.RULES,
    *credential.RULES,
    *delegation.RULES,
    *federation.RULES,
    *resources.RULES,
    *roles.RULES,
    *catalog.RULES,
    *limits.RULES,
    *oauth1.RULES,
)
