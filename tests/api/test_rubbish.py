"""Rubbish of every kind at every route: a clear 4xx, never a 500, and never a stack of our own."""

from __future__ import annotations

import json
import os
import random
import re
import uuid
from urllib.parse import quote

from clearsky import app
from clearsky.api.routing import PUBLIC

SEED = int(os.environ.get("CLEARSKY_SEED", "20261124"))
VALUES = [
    None, True, 0, -1, 10**30, 1.5, "", "x" * 300, "\u0000", "\U0001f600", "../../etc/passwd", "' OR 1=1 --", "0",
    [], [None], [[]], {}, {"a": {"b": []}}, "2001:db8::/129", "999.1.1.1", str(uuid.UUID(int=0)), "default", "latest",
]  # fmt: skip


def _mutations(rng, schema):
    """Yield bodies near the schema: each property in turn gets a wrong value."""
    outer = schema.definition if schema else {}
    properties = outer.get("properties", {})
    for name, inner in properties.items():
        fields = inner.get("properties", {}) if isinstance(inner, dict) else {}
        yield {name: rng.choice(VALUES)}
        yield {name: {field: rng.choice(VALUES) for field in fields}}
        for field in fields:
            yield {name: {field: rng.choice(VALUES)}}


def _bodies(rng, route):
    if route.action:
        yield from ({route.action: value} for value in rng.sample(VALUES, 4))
        return
    yield from rng.sample(VALUES, 3)
    yield from list(_mutations(rng, route.request))[:40]


def test_no_route_stumbles_over_rubbish(cloud):
    rng = random.Random(SEED)
    stumbled = []
    for service in app.services():
        for route in service.routes:
            if route.stream:
                continue
            client = cloud.anonymous if route.rule == PUBLIC else cloud.admin
            for body in _bodies(rng, route) if route.method in ("POST", "PUT", "PATCH") else [None]:
                filling = rng.choice([str(uuid.uuid4()), "x", "%00", "..%2f..", "é" * 70])
                path = service.prefix + re.sub(r"\{[^}]*\}", filling, route.path)
                noise = f"?limit={rng.choice(['-1', 'x', '99999999999999999999', '0'])}&marker={quote(str(rng.choice(VALUES)), errors='replace')}&sort_key=nope"
                query = noise if route.method == "GET" and rng.random() < 0.7 else ""
                content = None if body is None and route.method in ("GET", "DELETE") else json.dumps(body)
                answer = client.request(
                    route.method, path + query, content=content, headers={"Content-Type": "application/json"}
                )
                if answer.status_code >= 500:
                    stumbled.append((route.method, path + query, content, answer.text[:200]))
    assert not stumbled, f"seed {SEED}: {stumbled[:10]}"


def test_a_body_that_is_not_json_is_refused(cloud):
    for service, path in (("identity", "/identity/v3/auth/tokens"), ("network", "/network/v2.0/networks")):
        answer = cloud.admin.post(path, content=b"{not json", headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, service
        assert "JSON" in answer.text


def test_a_body_that_is_too_large_is_refused(cloud):
    body = b'{"network": {"name": "' + b"x" * (300 * 1024) + b'"}}'
    answer = cloud.member.post(
        "/network/v2.0/networks", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
