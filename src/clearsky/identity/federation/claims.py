"""Claims as attributes: the names that mappings use for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_ODD = re.compile(r"[^A-Za-z0-9]")


def attributes(claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of each claim under the names that Apache's mod_auth_openidc gives it.

    `email` becomes `OIDC-email`, `HTTP_OIDC_EMAIL` and `OIDC_CLAIM_email`. A list has several values; a text is one,
    whatever it holds.
    """
    found: dict[str, list[str]] = {}
    for name, value in claims.items():
        if value is None:
            continue
        values = [_text(item) for item in value] if isinstance(value, list) else [_text(value)]
        shell = _ODD.sub("_", name).upper()
        for known in (f"OIDC-{name}", f"HTTP_OIDC_{shell}", f"OIDC_CLAIM_{name}"):
            found[known] = values
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return "" if value is None else str(value)
