"""Rules of federation: who may say whose word is taken, and for what."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule
from clearsky.identity.policy.expressions import READ_ALL

_KINDS = ("identity_provider", "protocol", "mapping", "service_provider")

RULES = (
    *(Rule(f"identity:{verb}_{kind}", ADMIN) for kind in _KINDS for verb in ("create", "update", "delete")),
    *(Rule(f"identity:{verb}", READ_ALL) for kind in _KINDS for verb in (f"get_{kind}", f"list_{kind}s")),
)
