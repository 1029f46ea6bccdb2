"""What a query asks of providers: resources, traits, aggregates, trees, alone or in numbered groups. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from uuid import UUID

from clearsky.api.microversions import Version
from clearsky.errors import Invalid
from clearsky.placement.world import Provider

Pairs = list[tuple[str, str]]
_OLD_SUFFIX, _SUFFIX = re.compile(r"[1-9][0-9]*"), re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NAME = re.compile(r"[A-Z0-9_]{1,255}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request group; `required` and `member_of` are lists of alternatives, all of which must be met."""

    suffix: str = ""
    resources: dict[str, int] = field(default_factory=dict)
    required: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()
    member_of: tuple[frozenset[str], ...] = ()
    not_member_of: frozenset[str] = frozenset()
    in_tree: str = ""

    def names(self) -> frozenset[str]:
        """Return every trait that is named."""
        return self.forbidden.union(*self.required)

    def allows(self, provider: Provider) -> bool:
        """Say whether a provider is in the right tree and aggregates, and has nothing forbidden."""
        if self.in_tree and provider.root_id != self.in_tree:
            return False
        if self.forbidden & provider.traits or self.not_member_of & provider.aggregates:
            return False
        return all(some & provider.aggregates for some in self.member_of)


@dataclass(frozen=True, slots=True)
class Question:
    groups: tuple[Wanted, ...] = ()
    isolate: bool = False
    same_subtree: tuple[frozenset[str], ...] = ()
    root_required: frozenset[str] = frozenset()
    root_forbidden: frozenset[str] = frozenset()


_KINDS = ("resources", "required", "member_of", "in_tree")


def parse(pairs: Pairs, version: Version, *, groups: bool) -> Question:
    """Return what the query asks; `groups`: suffixes and what goes with them may be used. Raises Invalid."""
    found: dict[str, Wanted] = {}
    question = Question()
    seen: set[str] = set()
    for key, value in pairs:
        kind = next((one for one in _KINDS if key.startswith(one)), None)
        if kind is not None:
            suffix = key[len(kind) :]
            _suffix(key, suffix, version)
            repeatable = (kind == "member_of" and version >= (1, 24)) or (
                kind == "required" and version >= (1, 39)
            )
            if key in seen and not repeatable:
                raise Invalid(
                    f"Query parameter {key} is given more than once.", kind="placement.query.duplicate_key"
                )
            seen.add(key)
            found[suffix] = _add(found.get(suffix, Wanted(suffix)), kind, key, value, version)
        elif key == "group_policy":
            if value not in ("none", "isolate"):
                raise Invalid(f"group_policy = {value!r:.40} is not one of none and isolate")
            question = replace(question, isolate=value == "isolate")
            seen.add(key)
        elif key == "same_subtree":
            question = replace(question, same_subtree=(*question.same_subtree, _subtree(value)))
        elif key == "root_required":
            if key in seen:
                raise Invalid("root_required is given more than once.", kind="placement.query.duplicate_key")
            seen.add(key)
            some, forbidden = _traits(key, value, (1, 36))
            question = replace(question, root_required=frozenset().union(*some), root_forbidden=forbidden)
    if groups:
        _check(found, question, version, policy="group_policy" in seen)
    ordered = sorted(found.values(), key=lambda one: one.suffix)
    return replace(question, groups=tuple(ordered))


def _suffix(key: str, suffix: str, version: Version) -> None:
    pattern = _SUFFIX if version >= (1, 33) else _OLD_SUFFIX
    if suffix and (version < (1, 25) or not pattern.fullmatch(suffix)):
        raise Invalid(f"Invalid query string parameters: {key!r:.80} is not understood in this version.")


def _check(found: dict[str, Wanted], question: Question, version: Version, *, policy: bool) -> None:
    for one in found.values():
        if not one.resources and (version < (1, 36) or not one.suffix):
            raise Invalid(f"All traits must be associated with resources: resources{one.suffix} is missing.")
    if not any(one.resources for one in found.values()):
        raise Invalid("There must be at least one resources or resources$S parameter.")
    suffixes = {one for one in found if one}
    if len([one for one in suffixes if found[one].resources]) > 1 and not policy:
        raise Invalid('The "group_policy" parameter is required when specifying more than one "resources$S".')
    subtrees = frozenset().union(*question.same_subtree)
    if unknown := subtrees - suffixes:
        raise Invalid(f"same_subtree names {', '.join(sorted(unknown))}: there is no such request group.")
    lost = [one for one in suffixes if not found[one].resources and one not in subtrees]
    if lost:
        raise Invalid(f"required{lost[0]} has no resources{lost[0]} and is in no same_subtree.")


def _subtree(value: str) -> frozenset[str]:
    found = frozenset(value.split(","))
    if "" in found:
        raise Invalid(f"same_subtree = {value!r:.80}: empty string (unsuffixed group) can not be named.")
    return found


def _add(group: Wanted, kind: str, key: str, value: str, version: Version) -> Wanted:
    if kind == "resources":
        return replace(group, resources=amounts(key, value))
    if kind == "in_tree":
        return replace(group, in_tree=_uuid(key, value))
    if kind == "required":
        some, forbidden = _traits(key, value, version)
        required = (*group.required, *some)
        forbidden |= group.forbidden
        if both := forbidden & frozenset().union(*(one for one in required if len(one) == 1)):
            raise Invalid(f"{key}: {', '.join(sorted(both))} is required and forbidden at once.")
        return replace(group, required=required, forbidden=forbidden)
    return _member(group, key, value, version)


def _traits(key: str, value: str, version: Version) -> tuple[tuple[frozenset[str], ...], frozenset[str]]:
    """Return (alternatives that must be met, what is forbidden): A,!B or in:A,B."""
    if value.startswith("in:"):
        if version < (1, 39):
            raise Invalid(f"{key} = {value!r:.80}: in: is understood since 1.39.")
        names = value.removeprefix("in:").split(",")
        if not all(_NAME.fullmatch(name) for name in names):
            raise Invalid(f"{key} = {value!r:.80}: in: takes names of traits, none of them forbidden.")
        return (frozenset(names),), frozenset()
    required, forbidden = [], set()
    for part in value.split(","):
        name = part.removeprefix("!") if version >= (1, 22) else part
        if not _NAME.fullmatch(name):
            raise Invalid(
                f"Invalid query string parameters: Expected '{key}' parameter value of the form: "
                f"HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: {value:.120}"
            )
        if part != name:
            forbidden.add(name)
        else:
            required.append(frozenset({name}))
    return tuple(required), frozenset(forbidden)


def _member(group: Wanted, key: str, value: str, version: Version) -> Wanted:
    if value.startswith("!"):
        if version < (1, 32):
            raise Invalid(f"{key} = {value!r:.80}: forbidden aggregates are understood since 1.32.")
        body = value.removeprefix("!")
        names = body.removeprefix("in:").split(",") if body.startswith("in:") else [body]
        return replace(group, not_member_of=group.not_member_of | {_uuid(key, name) for name in names})
    names = value.removeprefix("in:").split(",") if value.startswith("in:") else [value]
    some = frozenset(_uuid(key, name) for name in names)
    return replace(group, member_of=(*group.member_of, some))


def _uuid(key: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise Invalid(
            f"Invalid query string parameters: Expected '{key}' parameter to contain valid UUIDs. Got: {text:.80}"
        ) from error


def amounts(key: str, text: str) -> dict[str, int]:
    """Parse `VCPU:1,MEMORY_MB:128`; raises Invalid."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, amount = part.partition(":")
        whole = amount.isascii() and amount.isdigit() and 0 < int(amount[:12]) < 2**31
        if not _NAME.fullmatch(name) or not whole or name in found:
            raise Invalid(
                f"Badly formed {key} parameter. Expected resources query string parameter in form: "
                f"?{key}=VCPU:2,MEMORY_MB:1024. Got: {text:.120}",
                kind="placement.query.bad_value",
            )
        found[name] = int(amount)
    return found
