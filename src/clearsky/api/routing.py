"""Routes of a service and the tree that finds them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.microversions import Microversions, Version
from clearsky.api.policy import Rule
from clearsky.api.schema import Schema
from clearsky.errors import ClearskyError
from clearsky.house import House

Handler = Callable[[Call], Reply]
StreamHandler = Callable[[Call], Awaitable[Reply]]
Fault = Callable[[ClearskyError, int, str], dict[str, Any]]
PUBLIC = "public"
"""In place of a policy rule: no token is needed."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    """Below the service's prefix, with `{name}` for variable segments; `{name:path}` takes the rest."""
    handler: Any
    rule: str
    """Checked before the handler with the caller's own project as target; the handler checks the object's."""
    gate: str = ""
    """Another rule to be checked before the handler in place of `rule`, which is the handler's alone then. Who does not
    pass is told that there is nothing: so a foreign object and one that is not there look the same to everybody."""
    status: int = 200
    request: Schema | None = None
    response: Schema | None = None
    action: str = ""
    """For POST .../action routes: the body's one key."""
    since: Version = (0, 0)
    until: Version = (9999, 9999)
    stream: bool = False
    """The handler is `async` and reads `call.data`."""
    accepts: tuple[str, ...] = ()
    """Content types of the body, where they are not JSON's own."""
    summary: str = ""
    unruled: bool = False
    """Open to a token whose access rules do not name it."""


@dataclass(slots=True)
class Routes:
    """A service's routes, filled by decorators: `@routes.get("/v3/users", rule="identity:list_users")`."""

    all: list[Route] = field(default_factory=list)

    def add(
        self, method: str, path: str, *, rule: str, summary: str = "", **options: Any
    ) -> Callable[[Any], Any]:
        """Return the decorator for a handler; the first line of its docstring is the summary where none is given."""

        def register(handler: Any) -> Any:
            said = summary or (handler.__doc__ or handler.__name__.replace("_", " ")).strip().split("\n")[0]
            self.all.append(Route(method, path, handler, rule, summary=said, **options))
            return handler

        return register

    def get(self, path: str, *, rule: str, **options: Any) -> Callable[[Any], Any]:
        """Register for GET, and so for HEAD."""
        return self.add("GET", path, rule=rule, **options)

    def post(self, path: str, *, rule: str, **options: Any) -> Callable[[Any], Any]:
        return self.add("POST", path, rule=rule, **options)

    def put(self, path: str, *, rule: str, **options: Any) -> Callable[[Any], Any]:
        return self.add("PUT", path, rule=rule, **options)

    def patch(self, path: str, *, rule: str, **options: Any) -> Callable[[Any], Any]:
        return self.add("PATCH", path, rule=rule, **options)

    def delete(self, path: str, *, rule: str, **options: Any) -> Callable[[Any], Any]:
        return self.add("DELETE", path, rule=rule, **{"status": 204} | options)


@dataclass(frozen=True, slots=True)
class Service:
    """One API: what `app.py` mounts at `prefix`."""

    name: str
    prefix: str
    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]
    fault: Fault
    """(error, status, request id) -> JSON body of a failed request."""
    microversions: Microversions | None = None
    type: str = ""
    """In the catalog."""
    catalog_path: str = ""
    """Below the prefix; the endpoint in the catalog is root + prefix + this."""
    status_of: Callable[[ClearskyError], int] | None = None
    """Where a service answers some errors with another status than the rest."""
    legacy: dict[str, tuple[str, Version]] = field(default_factory=dict, hash=False)
    """Older first segments of paths: the one that they stand for, and the only version in which they answer."""
    gauges: Callable[[House], Iterable[tuple[str, str, float]]] | None = None
    """What Prometheus may read of the service's state: (name, what it is, value)."""
    trailing_slash: bool = True
    """Whether a path may end in a slash; its root may always."""


class Tree:
    """Finds a path's routes segment by segment; fixed segments win over variable ones."""

    __slots__ = ("children", "name", "rest", "routes", "variable")

    def __init__(self) -> None:
        self.children: dict[str, Tree] = {}
        self.variable: Tree | None = None
        self.rest: Tree | None = None
        self.name = ""
        self.routes: dict[str, list[Route]] = {}

    def add(self, route: Route) -> None:
        node = self
        for part in route.path.strip("/").split("/") if route.path.strip("/") else []:
            node = node._step(part)
        node.routes.setdefault(route.method, []).append(route)

    def _step(self, part: str) -> Tree:
        if not part.startswith("{"):
            return self.children.setdefault(part, Tree())
        kind = "rest" if part.endswith(":path}") else "variable"
        node: Tree | None = getattr(self, kind)
        if node is None:
            node = Tree()
            setattr(self, kind, node)
        # Routes may name the same place differently: each keeps its own names, see `names_of`.
        return node

    def find(self, parts: list[str]) -> tuple[Tree, list[str]] | None:
        """Return the node of a path and the values of its variable segments."""
        if not parts:
            return (self, []) if self.routes else None
        child = self.children.get(parts[0])
        if child is not None and (found := child.find(parts[1:])):
            return found
        if self.variable is not None and parts[0] and (found := self.variable.find(parts[1:])):
            return found[0], [parts[0], *found[1]]
        if self.rest is not None and self.rest.routes:
            return self.rest, ["/".join(parts)]
        return None


def names_of(route: Route) -> list[str]:
    """Return the names of the route's variable segments, in order."""
    parts = [part for part in route.path.split("/") if part.startswith("{")]
    return [part[1:-1].removesuffix(":path") for part in parts]
