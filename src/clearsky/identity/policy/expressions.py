"""Checks that the rules of several subjects share: operators, and the personas of the system, a domain, a project."""

from __future__ import annotations

READ_ALL = "role:admin or (role:reader and system_scope:all)"
SELF = f"{READ_ALL} or user_id:%(user_id)s"
OWN_PROJECT = f"{READ_ALL} or project_id:%(project_id)s"


def domain_reader(*attributes: str) -> str:
    """Readers of the domain that every one of these attributes of the target names."""
    return _in_domain("reader", attributes)


def domain_manager(*attributes: str) -> str:
    """Managers of the domain that every one of these attributes of the target names."""
    return _in_domain("manager", attributes)


def _in_domain(role: str, attributes: tuple[str, ...]) -> str:
    same = " and ".join(f"domain_id:%({name})s" for name in attributes)
    return f"(role:{role} and {same})"
