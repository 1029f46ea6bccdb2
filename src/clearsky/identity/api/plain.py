"""Resources of one shape: operators create, list, show, change and delete them; they have no owner and no states."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.identity import store
from clearsky.identity.api.render import View, filtered, listed
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import AnyRow

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plain:
    """One kind of such resources, and what is particular to it."""

    name: str
    """In bodies, rules and the path's variable: `endpoint_group`."""
    plural: str
    """Below /v3."""
    table: Table
    view: View
    columns: Callable[[Connection, Body, str, Any], Body]
    """(connection, body, id, row before or None) -> columns; raises Invalid or Forbidden for what cannot be."""
    remove: Callable[[Connection, str], Any]
    """Takes the row with this id away, and all that hangs on it."""
    filters: tuple[str, ...] = ()
    in_catalog: bool = True
    """Tokens show it: a change counts at once."""
    own_ids: bool = False
    """Clients may choose the id."""

    def create(self, call: Call, id: str) -> Reply:
        with writing(call) as c:
            values = {"id": id} | self.columns(c, call.body[self.name], id, None)
            row = store.create(c, self.table, values, self.name)
            self._tell(c)
        return self._shown(call, row)

    def register(self, routes: Routes) -> None:
        """Add the routes, under upstream's rules."""
        name, all, one = self.name, f"/v3/{self.plural}", f"/v3/{self.plural}/{{{self.name}_id}}"
        words = name.replace("_", " ")
        many = self.plural.rpartition("/")[2].replace("_", " ")
        shown = SHOW[name]
        for method, path, verb, handler, summary, options in (
            ("POST", all, "create", self._create, f"Create {_a(words)}.",
             {"status": 201, "request": CREATE[name], "response": shown}),
            ("GET", all, "list", self._list, f"List {many}.", {"response": INDEX[name]}),
            ("GET", one, "get", self._show, f"Show {_a(words)}.", {"response": shown}),
            ("PATCH", one, "update", self._update, f"Update {_a(words)}.", {"request": UPDATE[name], "response": shown}),
            ("DELETE", one, "delete", self._delete, f"Delete {_a(words)}.", {"status": 204}),
        ):  # fmt: skip
            rule = f"identity:list_{many.replace(' ', '_')}" if verb == "list" else f"identity:{verb}_{name}"
            routes.add(method, path, rule=rule, summary=summary, **options)(handler)

    def row(self, call: Call, c: Connection) -> AnyRow:
        """Return what the path names; raises NotFound."""
        return store.get(c, self.table, call.params[f"{self.name}_id"], self.name.replace("_", " "))

    def _shown(self, call: Call, row: AnyRow) -> Reply:
        return Reply({self.name: self.view(call, row)})

    def _tell(self, c: Connection) -> None:
        if self.in_catalog:
            store.bump(c)

    def _create(self, call: Call) -> Reply:
        given = call.body[self.name].get("id") if self.own_ids else None
        return self.create(call, given or uuid.uuid4().hex)

    def _list(self, call: Call) -> Reply:
        query = filtered(call, select(self.table), self.table, self.filters)
        return listed(call, self.plural.rpartition("/")[2], query, self.table, self.view)

    def _show(self, call: Call) -> Reply:
        with call.house.db.read() as c:
            return self._shown(call, self.row(call, c))

    def _update(self, call: Call) -> Reply:
        with writing(call) as c:
            row = self.row(call, c)
            values = self.columns(c, call.body[self.name], row.id, row)
            row = store.change(c, self.table, row.id, values, self.name)
            self._tell(c)
        return self._shown(call, row)

    def _delete(self, call: Call) -> Reply:
        with writing(call) as c:
            self.remove(c, self.row(call, c).id)
            self._tell(c)
        return Reply()


def _a(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
