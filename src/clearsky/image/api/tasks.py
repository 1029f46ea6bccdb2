"""Tasks: imports under way and lately finished. Only administrators see them as such; owners by their images."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.db.paging import limit_of, page
from clearsky.errors import Invalid, NotFound
from clearsky.image import download, quotas, schema, service, store
from clearsky.image.api.images import draft
from clearsky.image.api.imports import begin
from clearsky.image.api.render import iso
from clearsky.image.schema import imports as shapes
from clearsky.image.store import tasks
from clearsky.image.tables import tasks as table

routes = Routes()
_SORT_KEYS = ("id", "type", "status", "owner", "created_at", "updated_at", "expires_at")
_FILTERS = ("id", "type", "status", "owner")


def _brief(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": row.type,
        "status": row.status,
        "owner": row.owner,
        "expires_at": iso(row.expires_at) if row.expires_at else None,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "self": f"/v2/tasks/{row.id}",
        "schema": "/v2/schemas/task",
    }


def _full(row: Any) -> dict[str, Any]:
    return _brief(row) | {
        "input": row.input,
        "result": row.result,
        "message": row.message,
        "image_id": row.image_id,
        "request_id": row.request_id,
        "user_id": row.user_id,
    }


@routes.get("/v2/images/{image_id}/tasks", rule="get_image", gate="get_image", response=shapes.TASKS_OF_IMAGE)
def list_tasks_of_image(call: Call) -> Reply:
    """List the imports of an image, the newest first."""
    with call.house.db.read() as c:
        image = store.get(c, call.scope, call.params["image_id"])
        rows = tasks.of_image(c, image.id)
    shown = [
        {name: value for name, value in _full(row).items() if name != "self"}
        for row in rows
        if call.scope in (None, row.owner)
    ]
    return Reply({"tasks": shown})


@routes.post(
    "/v2/tasks", rule="tasks_api_access", status=201, request=shapes.TASK_CREATE, response=shapes.TASK
)
def create_task(call: Call) -> Reply:
    """Make an image of what is on the web: type import, the only one."""
    wanted = call.body["input"]
    described = wanted["image_properties"]
    schema.CREATE.check(described)
    if wanted["import_from_format"] != described.get("disk_format"):
        raise Invalid(
            f"import_from_format {wanted['import_from_format']!r} must be the disk_format of image_properties"
        )
    if not described.get("container_format"):
        raise Invalid("image_properties needs a container_format")
    download.check(wanted["import_from"], call.house.config.image)
    columns = draft(call, described)
    allowed = quotas.limits(call.house, columns["owner"])
    more = dict.fromkeys(quotas.NAMES, 0) | {quotas.COUNT_TOTAL: 1, quotas.COUNT_UPLOADING: 1}
    plan = {
        "method": "web-download",
        "uri": wanted["import_from"],
        "stores": [service.stores(call.house).default],
        "all_must_succeed": True,
    }
    with call.house.db.write() as c:
        quotas.enforce(c, columns["owner"], allowed, more)
        image = store.create(c, columns)
        row = begin(call, c, image, plan, "import", wanted)
    return Reply(_full(row), headers={"Location": f"{call.base_url}/v2/tasks/{row.id}"})


@routes.get("/v2/tasks/{task_id}", rule="tasks_api_access", response=shapes.TASK)
def show_task(call: Call) -> Reply:
    """Show a task."""
    with call.house.db.read() as c:
        row = tasks.get(c, call.scope, call.params["task_id"])
    return Reply(_full(row))


@routes.get("/v2/tasks", rule="tasks_api_access", response=shapes.TASKS)
def list_tasks(call: Call) -> Reply:
    """List tasks, the newest first."""
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    key, way = call.query.get("sort_key", "created_at"), call.query.get("sort_dir", "desc")
    if key not in _SORT_KEYS or way not in ("asc", "desc"):
        raise Invalid(f"sort_key={key!r:.40} sort_dir={way!r:.40}: keys are {', '.join(_SORT_KEYS)}")
    sort = [(table.c[name], way == "asc") for name in dict.fromkeys((key, "id"))]
    query = select(table)
    for name in _FILTERS:
        if name in call.query:
            query = query.where(table.c[name] == call.query[name])
    if call.scope is not None:
        query = query.where(table.c.owner == call.scope)
    marker = None
    with call.house.db.read() as c:
        if "marker" in call.query:
            try:
                row = tasks.get(c, call.scope, call.query["marker"])
            except NotFound as error:
                raise Invalid(f"marker={call.query['marker']!r:.80} is no task that you can see") from error
            marker = [getattr(row, column.name) for column, _ in sort]
        rows = list(c.execute(page(query, sort, marker, limit)))
    rest = [(name, value) for name, value in call.query.multi_items() if name != "marker"]
    body = {
        "tasks": [_brief(row) for row in rows],
        "schema": "/v2/schemas/tasks",
        "first": f"/v2/tasks?{urlencode(rest)}" if rest else "/v2/tasks",
    }
    if rows and len(rows) == limit:
        body["next"] = f"/v2/tasks?{urlencode([*rest, ('marker', rows[-1].id)])}"
    return Reply(body)
