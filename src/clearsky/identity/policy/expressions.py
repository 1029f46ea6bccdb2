"""Checks that the rules of several subjects share."""

from __future__ import annotations

READ_ALL = "role:admin or (role:reader and system_scope:all)"
SELF = f"{READ_ALL} or user_id:%(user_id)s"
OWN_PROJECT = f"{READ_ALL} or project_id:%(project_id)s"
