"""The mapping language: rules that turn what an identity provider says into a user, groups and projects. Pure.

A rule has `remote` requirements, all of which must be met, and `local` parts with `{0}`, `{1}`, ... for what the
requirements caught. Every rule that fits contributes. Source: the Identity API's guide to mapping combinations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearsky.errors import Unauthorized

SEPARATOR = ";"
"""Between several values where one text is wanted."""
_PLACE = re.compile(r"\{(\d+)\}")


@dataclass(slots=True)
class Mapped:
    """What the rules have led to."""

    user: dict[str, Any] = field(default_factory=dict)
    """type (ephemeral or local), and of id, name, email, domain ({id} or {name}) what is known."""
    group_ids: list[str] = field(default_factory=list)
    group_names: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(name, domain as {id} or {name})."""
    projects: list[dict[str, Any]] = field(default_factory=list)
    """{name, roles: [{name}], domain?}."""


class NoRuleFits(Unauthorized):
    pass


def apply(rules: Sequence[Mapping[str, Any]], claims: Mapping[str, Sequence[str]]) -> Mapped:
    """Apply a mapping's rules to attributes (name -> values).

    Raises NoRuleFits where none does, or those that do name no user.
    """
    result, fitted = Mapped(), False
    for rule in rules:
        caught = _caught(rule["remote"], claims)
        if caught is None:
            continue
        fitted = True
        for part in rule["local"]:
            _add(result, part, caught)
    if not fitted:
        raise NoRuleFits("Could not map any federated user properties to identity values: no rule fits.")
    if not result.user.get("name") and not result.user.get("id"):
        raise NoRuleFits("Could not map user: the rules that fit give neither an id nor a name.")
    result.user.setdefault("type", "ephemeral")
    result.group_ids = list(dict.fromkeys(result.group_ids))
    return result


# -- requirements -----------------------------------------------------------------------------------------------


def _caught(
    requirements: Sequence[Mapping[str, Any]], claims: Mapping[str, Sequence[str]]
) -> list[list[str]] | None:
    """Return what each catching requirement caught, in order; None where one of them is not met."""
    caught: list[list[str]] = []
    for one in requirements:
        if one["type"] not in claims:
            return None
        values = [value for value in claims[one["type"]] if value]
        regex = bool(one.get("regex"))
        if "any_one_of" in one:
            if not any(_fits(value, one["any_one_of"], regex) for value in values):
                return None
        elif "not_any_of" in one:
            if any(_fits(value, one["not_any_of"], regex) for value in values):
                return None
        elif "whitelist" in one:
            kept = [value for value in values if _fits(value, one["whitelist"], regex)]
            caught.append(kept)
        elif "blacklist" in one:
            caught.append([value for value in values if not _fits(value, one["blacklist"], regex)])
        else:
            if not values:
                return None
            caught.append(values)
    return caught


def _fits(value: str, wanted: Sequence[Any], regex: bool) -> bool:
    if not regex:
        return value in [str(one) for one in wanted]
    return any(re.search(str(pattern), value) for pattern in wanted)


def patterns(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every regular expression of a mapping, to be checked when it is stored."""
    found = []
    for rule in rules:
        for one in rule["remote"]:
            if one.get("regex"):
                for name in ("any_one_of", "not_any_of", "whitelist", "blacklist"):
                    found += [str(pattern) for pattern in one.get(name, ())]
    return found


# -- local parts ------------------------------------------------------------------------------------------------


def _add(result: Mapped, part: Mapping[str, Any], caught: list[list[str]]) -> None:
    if "user" in part:
        for name, value in part["user"].items():
            result.user[name] = _deep(value, caught)
    if "domain" in part and "user" in part:
        result.user.setdefault("domain", _deep(part["domain"], caught))
    if "group" in part:
        group = _deep(part["group"], caught)
        if "id" in group:
            result.group_ids.append(group["id"])
        else:
            result.group_names.append((group["name"], group["domain"]))
    if "group_ids" in part:
        result.group_ids += _several(part["group_ids"], caught)
    if "groups" in part:
        domain = _deep(part.get("domain", {}), caught)
        result.group_names += [(name, domain) for name in _several(part["groups"], caught)]
    if "projects" in part:
        result.projects += [_deep(project, caught) for project in part["projects"]]


def _deep(value: Any, caught: list[list[str]]) -> Any:
    if isinstance(value, dict):
        return {name: _deep(item, caught) for name, item in value.items()}
    if isinstance(value, list):
        return [_deep(item, caught) for item in value]
    return _filled(value, caught) if isinstance(value, str) else value


def _filled(text: str, caught: list[list[str]]) -> str:
    """Fill places in; what was caught as several values stands there joined."""

    def value(place: re.Match[str]) -> str:
        number = int(place[1])
        if number >= len(caught):
            raise NoRuleFits(f"Local section refers to the remote match {{{number}}}, which there is not.")
        return SEPARATOR.join(caught[number])

    return _PLACE.sub(value, text)


def _several(text: str, caught: list[list[str]]) -> list[str]:
    """Return the values of `groups` or `group_ids`: each of what one place caught, or a list written out."""
    place = _PLACE.fullmatch(text.strip())
    if place is not None and int(place[1]) < len(caught):
        return caught[int(place[1])]
    filled = _filled(text, caught)
    return [part.strip() for part in filled.split(SEPARATOR) if part.strip()]
