"""The five routes of a plain resource: create, list, show, update, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.network import store
from clearsky.network.api import kit

Make = Callable[[Call, Connection, dict[str, Any]], Any]
Change = Callable[[Call, Connection, Any, dict[str, Any]], dict[str, Any]]
Check = Callable[[Call, Connection, Any], None]


def register(
    routes: Routes,
    resource: kit.Resource,
    path: str,
    what: str,
    *,
    create: Make,
    update: Change | None,
    delete: Check,
    before: Callable[[Call], None] = lambda _: None,
) -> None:
    """Register a resource's routes under `path`.

    `create` inserts and returns the row; `update` checks and returns the columns to change; `delete` raises
    where something stands in the way; `before` is called before anything is read. Every change makes the engine's comparison due.
    """
    name, shown = resource.name, resource.shown()

    def post(call: Call) -> Reply:
        return kit.create_all(resource, call, lambda c, body: create(call, c, body))

    def index(call: Call) -> Reply:
        before(call)
        return kit.listed(resource, call)

    def show(call: Call) -> Reply:
        return kit.show(resource, call)

    def put(call: Call) -> Reply:
        assert update is not None
        body = call.body[name]
        with call.house.db.write() as c:
            row = kit.writable(c, resource, call, "update", call.params["id"])
            columns = {key: body[key] for key in ("name", "description") if key in body}
            row = store.change(c, resource.table, row.id, columns | update(call, c, row, body))
            result = resource.view(c, [row], call)[0]
            store.sync(c, call.request_id)
        return Reply({name: result})

    def remove(call: Call) -> Reply:
        with call.house.db.write() as c:
            row = kit.writable(c, resource, call, "delete", call.params["id"])
            delete(call, c, row)
            store.remove(c, resource.table, row.id)
            store.sync(c, call.request_id)
        return Reply()

    post.__doc__ = f"Create one {what} or several."
    index.__doc__, show.__doc__ = f"List every {what} that the project may see.", f"Show one {what}."
    put.__doc__, remove.__doc__ = f"Update one {what}.", f"Delete one {what}."
    creation = resource.creation()
    routes.post(path, rule=f"create_{name}", status=201, request=creation, response=shown)(post)
    routes.get(path, rule=f"get_{name}", response=shown)(index)
    routes.get(path + "/{id}", rule=f"get_{name}", response=shown)(show)
    if update is not None:
        changing = resource.changing()
        routes.put(path + "/{id}", rule=f"update_{name}", request=changing, response=shown)(put)
    routes.delete(path + "/{id}", rule=f"delete_{name}")(remove)
