"""Who may do what: operators, readers of the system, managers, members and readers of a domain, of a project."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from tests.api.conftest import Client

V3 = "/identity/v3"


@dataclass
class World:
    domain: dict
    project: dict
    user: dict
    group: dict
    outside: dict
    """The same kinds of things, by kind, in another domain."""


@pytest.fixture
def world(make):
    def populated():
        domain = make.domain()
        inside = {"domain_id": domain["id"]}
        return domain, make.project(**inside), make.user(**inside), make.group(**inside)

    domain, project, user, group = populated()
    outside = dict(zip(("domain", "project", "user", "group"), populated(), strict=True))
    return World(domain, project, user, group, outside)


def _statuses(client: Client, requests):
    return {
        f"{method} {path.removeprefix(V3)}": client.request(method, path, json=body).status_code
        for method, path, body in requests
    }


def _reads(world):
    return [
        ("GET", f"{V3}/users/{world.user['id']}", None),
        ("GET", f"{V3}/users/{world.user['id']}/groups", None),
        ("GET", f"{V3}/users/{world.user['id']}/projects", None),
        ("GET", f"{V3}/projects/{world.project['id']}", None),
        ("GET", f"{V3}/projects/{world.project['id']}/tags", None),
        ("GET", f"{V3}/groups/{world.group['id']}", None),
        ("GET", f"{V3}/groups/{world.group['id']}/users", None),
        ("GET", f"{V3}/projects/{world.project['id']}/users/{world.user['id']}/roles", None),
        ("GET", f"{V3}/domains/{world.domain['id']}/groups/{world.group['id']}/roles", None),
    ]


def _lists():
    return [("GET", f"{V3}/{plural}", None) for plural in ("users", "projects", "groups", "role_assignments")]


@pytest.mark.parametrize("role", ["reader", "member", "manager"])
def test_a_domains_personas_read_what_is_in_it_and_nothing_else(make, world, role):
    client = make.persona(role, domain=world.domain["id"])
    assert set(_statuses(client, _reads(world) + _lists()).values()) == {200}
    outside = World(**world.outside, outside={})
    assert set(_statuses(client, _reads(outside)).values()) == {403}
    for plural in ("users", "projects", "groups"):
        found = client.get(f"{V3}/{plural}").json()[plural]
        assert found, plural
        assert {one["domain_id"] for one in found} == {world.domain["id"]}
    assert [one["id"] for one in client.get(f"{V3}/domains").json()["domains"]] == [world.domain["id"]]
    assert client.get(f"{V3}/users?domain_id=default").json()["users"] == []


def test_a_reader_of_a_domain_sees_assignments_on_it_and_its_projects_only(make, world):
    role = make.role()["id"]
    make.grant(role, user=world.user["id"], project=world.project["id"])
    make.grant(role, user=world.user["id"], project=world.outside["project"]["id"])
    client = make.persona("reader", domain=world.domain["id"])
    for query in ("", "&effective"):
        found = client.get(f"{V3}/role_assignments?user.id={world.user['id']}{query}").json()[
            "role_assignments"
        ]
        assert [one["scope"]["project"]["id"] for one in found] == [world.project["id"]]


def _changes(world, make):
    role = make.role_id("member")
    return [
        ("POST", f"{V3}/users", {"user": {"name": "n", "domain_id": world.domain["id"]}}),
        ("PATCH", f"{V3}/users/{world.user['id']}", {"user": {"description": "x"}}),
        ("POST", f"{V3}/projects", {"project": {"name": "n", "domain_id": world.domain["id"]}}),
        ("PATCH", f"{V3}/projects/{world.project['id']}", {"project": {"description": "x"}}),
        ("PUT", f"{V3}/projects/{world.project['id']}/tags/x", None),
        ("POST", f"{V3}/groups", {"group": {"name": "n", "domain_id": world.domain["id"]}}),
        ("PATCH", f"{V3}/groups/{world.group['id']}", {"group": {"description": "x"}}),
        ("PUT", f"{V3}/groups/{world.group['id']}/users/{world.user['id']}", None),
        ("PUT", f"{V3}/projects/{world.project['id']}/users/{world.user['id']}/roles/{role}", None),
        ("DELETE", f"{V3}/projects/{world.project['id']}/users/{world.user['id']}/roles/{role}", None),
        ("PUT", f"{V3}/domains/{world.domain['id']}/groups/{world.group['id']}/roles/{role}", None),
        ("DELETE", f"{V3}/groups/{world.group['id']}/users/{world.user['id']}", None),
        ("DELETE", f"{V3}/users/{world.user['id']}", None),
        ("DELETE", f"{V3}/groups/{world.group['id']}", None),
        ("DELETE", f"{V3}/projects/{world.project['id']}", None),
    ]


def test_a_manager_of_a_domain_manages_what_is_in_it(make, world):
    client = make.persona("manager", domain=world.domain["id"])
    found = _statuses(client, _changes(world, make))
    assert {status for status in found.values() if status >= 300} == set(), found


def test_a_manager_of_a_domain_changes_nothing_elsewhere(make, world):
    client = make.persona("manager", domain=world.domain["id"])
    outside = World(**world.outside, outside={})
    assert set(_statuses(client, _changes(outside, make)).values()) == {403}
    into = f"{V3}/groups/{world.group['id']}/users/{world.outside['user']['id']}"
    assert client.put(into).status_code == 403
    role = make.role_id("member")
    for project, user in ((world.project, world.outside["user"]), (world.outside["project"], world.user)):
        path = f"{V3}/projects/{project['id']}/users/{user['id']}/roles/{role}"
        assert client.put(path).status_code == 403


@pytest.mark.parametrize("role", ["admin", "service"])
def test_a_manager_of_a_domain_gives_no_more_than_manager(make, world, role):
    client = make.persona("manager", domain=world.domain["id"])
    path = f"{V3}/projects/{world.project['id']}/users/{world.user['id']}/roles"
    assert client.put(f"{path}/{make.role_id(role)}").status_code == 403
    assert client.put(f"{path}/{make.role_id('manager')}").status_code == 204


def test_a_manager_of_a_domain_touches_neither_domains_nor_roles_nor_the_catalog(make, world):
    client = make.persona("manager", domain=world.domain["id"])
    requests = [
        ("POST", f"{V3}/domains", {"domain": {"name": "n"}}),
        ("PATCH", f"{V3}/domains/{world.domain['id']}", {"domain": {"name": "n"}}),
        ("DELETE", f"{V3}/domains/{world.domain['id']}", None),
        ("PATCH", f"{V3}/projects/{world.domain['id']}", {"project": {"name": "n"}}),
        ("DELETE", f"{V3}/projects/{world.domain['id']}", None),
        ("POST", f"{V3}/projects", {"project": {"name": "n", "is_domain": True}}),
        ("POST", f"{V3}/roles", {"role": {"name": "n"}}),
        ("POST", f"{V3}/roles", {"role": {"name": "n", "domain_id": world.domain["id"]}}),
        ("POST", f"{V3}/services", {"service": {"type": "t"}}),
        ("POST", f"{V3}/regions", {"region": {"id": "r"}}),
        ("GET", f"{V3}/system/users/{world.user['id']}/roles", None),
        ("GET", f"{V3}/services", None),
    ]
    assert set(_statuses(client, requests).values()) == {403}
    assert client.get(f"{V3}/roles").status_code == 200


@pytest.mark.parametrize("role", ["reader", "member"])
def test_only_managers_of_a_domain_change_it(make, world, role):
    client = make.persona(role, domain=world.domain["id"])
    assert set(_statuses(client, _changes(world, make)).values()) == {403}


def test_a_reader_of_the_system_reads_everything_and_changes_nothing(make, world):
    client = make.persona("reader", system="all")
    more = [("GET", f"{V3}/{plural}", None) for plural in
            ("domains", "roles", "services", "endpoints", "regions", "role_inferences")]  # fmt: skip
    more.append(("GET", f"{V3}/system/users/{world.user['id']}/roles", None))
    assert set(_statuses(client, _reads(world) + _lists() + more).values()) == {200}
    assert len({one["domain_id"] for one in client.get(f"{V3}/users").json()["users"]}) > 1
    assert set(_statuses(client, _changes(world, make)).values()) == {403}


@pytest.mark.parametrize("role", ["reader", "member", "manager"])
def test_in_a_project_one_sees_the_project_and_oneself(make, world, role):
    client = make.persona(role, project=world.project["id"])
    assert client.get(f"{V3}/projects/{world.project['id']}").status_code == 200
    assert client.get(f"{V3}/users/{client.user_id}").status_code == 200
    assert client.get(f"{V3}/users/{client.user_id}/projects").status_code == 200
    assert client.get(f"{V3}/domains/{world.domain['id']}").status_code == 200
    requests = [one for one in _reads(world) if f"projects/{world.project['id']}" not in one[1]] + _lists()
    assert set(_statuses(client, requests).values()) == {403}
    assert set(_statuses(client, _changes(world, make)).values()) == {403}


def test_who_may_not_look_does_not_learn_what_exists(make, world):
    client = make.persona("member", project=world.project["id"])
    for plural, row in (
        ("users", world.user),
        ("groups", world.group),
        ("projects", world.outside["project"]),
    ):
        there, not_there = (client.get(f"{V3}/{plural}/{id}") for id in (row["id"], "f" * 32))
        assert (there.status_code, not_there.status_code) == (403, 403)
        assert there.json() == not_there.json()


def test_an_operators_own_rules_hold_in_place_of_the_defaults(house, tmp_path):
    from starlette.testclient import TestClient
    from tests.api.conftest import ADMIN_PASSWORD, _client

    from clearsky import app
    from clearsky.identity import service

    service.bootstrap(house, admin_password=ADMIN_PASSWORD, region="RegionOne", endpoint="http://testserver")
    file = tmp_path / "policy.yaml"
    file.write_text('"identity:create_region": "!"\n')
    house.config = replace(house.config, api=replace(house.config.api, policy_file=file))
    with TestClient(app.api(house)) as http:
        admin = _client(http, "admin", ADMIN_PASSWORD, "admin")
        assert admin.post(f"{V3}/regions", json={"region": {"id": "x"}}).status_code == 403
        assert admin.post(f"{V3}/services", json={"service": {"type": "x"}}).status_code == 201
