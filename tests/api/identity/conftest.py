"""What the tests of Identity share: making things, and logging in as somebody."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from tests.api.conftest import Client, Cloud

V3 = "/identity/v3"


@dataclass
class Maker:
    """Makes resources as the administrator; names are made up where none is given."""

    cloud: Cloud
    _numbers: Any

    def make(self, kind: str, plural: str = "", **body: Any) -> dict[str, Any]:
        if kind != "region":
            body.setdefault("name", f"{kind}-{next(self._numbers)}")
        answer = self.cloud.admin.post(f"{V3}/{plural or kind + 's'}", json={kind: body})
        assert answer.status_code == 201, answer.text
        return dict(answer.json()[kind])

    def domain(self, **body: Any) -> dict[str, Any]:
        return self.make("domain", **body)

    def project(self, **body: Any) -> dict[str, Any]:
        return self.make("project", **body)

    def user(self, **body: Any) -> dict[str, Any]:
        return self.make("user", **{"password": "a-secret"} | body)

    def group(self, **body: Any) -> dict[str, Any]:
        return self.make("group", **body)

    def role(self, **body: Any) -> dict[str, Any]:
        return self.make("role", **body)

    def role_id(self, name: str) -> str:
        return str(self.cloud.admin.get(f"{V3}/roles?name={name}").json()["roles"][0]["id"])

    def grant(self, role_id: str, *, inherited: bool = False, **who_and_where: str) -> str:
        """Grant `role_id` to user= or group= on project=, domain= or system=; return the path of the grant."""
        target = next((name, id) for name, id in who_and_where.items() if name not in ("user", "group"))
        actor = next((name, id) for name, id in who_and_where.items() if name in ("user", "group"))
        place = "system" if target[0] == "system" else f"{target[0]}s/{target[1]}"
        path = f"{place}/{actor[0]}s/{actor[1]}/roles/{role_id}"
        path = f"{V3}/OS-INHERIT/{path}/inherited_to_projects" if inherited else f"{V3}/{path}"
        answer = self.cloud.admin.put(path)
        assert answer.status_code == 204, answer.text
        return path

    def login(
        self, user: dict[str, Any], scope: dict[str, Any] | None = None, password: str = "a-secret"
    ) -> Client:
        answer = self.try_login(user, scope, password)
        assert answer.status_code == 201, answer.text
        return Client(self.cloud.http, answer.headers["X-Subject-Token"], user_id=user["id"])

    def try_login(
        self, user: dict[str, Any], scope: dict[str, Any] | None = None, password: str = "a-secret"
    ) -> Any:
        auth: dict[str, Any] = {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"id": user["id"], "password": password}},
            }
        }
        if scope:
            auth["scope"] = scope
        return self.cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth})

    def persona(self, role: str, **where: str) -> Client:
        """Return a new user's client with a role on project=, domain= or system=, and a token for it."""
        kind, id = next(iter(where.items()))
        home = id if kind == "domain" else "default"
        user = self.user(domain_id=home)
        self.grant(self.role_id(role), user=user["id"], **where)
        return self.login(user, {kind: {"all": True} if kind == "system" else {"id": id}})


@pytest.fixture
def make(cloud: Cloud) -> Maker:
    return Maker(cloud, itertools.count(1))
