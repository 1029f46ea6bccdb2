"""Tags of projects, one by one and all at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Invalid, NotFound
from clearsky.identity.api import attributes, guard
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import TAG, TAGS
from clearsky.identity.store import resource

routes = Routes()
_MOST = 80
_BODY = Schema(
    {"type": "object", "properties": {"tags": TAGS}, "required": ["tags"], "additionalProperties": False}
)
_SHOW = Schema(
    {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": {"type": "string"}}, "links": {"type": "object"}},
        "required": ["tags", "links"],
    }
)
_ONE = Schema(TAG)


def _shown(call: Call, tags: list[str]) -> Reply:
    links = {
        "next": None,
        "previous": None,
        "self": f"{call.base_url}/v3/projects/{call.params['project_id']}/tags",
    }
    return Reply({"tags": tags, "links": links})


def _writable(call: Call, c: Connection, rule: str) -> Any:
    row = guard.project(call, c, rule)
    resource.lock_tags(c, row.id)
    attributes.refuse_immutable(row, "project", {"tags": []})
    return row


@routes.get("/v3/projects/{project_id}/tags", rule="identity:any_token", response=_SHOW)
def list_tags(call: Call) -> Reply:
    """List a project's tags."""
    with call.house.db.read() as c:
        return _shown(call, resource.tags(c, guard.project(call, c, "identity:list_project_tags").id))


@routes.put("/v3/projects/{project_id}/tags", rule="identity:any_token", request=_BODY, response=_SHOW)
def replace_tags(call: Call) -> Reply:
    """Replace a project's tags."""
    with writing(call) as c:
        row = _writable(call, c, "identity:update_project_tags")
        resource.set_tags(c, row.id, call.body["tags"])
        return _shown(call, resource.tags(c, row.id))


@routes.delete("/v3/projects/{project_id}/tags", rule="identity:any_token")
def delete_tags(call: Call) -> Reply:
    """Remove all of a project's tags."""
    with writing(call) as c:
        resource.set_tags(c, _writable(call, c, "identity:delete_project_tags").id, ())
    return Reply()


@routes.get("/v3/projects/{project_id}/tags/{value}", rule="identity:any_token", status=204)
def check_tag(call: Call) -> Reply:
    """Say whether a project has a tag."""
    with call.house.db.read() as c:
        row = guard.project(call, c, "identity:get_project_tag")
        if call.params["value"] not in resource.tags(c, row.id):
            raise NotFound(f"Could not find project tag {call.params['value']!r} of project {row.id}.")
    return Reply()


@routes.put("/v3/projects/{project_id}/tags/{value}", rule="identity:any_token", status=201)
def create_tag(call: Call) -> Reply:
    """Give a project a tag."""
    value = call.params["value"]
    with writing(call) as c:
        row = _writable(call, c, "identity:create_project_tag")
        _ONE.check(value)
        tags = resource.tags(c, row.id)
        if value not in tags and len(tags) >= _MOST:
            raise Invalid(
                f"Project {row.id} has {_MOST} tags, the most there can be; tag {value!r} is one too many."
            )
        resource.set_tags(c, row.id, [*tags, value])
    return Reply(headers={"Location": f"{call.base_url}/v3/projects/{row.id}/tags/{quote(value)}"})


@routes.delete("/v3/projects/{project_id}/tags/{value}", rule="identity:any_token")
def delete_tag(call: Call) -> Reply:
    """Take a tag from a project."""
    with writing(call) as c:
        resource.remove_tag(c, _writable(call, c, "identity:delete_project_tag").id, call.params["value"])
    return Reply()
