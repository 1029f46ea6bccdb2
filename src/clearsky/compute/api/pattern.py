r"""Names by regular expression, in time that a hostile pattern cannot stretch: it grows with pattern times text.

Understood: characters, `.`, classes such as [a-z0-9_] and [^x], `\d \w \s`, `* + ?`, `^` and `$` at the ends. All
else stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Matches = Callable[[str], bool]
_SHORT: dict[str, Matches] = {
    "d": str.isdigit,
    "w": lambda char: char.isalnum() or char == "_",
    "s": str.isspace,
}


@dataclass(frozen=True, slots=True)
class _Atom:
    matches: Matches
    many: bool
    optional: bool


class Pattern:
    def __init__(self, text: str) -> None:
        self._start = text.startswith("^")
        body = text.removeprefix("^")
        self._end = body.endswith("$") and not body.endswith("\\$")
        self._atoms = _parse(body[:-1] if self._end else body)

    def found_in(self, text: str) -> bool:
        """Say whether some part of the text matches: all ways at once, one character after the other."""
        last = len(self._atoms)
        states = self._skip({0})
        for char in text:
            if last in states and not self._end:
                return True
            after = set()
            for state in states:
                if state < last and self._atoms[state].matches(char):
                    after.add(state + 1)
                    if self._atoms[state].many:
                        after.add(state)
            if not self._start:
                after.add(0)
            states = self._skip(after)
        return last in states

    def _skip(self, states: set[int]) -> set[int]:
        """Add the states that are reached without a character."""
        found = set(states)
        for state in states:
            here = state
            while here < len(self._atoms) and self._atoms[here].optional:
                here += 1
                found.add(here)
        return found


def _parse(text: str) -> list[_Atom]:
    atoms, at = [], 0
    while at < len(text):
        matches, at = _one(text, at)
        sign = text[at] if at < len(text) and text[at] in "*+?" else ""
        at += len(sign)
        atoms.append(_Atom(matches, many=sign != "" and sign in "*+", optional=sign != "" and sign in "*?"))
    return atoms


def _one(text: str, at: int) -> tuple[Matches, int]:
    char = text[at]
    if char == "\\" and at + 1 < len(text):
        after = text[at + 1]
        return _SHORT.get(after) or _same(after), at + 2
    if char == ".":
        return lambda _: True, at + 1
    end = text.find("]", at + 2)
    if char == "[" and end > 0:
        return _class(text[at + 1 : end]), end + 1
    return _same(char), at + 1


def _same(wanted: str) -> Matches:
    return lambda char: char == wanted


def _class(body: str) -> Matches:
    negated, body = body.startswith("^"), body.removeprefix("^")
    ranges, at = [], 0
    while at < len(body):
        if at + 2 < len(body) and body[at + 1] == "-":
            ranges.append((body[at], body[at + 2]))
            at += 3
        else:
            ranges.append((body[at], body[at]))
            at += 1
    return lambda char: any(low <= char <= high for low, high in ranges) != negated
