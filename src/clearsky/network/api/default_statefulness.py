"""Whether new security groups remember connections where nobody says: for a project, or for all that have no word."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Forbidden
from clearsky.network import groups, store
from clearsky.network import tables as t
from clearsky.network.api import kit

routes = Routes()
_NAME = "security_groups_default_statefulness"
_KEYS = (_NAME, "security_group_default_statefulness")
"""What a choice is called in bodies: by the API reference, and by openstacksdk. Answers have both."""
_PATH = "/v2.0/security-groups-default-statefulness"


def view(_c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    return [{"id": row.id, "project_id": row.project_id or None, "stateful": row.stateful} for row in rows]


SETTING = kit.Resource(
    _NAME, _NAME, t.default_statefulness, view, {"stateful": kit.FLAG}, {"stateful": kit.FLAG}, words=()
)


def _body(properties: dict[str, Any]) -> Schema:
    one = {"type": "object", "properties": properties, "additionalProperties": False}
    return Schema(
        {
            "type": "object",
            "properties": dict.fromkeys(_KEYS, one),
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
    )


_SHOWN = Schema(
    {"type": "object", "properties": {key: {"type": "object"} for key in _KEYS}, "required": list(_KEYS)}
)
_LISTED = Schema(
    {
        "type": "object",
        "properties": {_NAME: {"type": "array"}, f"{_NAME}_links": {"type": "array"}},
        "required": [_NAME],
    }
)


def _reply(c: Connection, row: Any, call: Call) -> Reply:
    shown = view(c, [row], call)[0]
    return Reply(dict.fromkeys(_KEYS, shown))


def _asked(call: Call) -> dict[str, Any]:
    (body,) = call.body.values()
    return dict(body)


@routes.post(
    _PATH, rule=f"create_{_NAME}", status=201, request=_body(kit.OWNER | SETTING.create), response=_SHOWN
)
def create_setting(call: Call) -> Reply:
    """Choose for a project, or (without one) for every project that has no choice of its own."""
    body = _asked(call)
    project_id = body.get("project_id") or body.get("tenant_id") or groups.EVERY_PROJECT
    if project_id != call.caller.project_id and not call.caller.is_admin:
        raise Forbidden(
            f"project_id = {project_id or None!r}: only administrators choose for others than their project",
            kind="PolicyNotAuthorized",
        )
    with call.house.db.write() as c:
        d = t.default_statefulness
        if c.execute(select(d.c.id).where(d.c.project_id == project_id)).first():
            raise Conflict(
                f"A security group default statefulness setting already exists for project '{project_id or 'system-wide'}'.",
                kind="SecurityGroupDefaultStatefulnessAlreadyExists",
            )
        values = {
            "id": str(uuid.uuid4()),
            "project_id": project_id,
            "stateful": kit.truth(body.get("stateful", True)),
        }
        return _reply(c, c.execute(insert(d).values(**values).returning(d)).one(), call)


@routes.get(_PATH, rule=f"get_{_NAME}", response=_LISTED)
def list_settings(call: Call) -> Reply:
    """List the choices that the caller may see."""
    return kit.listed(SETTING, call)


@routes.get(_PATH + "/{id}", rule=f"get_{_NAME}", response=_SHOWN)
def show_setting(call: Call) -> Reply:
    """Show one choice."""
    with call.house.db.read() as c:
        return _reply(c, store.get(c, t.default_statefulness, call.scope, call.params["id"]), call)


def _writable(c: Connection, call: Call, verb: str) -> Any:
    row = store.get(c, t.default_statefulness, call.scope, call.params["id"])
    call.authorize(f"{verb}_{_NAME}", project_id=row.project_id)
    return row


@routes.put(_PATH + "/{id}", rule=f"update_{_NAME}", request=_body(SETTING.update), response=_SHOWN)
def update_setting(call: Call) -> Reply:
    """Change one choice; groups that are there stay as they are."""
    d, body = t.default_statefulness, _asked(call)
    with call.house.db.write() as c:
        row = _writable(c, call, "update")
        if "stateful" in body:
            values = {"stateful": kit.truth(body["stateful"])}
            row = c.execute(update(d).where(d.c.id == row.id).values(**values).returning(d)).one()
        return _reply(c, row, call)


@routes.delete(_PATH + "/{id}", rule=f"delete_{_NAME}")
def delete_setting(call: Call) -> Reply:
    """Take one choice back."""
    with call.house.db.write() as c:
        row = _writable(c, call, "delete")
        c.execute(delete(t.default_statefulness).where(t.default_statefulness.c.id == row.id))
    return Reply()
