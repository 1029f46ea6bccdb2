"""The ASGI app: one dispatcher for every service's routes.

Order for each request: find the route, read the body (bounded), then in one thread hop: authenticate, negotiate
the version, authorize, validate, handle, render. Everything that fails becomes its service's own error body.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from clearsky.api import access_rules, faults, metrics
from clearsky.api.body import WENT_AWAY, Body
from clearsky.api.call import Call, Reply, content_type
from clearsky.api.microversions import Version
from clearsky.api.policy import Policy, read_overrides
from clearsky.api.routing import PUBLIC, Route, Service, Tree, names_of
from clearsky.api.threads import Threads
from clearsky.caller import Caller
from clearsky.errors import (
    ClearskyError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
)
from clearsky.house import House

log = structlog.get_logger("api")
Authenticate = Callable[[House, str], Caller]
_REQUEST_ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class App:
    """`services` by prefix, `mounts` (path prefix -> plain ASGI app) for pages, sockets and the like."""

    def __init__(
        self,
        house: House,
        services: Iterable[Service],
        authenticate: Authenticate,
        mounts: Mapping[str, ASGIApp] | None = None,
    ) -> None:
        self.house, self.authenticate, self.mounts = house, authenticate, dict(mounts or {})
        self.services = {service.prefix.strip("/"): service for service in services}
        rules = (rule for service in self.services.values() for rule in service.rules)
        file = house.config.api.policy_file
        self.policy = Policy(rules, read_overrides(file) if file != Path() else None)
        self.trees: dict[str, Tree] = {}
        for prefix, service in self.services.items():
            tree = self.trees[prefix] = Tree()
            for route in service.routes:
                for rule in (route.rule, route.gate):
                    if rule not in (PUBLIC, "") and rule not in self.policy.names:
                        raise ValueError(
                            f"{service.name}: {route.method} {route.path} names no rule: {rule!r}"
                        )
                tree.add(route)
        self.threads = Threads(house.config.api.threads)
        house.on_close.append(self.threads.close)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        first = scope["path"].lstrip("/").partition("/")[0]
        if first in self.mounts:
            await self.mounts[first](scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 4404})
            return
        response = await self.respond(scope, receive, first)
        await response(scope, receive, send)

    async def respond(self, scope: Scope, receive: Receive, prefix: str) -> Response:
        started = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = f"req-{uuid.uuid4()}"
        service = self.services.get(prefix)
        label = "none"
        try:
            if service is None:
                response = self._root(scope)
            else:
                route_set, values = self._find(service, scope["path"])
                response, label = await self._serve(
                    scope, receive, headers, request_id, service, route_set, values
                )
        except ClearskyError as error:
            response = self._fault(service, error, request_id)
        except Exception:
            log.exception(
                "a request failed", request_id=request_id, method=scope["method"], path=scope["path"]
            )
            message = f"Something went wrong inside Clearsky; the log has it under {request_id}."
            response = self._fault(service, ClearskyError(message), request_id)
        response.headers["x-openstack-request-id"] = request_id
        if service is not None and service.name == "compute":
            response.headers["x-compute-request-id"] = request_id
        seconds = time.perf_counter() - started
        metrics.observe(
            service.name if service else "root", scope["method"], label, response.status_code, seconds
        )
        log.info(
            "request",
            request_id=request_id,
            global_request_id=_global_id(headers),
            method=scope["method"],
            path=scope["path"],
            status=response.status_code,
            ms=round(seconds * 1000, 2),
        )
        return response

    def _root(self, scope: Scope) -> Response:
        path = scope["path"].strip("/")
        if path == "healthz":
            with self.house.db.read() as connection:
                connection.exec_driver_sql("SELECT 1")
            return Response(b'{"status": "ok"}', media_type="application/json")
        if path == "metrics":
            gauges = [
                gauge for one in self.services.values() if one.gauges for gauge in one.gauges(self.house)
            ]
            return Response(metrics.render(gauges), media_type="text/plain; version=0.0.4")
        if path:
            raise NotFound(
                f"There is nothing at /{path}. The APIs are at: {', '.join(sorted(self.services))}."
            )
        base = _base_url(scope, self.house)
        listing = {name: f"{base}/{name}" for name in sorted(self.services)}
        return Response(orjson.dumps({"clearsky": listing}), media_type="application/json")

    def _find(self, service: Service, path: str) -> tuple[dict[str, list[Route]], list[str]]:
        if "\0" in path:
            raise NotFound("The resource could not be found.")
        below = path.lstrip("/").partition("/")[2]
        parts = below.rstrip("/").split("/") if below.rstrip("/") else []
        if below.endswith("/") and not service.trailing_slash and len(parts) > 1:
            raise NotFound("The resource could not be found.")
        if len(parts) > 1 and parts[0] in service.legacy:
            parts[0] = service.legacy[parts[0]][0]
        found = self.trees[service.prefix.strip("/")].find(parts)
        if found is None:
            raise NotFound("The resource could not be found.")
        return found[0].routes, found[1]

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        headers: Headers,
        request_id: str,
        service: Service,
        routes: dict[str, list[Route]],
        values: list[str],
    ) -> tuple[Response, str]:
        method = "GET" if scope["method"] == "HEAD" and "HEAD" not in routes else scope["method"]
        candidates = routes.get(method)
        if not candidates:
            allowed = ", ".join(sorted(routes))
            raise MethodNotAllowed(
                f"{method} is not possible here; possible: {allowed}.", headers={"Allow": allowed}
            )
        call = Call(
            self.house,
            self.policy,
            scope["method"],
            scope["path"],
            {},
            QueryParams(scope["query_string"]),
            headers,
            request_id,
            _base_url(scope, self.house) + service.prefix,
            client=(scope.get("client") or ("", 0))[0],
        )
        if any(route.stream for route in candidates):
            route = await self.threads.run(self._admit, call, service, candidates, values, None)
            call.data = Body(scope, receive)
            try:
                reply = await route.handler(call)
            finally:
                call.data.close()
            return self._render(call, service, route, reply), route.path
        raw = await _read(receive, self.house.config.api.body_limit_kib * 1024, headers)
        return await self.threads.run(self._handle, call, service, candidates, values, raw)

    def _handle(
        self, call: Call, service: Service, candidates: list[Route], values: list[str], raw: bytes
    ) -> tuple[Response, str]:
        try:
            route = self._admit(call, service, candidates, values, raw)
            return self._render(call, service, route, route.handler(call)), route.path
        except ClearskyError as error:
            if service.microversions and call.version != (0, 0):
                for name, value in service.microversions.headers(call.version).items():
                    error.headers.setdefault(name, value)
            raise

    def _admit(
        self, call: Call, service: Service, candidates: list[Route], values: list[str], raw: bytes | None
    ) -> Route:
        """Authenticate, negotiate, choose the route, authorize and validate."""
        public = all(route.rule == PUBLIC for route in candidates)
        if token := call.token:
            try:
                call.optional_caller = self.authenticate(self.house, token)
            except Unauthorized:
                if not public:
                    raise
            else:
                if call.caller.access_rules and not public:
                    self._check_access_rules(call, service, candidates)
        elif not public:
            raise Unauthorized("The request you have made requires authentication.")
        if service.microversions:
            call.version = _fixed_version(service, call.path) or service.microversions.negotiate(call.headers)
        if any("\0" in part for pair in call.query.multi_items() for part in pair):
            raise Invalid("The query holds a NUL character, which no name or value has.")
        body = _parse(raw, call.headers) if raw else None
        route = _choose(candidates, call, body)
        call.params = dict(zip(names_of(route), values, strict=True))
        if route.rule != PUBLIC:
            who = call.caller
            target: dict[str, Any] = {"project_id": who.project_id, "user_id": who.user_id}
            target |= {"domain_id": who.domain_id, "target": {}}
            if not route.gate:
                self.policy.authorize(route.rule, who, target)
            elif not self.policy.allows(route.gate, who, target):
                raise NotFound("The resource could not be found.")
        if route.accepts:
            _check_kind(route, call.headers)
        if route.request is not None:
            if body is None:
                raise Invalid("The request needs a JSON body.")
            route.request.check(body, call.version if service.microversions else None)
        call.body = body
        return route

    def _check_access_rules(self, call: Call, service: Service, candidates: list[Route]) -> None:
        """Raise Unauthorized unless the caller's access rules name this request, or a service passes it on."""
        if call.method == "GET" and any(route.unruled for route in candidates):
            return
        below = "/" + call.path.lstrip("/").partition("/")[2]
        rules, types = call.caller.access_rules, (service.type or service.name,)
        if access_rules.allowed(rules, types, call.method, (below, call.path)):
            return
        passed_on = call.headers.get("x-service-token", "")
        if passed_on and "service" in self.authenticate(self.house, passed_on).roles:
            return
        raise Unauthorized(
            f"The access rules of this application credential do not allow {call.method} {call.path}."
        )

    def _render(self, call: Call, service: Service, route: Route, reply: Reply) -> Response:
        headers = dict(reply.headers)
        if service.microversions and not _fixed_version(service, call.path):
            headers |= service.microversions.headers(call.version)
        status = reply.status or route.status
        if isinstance(reply.body, AsyncIterator):
            return StreamingResponse(reply.body, status, headers, reply.content_type)
        if reply.body is None:
            return Response(b"", status, headers)
        content = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
        if reply.content_type != "application/json":
            return Response(content, status, headers, reply.content_type)
        if self.house.check_responses and route.response is not None and status < 300:
            problem = route.response.problem(
                orjson.loads(content), call.version if service.microversions else None
            )
            if problem:
                raise RuntimeError(
                    f"{route.method} {route.path} does not answer as its schema says: {problem}"
                )
        return Response(content, status, headers, reply.content_type)

    def _fault(self, service: Service | None, error: ClearskyError, request_id: str) -> Response:
        status = service.status_of(error) if service and service.status_of else error.code
        render = service.fault if service else faults.plain
        headers = dict(error.headers)
        if status == 401:
            root = self.house.config.endpoint
            headers.setdefault("WWW-Authenticate", f'Keystone uri="{root}/identity"')
        return Response(orjson.dumps(render(error, status, request_id)), status, headers, "application/json")


def _fixed_version(service: Service, path: str) -> Version | None:
    """Return the only version of an older root, whatever the headers ask for."""
    parts = path.strip("/").split("/")
    return service.legacy[parts[1]][1] if len(parts) > 2 and parts[1] in service.legacy else None


def _choose(candidates: list[Route], call: Call, body: Any) -> Route:
    alive = [route for route in candidates if route.since <= call.version <= route.until]
    if any(route.action for route in candidates):
        if not isinstance(body, dict) or len(body) != 1:
            raise Invalid('The body must hold exactly one action, such as {"reboot": {...}}.')
        name = next(iter(body))
        alive = [route for route in alive if route.action == name]
        if not alive:
            raise Invalid(f"There is no such action: {name!r:.80}", kind="NoSuchAction")
        call.action = name
    if not alive:
        raise NotFound("The resource could not be found.")
    return alive[0]


def _check_kind(route: Route, headers: Headers) -> None:
    if (kind := content_type(headers)) not in route.accepts:
        wanted = ", ".join(route.accepts)
        told = {f"Accept-{route.method.capitalize()}": wanted}
        raise UnsupportedMediaType(
            f"Content-Type: {kind:.80} is not taken here; taken: {wanted}.", headers=told
        )


def _parse(raw: bytes, headers: Headers) -> Any:
    kind = content_type(headers)
    if kind == "application/x-www-form-urlencoded" and raw[:1] not in (b"{", b"["):
        return _form(raw)
    if b"\\u0000" in raw:
        raise Invalid("The body holds a NUL character (\\u0000), which no text has.")
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"The body is not JSON: {error}") from error


def _form(raw: bytes) -> dict[str, str]:
    try:
        return dict(
            parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict")
        )
    except ValueError as error:
        raise Invalid(f"The body is not a URL-encoded form: {error}") from error


async def _read(receive: Receive, limit: int, headers: Headers) -> bytes:
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise TooLarge(f"The body has {length} bytes; at most {limit} are taken.")
    parts, size = [], 0
    async for chunk in _chunks(receive):
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The body has more than {limit} bytes.")
        parts.append(chunk)
    return b"".join(parts)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid(WENT_AWAY)
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


def _base_url(scope: Scope, house: House) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            return f"{scope['scheme']}://{value.decode('latin-1')}"
    return house.config.endpoint


def _global_id(headers: Headers) -> str:
    """Return the caller's own request id where it has the right shape; anything else stays out of the log."""
    value = headers.get("x-openstack-request-id", "")
    return value if _REQUEST_ID.fullmatch(value) else ""


async def _lifespan(receive: Receive, send: Callable[[Any], Awaitable[None]]) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
