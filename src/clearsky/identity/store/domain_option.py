"""A domain's own settings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from clearsky.db.engine import lock
from clearsky.identity import tables as t
from clearsky.identity.domain_options import Options, is_sensitive


def of_domain(c: Connection, domain_id: str) -> tuple[Options, set[tuple[str, str]]]:
    """Return group -> option -> value, without the sensitive ones; and (group, option) of everything that is set."""
    own = t.domain_options.c
    shown: Options = {}
    present: set[tuple[str, str]] = set()
    query = (
        select(t.domain_options).where(own.domain_id == domain_id).order_by(own.group_name, own.option_name)
    )
    for row in c.execute(query):
        present.add((row.group_name, row.option_name))
        if not is_sensitive(row.group_name, row.option_name):
            shown.setdefault(row.group_name, {})[row.option_name] = row.value
    return shown, present


def put(c: Connection, domain_id: str, options: Options) -> None:
    """Set these options, and leave the others as they are."""
    lock(c, f"identity.domain_options.{domain_id}")
    own = t.domain_options.c
    for group, values in options.items():
        for option, value in values.items():
            c.execute(
                delete(t.domain_options).where(
                    own.domain_id == domain_id, own.group_name == group, own.option_name == option
                )
            )
            kept = None if is_sensitive(group, option) else value
            c.execute(
                insert(t.domain_options).values(
                    domain_id=domain_id, group_name=group, option_name=option, value=kept
                )
            )


def remove(c: Connection, domain_id: str, group: str = "", option: str = "") -> None:
    """Take away all options of a domain, those of a group, or one."""
    own = t.domain_options.c
    query = delete(t.domain_options).where(own.domain_id == domain_id)
    if group:
        query = query.where(own.group_name == group)
    if option:
        query = query.where(own.option_name == option)
    c.execute(query)


def value(c: Connection, domain_id: str, group: str, option: str) -> Any:
    """Return one option of a domain; None where it is not set."""
    own = t.domain_options.c
    query = select(own.value).where(
        own.domain_id == domain_id, own.group_name == group, own.option_name == option
    )
    return c.execute(query).scalar()
