"""What it takes to hand a trust on: less or the same as one was given, and only so many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clearsky.errors import Forbidden, Invalid


@dataclass(frozen=True, slots=True)
class Wanted:
    """A trust that is asked for."""

    role_ids: tuple[str, ...]
    impersonation: bool
    expires_at: float | None
    remaining_uses: int | None
    allow_redelegation: bool
    redelegation_count: int | None


def may_be_handed_on(wanted: Wanted) -> bool:
    return wanted.allow_redelegation and wanted.redelegation_count != 0


def depth(wanted: Wanted, source: Any, most: int) -> int:
    """Return how often the new trust can be handed on; raises Forbidden or Invalid where that does not fit.

    `source` is the trust that it is handed on from, None for the first of a chain; `most` the setting.
    """
    if not may_be_handed_on(wanted):
        return 0
    if wanted.redelegation_count is not None and wanted.redelegation_count > most:
        raise Forbidden(
            f"Requested redelegation depth of {wanted.redelegation_count} is greater than allowed {most}."
        )
    if wanted.remaining_uses is not None:
        raise Invalid("remaining_uses must not be set if redelegation is allowed.")
    if source is None:
        return most if wanted.redelegation_count is None else wanted.redelegation_count
    left = int(source.redelegation_count) - 1
    if wanted.redelegation_count is not None and wanted.redelegation_count != left:
        raise Forbidden(
            'Modifying "redelegation_count" upon redelegation is forbidden. Omitting this parameter is advised.'
        )
    return left


def check_chain(wanted: Wanted, chain: Sequence[Any], most: int) -> Wanted:
    """Compare with every trust of the chain; returns `wanted`, which ends with them where it names no end.

    Raises Forbidden for anything that one of them does not give.
    """
    if wanted.remaining_uses is not None:
        raise Forbidden(
            f'Field "remaining_uses" is set to {wanted.remaining_uses} while it must not be set in order to '
            "redelegate a trust."
        )
    for given in chain:
        if not 0 < given.redelegation_count <= most:
            raise Forbidden(
                f"Remaining redelegation depth of {given.redelegation_count} out of allowed range of [0..{most}]."
            )
        if given.expires_at is not None:
            if wanted.expires_at is None:
                wanted = replace(wanted, expires_at=given.expires_at)
            elif given.expires_at < wanted.expires_at:
                raise Forbidden("Requested expiration time is more than redelegated trust can provide.")
        if not set(wanted.role_ids) <= set(given.role_ids):
            raise Forbidden("Some of requested roles are not in redelegated trust.")
        if wanted.impersonation and not given.impersonation:
            raise Forbidden(
                "Impersonation is not allowed because redelegated trust does not specify impersonation. Redelegated "
                f"trust id: {given.id}."
            )
    return wanted
