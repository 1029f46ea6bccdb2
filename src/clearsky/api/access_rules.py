"""Access rules of application credentials: which requests of which service a token is good for.

A rule names a service's type, a method and a path. In the path `*` stands for one segment's text, `**` for anything,
and `{name}` for one segment, as in the API reference's paths.
"""

from __future__ import annotations

import re
from functools import lru_cache

from clearsky.caller import AccessRule

_PARTS = re.compile(r"(?P<tag>\{[^}]*\})|(?P<deep>\*\*)|(?P<star>\*)|(?P<literal>[^{*]+|\{)")


@lru_cache(maxsize=1024)
def _pattern(path: str) -> re.Pattern[str]:
    text = ""
    for part in _PARTS.finditer(path):
        if part["tag"] or part["star"]:
            text += "[^/]+"
        elif part["deep"]:
            text += ".*"
        else:
            text += re.escape(part["literal"])
    return re.compile(text)


def allowed(
    rules: tuple[AccessRule, ...], service_types: tuple[str, ...], method: str, paths: tuple[str, ...]
) -> bool:
    """Say whether one of the rules names this request.

    `paths` are the ways in which the request's path may be written: below the service's prefix, as the API reference
    has it (`/v2.1/servers`), and in full (`/compute/v2.1/servers`).
    """
    return any(
        rule.service in service_types
        and rule.method == method
        and any(_pattern(rule.path).fullmatch(path) for path in paths)
        for rule in rules
    )
