"""What must be true of every route, whoever added it: found by walking them."""

from __future__ import annotations

import re
import uuid

import pytest

from clearsky import app
from clearsky.api.routing import PUBLIC, Route, Service

ALL = [(service, route) for service in app.services() for route in service.routes]
IDS = [f"{service.name} {route.method} {route.path} {route.action}".strip() for service, route in ALL]


def _path(service: Service, route: Route) -> str:
    return service.prefix + re.sub(r"\{[^}]*\}", lambda _: str(uuid.uuid4()), route.path)


def _headers(service: Service, route: Route) -> dict[str, str]:
    if service.microversions is None:
        return {}
    version = min(route.until, service.microversions.maximum)
    return {"OpenStack-API-Version": f"{service.microversions.service_type} {version[0]}.{version[1]}"}


def _options(service: Service, route: Route) -> dict[str, object]:
    options: dict[str, object] = {"headers": _headers(service, route)}
    if route.action:
        options["json"] = {route.action: {}}
    elif route.method in ("POST", "PUT", "PATCH") and not route.stream:
        options["json"] = {}
    return options


def test_without_a_token_every_route_that_is_not_public_answers_401(cloud):
    wrong = []
    for service, route in ALL:
        if route.rule == PUBLIC:
            continue
        answer = cloud.anonymous.request(route.method, _path(service, route), **_options(service, route))
        if answer.status_code != 401:
            wrong.append((route.method, route.path, answer.status_code))
    assert not wrong


def test_a_foreign_project_finds_nothing_behind_an_id(cloud):
    wrong = []
    for service, route in ALL:
        if route.rule == PUBLIC or "{" not in route.path:
            continue
        answer = cloud.foreign.request(route.method, _path(service, route), **_options(service, route))
        if answer.status_code >= 500 or (answer.status_code < 300 and route.method != "GET"):
            wrong.append((route.method, route.path, route.action, answer.status_code, answer.text[:200]))
    assert not wrong


@pytest.mark.parametrize(("service", "route"), ALL, ids=IDS)
def test_a_route_says_what_it_takes_and_gives(service, route):
    """JSON bodies have schemas; the streaming routes carry bytes."""
    assert route.summary
    if route.method == "GET" and not route.stream and route.rule != PUBLIC and route.status == 200:
        assert route.response is not None, "a GET route needs a response schema"
    if route.status == 204:
        assert route.response is None


def test_head_answers_as_get_without_a_body(cloud):
    wrong = []
    for service, route in ALL:
        if route.method != "GET" or route.stream or route.path.endswith(":path}"):
            continue
        path, headers = _path(service, route), _headers(service, route)
        got, head = (cloud.admin.request(method, path, headers=headers) for method in ("GET", "HEAD"))
        if (head.status_code, head.content) != (got.status_code, b"") and head.status_code != 204:
            wrong.append((route.path, got.status_code, head.status_code, head.content[:80]))
    assert not wrong
