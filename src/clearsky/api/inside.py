"""One service asks another's API for a caller, inside this process: as the older APIs do that only pass requests on.

The other service's own rules, schemas and handlers apply, as if the caller had asked it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from starlette.datastructures import QueryParams

from clearsky.api.call import Call
from clearsky.api.routing import Service, Tree, names_of
from clearsky.errors import NotFound


@cache
def _tree(service: Service) -> Tree:
    tree = Tree()
    for route in service.routes:
        tree.add(route)
    return tree


def ask(
    service: Service,
    call: Call,
    method: str,
    path: str,
    body: Any = None,
    query: Iterable[tuple[str, str]] = (),
) -> Any:
    """Return the JSON body of the answer; raises what the service's handler raises."""
    found = _tree(service).find(path.strip("/").split("/"))
    routes = found[0].routes.get(method, []) if found else []
    if found is None or not routes:
        raise NotFound("The resource could not be found.")
    route, caller = routes[0], call.caller
    target = {"project_id": caller.project_id, "user_id": caller.user_id, "domain_id": caller.domain_id}
    call.policy.authorize(route.rule, caller, target | {"target": {}})
    if route.request is not None:
        route.request.check(body)
    inner = replace(
        call,
        method=method,
        path=service.prefix + path,
        params=dict(zip(names_of(route), found[1], strict=True)),
        query=QueryParams(list(query)),
        base_url=call.base_url.rpartition("/")[0] + service.prefix,
        version=(0, 0),
        body=body,
        data=None,
    )
    return route.handler(inner).body
