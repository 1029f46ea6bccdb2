"""Changes of an image as a JSON patch, in the two dialects that the Image API takes.

The media type names the dialect. Draft 4 (`...-v2.0-json-patch`): the operation is the key that holds the path,
`{"replace": "/name", "value": "x"}`, and adding what is there already is a conflict. Draft 10 (`...-v2.1-json-patch`):
`{"op": "replace", "path": "/name", "value": "x"}`, and adding overwrites. Pure; source: Image API reference v2,
appendix "HTTP PATCH media types".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clearsky.errors import Conflict, Forbidden, Invalid
from clearsky.image.schema.images import ANY_VALUE, FIXED, SETTABLE, VALUES

DRAFT_4 = "application/openstack-images-v2.0-json-patch"
DRAFT_10 = "application/openstack-images-v2.1-json-patch"
KINDS = (DRAFT_4, DRAFT_10)
OPERATIONS = ("add", "remove", "replace")
RESERVED = ("location", "deleted", "deleted_at")
RESERVED_PREFIX = "os_glance_"
FORMATS = ("disk_format", "container_format")
LOCATIONS = "locations"
_NESTED = {"add": 2, "remove": 2, "replace": 1}
"""Parts of the path to `locations`, by operation; every other attribute has one."""


@dataclass(frozen=True, slots=True)
class Change:
    operation: str
    name: str
    value: Any = None
    position: str = ""
    """Below `locations`: a number, or `-` for the last."""
    only_new: bool = False
    """Draft 4: adding what is there already is a conflict."""


class Guard(Protocol):
    """Says no, by raising Forbidden, to what the caller may not change."""

    def owner(self) -> None: ...

    def visibility(self, wanted: str) -> None: ...

    def custom(self, name: str, action: str) -> None:
        """`action`: create, update or delete."""

    def location(self, rule: str) -> None:
        """`rule`: the policy's name for what is done."""


@dataclass(slots=True)
class Draft:
    """An image while it is changed."""

    status: str
    columns: dict[str, Any]
    """The attributes of `SETTABLE`, by name."""
    custom: dict[str, str]
    hidden: frozenset[str] = frozenset()
    """Custom properties that the caller may not see: to a patch they are not there."""
    locations: list[str] | None = None
    """URLs of the copies of the data; None where this service does not show them."""


def parse(kind: str, body: Sequence[dict[str, Any]]) -> list[Change]:
    """Read a patch; raises Invalid for what is no operation, Forbidden for what is read-only or reserved."""
    return [_change(one, draft_4=kind == DRAFT_4) for one in body]


def _change(one: dict[str, Any], *, draft_4: bool) -> Change:
    if draft_4:
        named = [operation for operation in OPERATIONS if operation in one]
        if len(named) != 1:
            raise Invalid(f"{one!r:.200}: an operation has exactly one of the keys {', '.join(OPERATIONS)}")
        operation, pointer = named[0], one[named[0]]
    else:
        operation, pointer = one.get("op", ""), one.get("path")
        if operation not in OPERATIONS:
            raise Invalid(f"op = {operation!r:.80}: it must be one of {', '.join(OPERATIONS)}")
    path = _path(pointer)
    name = path[0]
    if len(path) != (_NESTED[operation] if name == LOCATIONS else 1):
        raise Invalid(f"path {pointer!r:.300} does not name one attribute of an image")
    _refuse_fixed(name)
    position = "".join(path[1:])
    if operation == "remove":
        return Change(operation, name, position=position)
    if "value" not in one:
        raise Invalid(f"The operation {operation} of {name!r} needs a member 'value'")
    checked = [one["value"]] if position else one["value"]
    VALUES.get(name, ANY_VALUE).check({name: checked})
    return Change(operation, name, one["value"], position, only_new=draft_4)


def _path(pointer: Any) -> list[str]:
    """Split a JSON pointer (RFC 6901) into its parts."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise Invalid(f"path {pointer!r:.300} does not start with '/'")
    if re.search(r"~(?![01])", pointer):
        raise Invalid(f"path {pointer!r:.300} holds a '~' that is neither '~0' nor '~1'")
    parts = [part.replace("~1", "/").replace("~0", "~").strip() for part in pointer[1:].split("/")]
    if not all(parts):
        raise Invalid(f"path {pointer!r:.300} has an empty part")
    if len(parts[0]) > 255:
        raise Invalid(f"A property's name has at most 255 characters; this one has {len(parts[0])}")
    return parts


def _refuse_fixed(name: str) -> None:
    if name == "id" or (name in FIXED and name != LOCATIONS):
        raise Forbidden(f"Attribute '{name}' is read-only.")
    if name in RESERVED or name.startswith(RESERVED_PREFIX):
        raise Forbidden(f"Attribute '{name}' is reserved.")


def apply(changes: Sequence[Change], draft: Draft, guard: Guard) -> None:
    """Carry the changes out, one after the other; what raises leaves the draft half changed, to be dropped."""
    for change in changes:
        if change.name == LOCATIONS:
            _locations(change, draft, guard)
        elif change.name in SETTABLE:
            _core(change, draft, guard)
        else:
            _custom(change, draft, guard)


def _core(change: Change, draft: Draft, guard: Guard) -> None:
    name = change.name
    if change.operation == "remove":
        raise Forbidden(f"Property {name} may not be removed.")
    if change.only_new and change.operation == "add":
        raise Conflict(f"Property {name} already present.")
    if name == "owner":
        guard.owner()
    if name == "visibility":
        guard.visibility(change.value)
    if name in FORMATS and draft.status not in ("queued", "importing"):
        raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
    draft.columns[name] = change.value


def _custom(change: Change, draft: Draft, guard: Guard) -> None:
    name = change.name
    there = name in draft.custom and name not in draft.hidden
    if not there and change.operation != "add":
        raise Conflict(f"Property {name} does not exist.")
    if change.operation == "remove":
        guard.custom(name, "delete")
        del draft.custom[name]
        return
    if there and change.only_new and change.operation == "add":
        raise Conflict(f"Property {name} already present.")
    guard.custom(name, "update" if there else "create")
    if name in draft.hidden:
        raise Forbidden(f"Property '{name}' is protected.")
    draft.custom[name] = change.value


def _locations(change: Change, draft: Draft, guard: Guard) -> None:
    """Take copies away, by their place or by leaving them out; data never comes by a URL."""
    if draft.locations is None:
        raise Forbidden("Locations are not shown here, so they cannot be changed.")
    removing = change.operation == "remove"
    guard.location("delete_image_location" if removing else "set_image_location")
    if draft.status not in (("active",) if removing else ("active", "queued")):
        raise Conflict(f"Locations of an image in status '{draft.status}' cannot be changed.")
    if change.operation == "add":
        raise Invalid("No store here takes data that is elsewhere: upload or import it.")
    if removing:
        del draft.locations[_place(change.position, draft.locations)]
        return
    wanted = [one["url"] for one in change.value]
    if not wanted:
        raise Forbidden("Cannot set locations to empty list.")
    if unknown := [url for url in wanted if url not in draft.locations]:
        raise Invalid(f"url {unknown[0]!r:.300}: no store here has the image's data there")
    if len(set(wanted)) < len(wanted):
        raise Invalid("A location is there twice.")
    if len(wanted) < len(draft.locations):
        guard.location("delete_image_location")
    draft.locations = wanted


def _place(position: str, locations: list[str]) -> int:
    if len(locations) == 1:
        raise Forbidden("Cannot remove last location in the image.")
    place = len(locations) - 1 if position == "-" else int(position) if position.isdecimal() else -1
    if not 0 <= place < len(locations):
        raise Invalid(f"/locations/{position:.80}: there are {len(locations)} locations, counted from 0")
    return place
