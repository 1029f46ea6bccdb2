"""SQL of traits and resource classes: the standard ones are everywhere, custom ones are made."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import standard
from clearsky.placement import tables as t


def _custom(c: Connection, table: Table) -> list[str]:
    return list(c.execute(select(table.c.name).order_by(table.c.created_at, table.c.name)).scalars())


def known_traits(c: Connection) -> list[str]:
    return [*standard.traits(), *_custom(c, t.custom_traits)]


def known_classes(c: Connection) -> list[str]:
    return [*standard.classes(), *_custom(c, t.custom_classes)]


def need_traits(c: Connection, wanted: Iterable[str]) -> None:
    """Raise Invalid where one of the traits is not known."""
    custom = set(wanted) - set(standard.traits())
    if custom and (unknown := sorted(custom - set(_custom(c, t.custom_traits)))):
        raise Invalid(f"No such trait {', '.join(unknown)}.")


def need_classes(c: Connection, wanted: Iterable[str]) -> None:
    """Raise Invalid where one of the resource classes is not known."""
    custom = set(wanted) - set(standard.classes())
    if custom and (unknown := sorted(custom - set(_custom(c, t.custom_classes)))):
        raise Invalid(f"No such resource class {', '.join(unknown)}.")


def _ensure(c: Connection, table: Table, name: str) -> bool:
    if c.execute(select(table.c.name).where(table.c.name == name)).first():
        return False
    try:
        with c.begin_nested():
            c.execute(insert(table).values(name=name, created_at=time.time()))
    except IntegrityError:
        return False
    return True


def ensure_trait(c: Connection, name: str) -> bool:
    """Make a custom trait; False where it is there already."""
    return _ensure(c, t.custom_traits, name)


def ensure_class(c: Connection, name: str) -> bool:
    """Make a custom resource class; False where it is there already."""
    return _ensure(c, t.custom_classes, name)


def remove_trait(c: Connection, name: str) -> None:
    if name in standard.traits():
        raise Invalid(f"Cannot delete standard trait {name}.")
    used = select(t.provider_traits.c.provider_id).where(t.provider_traits.c.trait == name).limit(1)
    if c.execute(used).first():
        raise Conflict(f"The trait {name} is in use by a resource provider.")
    if not c.execute(delete(t.custom_traits).where(t.custom_traits.c.name == name)).rowcount:
        raise NotFound(f"No trait with name {name} found")


def remove_class(c: Connection, name: str) -> None:
    if name in standard.classes():
        raise Invalid(f"Cannot delete standard resource class {name}.")
    used = select(t.inventories.c.provider_id).where(t.inventories.c.resource_class == name).limit(1)
    if c.execute(used).first():
        raise Conflict(f"Cannot delete resource class {name}: it is in use in inventory.")
    if not c.execute(delete(t.custom_classes).where(t.custom_classes.c.name == name)).rowcount:
        raise NotFound(f"No resource class with name {name} found")
