"""Identity's rules, under upstream's names, a module a subject."""

from __future__ import annotations

from clearsky.identity.policy import auth, limits, resources

RULES = (*auth.RULES, *limits.RULES, *resources.RULES)
