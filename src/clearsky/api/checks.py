"""oslo.policy's checks as plain functions, made once for each rule: every request asks several of them.

oslo.policy reads the language; what its check objects would find out anew at each call (which arguments they take,
whether a word is a literal, where in the credentials to look) is found out here beforehand. Kinds of checks that are
not known here, such as those that ask another server, are called as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from oslo_policy import _checks as oslo

Values = Mapping[str, Any]
Check = Callable[[Values, Values], bool]
"""(target, credentials) -> allowed."""


def compile_all(rules: Mapping[str, Any], enforcer: Any) -> dict[str, Check]:
    """Return rule name -> function; `enforcer` is for the kinds of checks that are not known here."""
    made: dict[str, Check] = {}
    for name, check in rules.items():
        made[name] = _compile(check, made, enforcer)
    return made


def _compile(check: Any, made: Mapping[str, Check], enforcer: Any) -> Check:
    make = _KINDS.get(type(check))
    if make is None:
        return lambda target, who: bool(check(target, dict(who), enforcer))
    return make(check, made, enforcer)


def _always(_check: oslo.TrueCheck, _made: Mapping[str, Check], _enforcer: Any) -> Check:
    return lambda _target, _who: True


def _never(_check: oslo.FalseCheck, _made: Mapping[str, Check], _enforcer: Any) -> Check:
    return lambda _target, _who: False


def _not(check: oslo.NotCheck, made: Mapping[str, Check], enforcer: Any) -> Check:
    inner = _compile(check.rule, made, enforcer)
    return lambda target, who: not inner(target, who)


def _and(check: oslo.AndCheck, made: Mapping[str, Check], enforcer: Any) -> Check:
    parts = [_compile(part, made, enforcer) for part in check.rules]
    return lambda target, who: all(part(target, who) for part in parts)


def _or(check: oslo.OrCheck, made: Mapping[str, Check], enforcer: Any) -> Check:
    parts = [_compile(part, made, enforcer) for part in check.rules]
    return lambda target, who: any(part(target, who) for part in parts)


def _rule(check: oslo.RuleCheck, made: Mapping[str, Check], _enforcer: Any) -> Check:
    name = check.match

    def ask(target: Values, who: Values) -> bool:
        other = made.get(name)  # now: it may be made after this one
        return other is not None and other(target, who)

    return ask


def _role(check: oslo.RoleCheck, _made: Mapping[str, Check], _enforcer: Any) -> Check:
    wanted = _filled(check.match)

    def ask(target: Values, who: Values) -> bool:
        name = wanted(target)
        return name is not None and name.lower() in [role.lower() for role in who.get("roles", ())]

    return ask


def _generic(check: oslo.GenericCheck, _made: Mapping[str, Check], _enforcer: Any) -> Check:
    """`project_id:%(project_id)s`, or `'literal':%(name)s`."""
    wanted = _filled(check.match)
    try:
        literal = str(ast.literal_eval(check.kind))
    except (ValueError, SyntaxError):
        path = check.kind.split(".")
        return lambda target, who: (text := wanted(target)) is not None and _found(who, path, text)
    return lambda target, _who: wanted(target) == literal


def _filled(match: str) -> Callable[[Values], str | None]:
    """Return what gives the text that a match stands for with a target; None where the target lacks a part of it."""
    if "%" not in match:
        return lambda _target: match

    def fill(target: Values) -> str | None:
        try:
            return match % target
        except KeyError:
            return None

    return fill


def _found(value: Any, path: list[str], wanted: str) -> bool:
    """Say whether `wanted` is at the end of a path through the credentials; in a list: of any of its items."""
    for position, key in enumerate(path):
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
        if isinstance(value, list):
            rest = path[position + 1 :]
            return any(_found(item, rest, wanted) for item in value)
    return str(value) == wanted


_KINDS: dict[type, Callable[[Any, Mapping[str, Check], Any], Check]] = {
    oslo.TrueCheck: _always,
    oslo.FalseCheck: _never,
    oslo.NotCheck: _not,
    oslo.AndCheck: _and,
    oslo.OrCheck: _or,
    oslo.RuleCheck: _rule,
    oslo.RoleCheck: _role,
    oslo.GenericCheck: _generic,
}
