"""Access rules of application credentials: which requests of which service a token is good for.

A rule names a service's type, a method and a path. In the path `*` stands for one segment's text, `**` for anything,
and `{name}` for one segment, as in the API reference's paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from clearsky.caller import AccessRule

_PARTS = re.compile(r"(?P<tag>\{[^}]*\})|(?P<deep>\*\*)|(?P<star>\*)|(?P<literal>[^{*]+|\{)")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern as a machine whose states are bits, so that no tenant's pattern takes longer than the path is long.

    Bit `n` of a set of states: the first `n` parts of the pattern have been seen.
    """

    literal: dict[str, int]
    """Character -> the parts that are just it."""
    segment: int
    """Parts that stand for one or more characters other than a slash."""
    anything: int
    """Parts that stand for any text, also for none."""
    end: int

    def fits(self, path: str) -> bool:
        states = self._skip(1)
        for char in path:
            inside = states & self.segment if char != "/" else 0
            seen = (states & self.literal.get(char, 0)) << 1
            states = self._skip(seen | inside | inside << 1 | states & self.anything)
            if not states:
                return False
        return bool(states & self.end)

    def _skip(self, states: int) -> int:
        return states | (states & self.anything) << 1


@lru_cache(maxsize=1024)
def _pattern(path: str) -> _Pattern:
    literal: dict[str, int] = {}
    segment = anything = 0
    bit = 1
    for part in _PARTS.finditer(path):
        if part["literal"]:
            for char in part["literal"]:
                literal[char] = literal.get(char, 0) | bit
                bit <<= 1
            continue
        if part["deep"]:
            if anything & bit >> 1:
                continue  # twice anything is anything
            anything |= bit
        else:
            segment |= bit
        bit <<= 1
    return _Pattern(literal, segment, anything, bit)


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
        and any(_pattern(rule.path).fits(path) for path in paths)
        for rule in rules
    )
