"""Protection of custom properties: who may create, read, update and delete which, by an operator's file of rules.

The file has a section for each regular expression of property names, with the four operations as keys; the first
section that matches a name decides, and a name that none matches is nobody's. Values are roles, separated by commas
(format `roles`), or one policy rule of the Image service (format `policies`); `@` is everybody and `!` nobody. Without
a file everybody may do everything. Source: Glance administrator's guide, "Property protections".
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from clearsky.caller import Caller
from clearsky.config import ConfigError

ACTIONS = ("create", "read", "update", "delete")
FORMATS = ("roles", "policies")
May = Callable[[str], bool]
"""Whether the caller satisfies the policy rule of that name."""


@dataclass(frozen=True, slots=True)
class _Section:
    names: re.Pattern[str]
    allowed: dict[str, tuple[str, ...]]


class Protection:
    """The rules of one file, or none."""

    def __init__(self, sections: Iterable[_Section] | None, *, by_policy: bool = False) -> None:
        self._sections = None if sections is None else tuple(sections)
        self._by_policy = by_policy

    @property
    def active(self) -> bool:
        return self._sections is not None

    def allows(self, name: str, action: str, caller: Caller, may: May) -> bool:
        """Say whether the caller may do `action` to the property."""
        if self._sections is None or name.startswith("os_glance"):
            return True
        section = next((one for one in self._sections if one.names.search(name)), None)
        if section is None:
            return False
        allowed = section.allowed[action]
        if "!" in allowed:
            return False
        if "@" in allowed:
            return True
        if self._by_policy:
            return any(may(rule) for rule in allowed)
        return bool({role.lower() for role in caller.roles} & {role.lower() for role in allowed})

    def unreadable(self, names: Collection[str], caller: Caller, may: May) -> frozenset[str]:
        """Return those of the properties that the caller may not see."""
        if self._sections is None:
            return frozenset()
        return frozenset(name for name in names if not self.allows(name, "read", caller, may))


def load(file: Path, kind: str, rules: Collection[str]) -> Protection:
    """Read the rules; an empty path is none. Raises ConfigError that names the section, the key and the value."""
    if file == Path():
        return Protection(None)
    if kind not in FORMATS:
        raise ConfigError(
            f"[image] property_protection_format = {kind!r}: it must be one of {', '.join(FORMATS)}"
        )
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigError(f"[image] property_protection_file {file} cannot be read: {error}") from error
    sections = [_section(file, parser[name], kind, rules) for name in parser.sections()]
    return Protection(sections, by_policy=kind == "policies")


def _section(file: Path, section: configparser.SectionProxy, kind: str, rules: Collection[str]) -> _Section:
    where = f"{file}: [{section.name}]"
    try:
        names = re.compile(section.name)
    except re.error as error:
        raise ConfigError(f"{where} is no regular expression: {error}") from error
    allowed = {}
    for action in ACTIONS:
        if action not in section:
            raise ConfigError(f"{where} does not say who may {action}")
        who = tuple(part.strip() for part in section[action].split(",") if part.strip())
        if "@" in who and "!" in who:
            raise ConfigError(f"{where} {action} = {section[action]}: '@' and '!' exclude each other")
        if kind == "policies":
            _check_rule(f"{where} {action}", who, rules)
        allowed[action] = who
    return _Section(names, allowed)


def _check_rule(where: str, who: tuple[str, ...], rules: Collection[str]) -> None:
    if len(who) > 1:
        raise ConfigError(f"{where} = {', '.join(who)}: only one policy rule is possible")
    if unknown := [rule for rule in who if rule not in rules and rule not in ("@", "!")]:
        raise ConfigError(f"{where} = {unknown[0]}: there is no such policy rule")
