"""Roles in effect: given to users and groups, on projects, domains and the system, inherited, implied, a domain's own."""

from __future__ import annotations

import pytest
from tests.api.test_cost_of_requests import counted

V3 = "/identity/v3"


def _listed(cloud, query=""):
    answer = cloud.admin.get(f"{V3}/role_assignments?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["role_assignments"]


def _short(items):
    """Return (actor, scope, role) triples of a list of assignments."""
    found = set()
    for one in items:
        actor = (one.get("user") or one["group"])["id"]
        kind, place = next((k, v) for k, v in one["scope"].items() if not k.startswith("OS-"))
        found.add((actor, kind if kind == "system" else place["id"], one["role"]["id"]))
    return found


@pytest.mark.parametrize("actor", ["user", "group"])
@pytest.mark.parametrize("target", ["project", "domain", "system"])
def test_a_grant_is_made_checked_listed_and_taken(cloud, make, actor, target):
    role, who = make.role(), make.make(actor)
    where = {
        "project": lambda: make.project()["id"],
        "domain": lambda: make.domain()["id"],
        "system": lambda: "all",
    }
    path = make.grant(role["id"], **{actor: who["id"], target: where[target]()})
    assert cloud.admin.put(path).status_code == 204
    assert cloud.admin.get(path).status_code == 204
    assert cloud.admin.head(path).status_code == 204
    several = path.rpartition("/")[0]
    assert [one["id"] for one in cloud.admin.get(several).json()["roles"]] == [role["id"]]
    found = _listed(cloud, f"{actor}.id={who['id']}")
    assert len(found) == 1
    assert found[0]["links"]["assignment"].endswith(path.removeprefix("/identity"))
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).status_code == 404
    assert cloud.admin.delete(path).status_code == 404


@pytest.mark.parametrize("target", ["project", "domain"])
def test_a_grant_to_be_inherited_is_another_one(cloud, make, target):
    role, user = make.role(), make.user()
    where = {target: (make.project() if target == "project" else make.domain())["id"]}
    path = make.grant(role["id"], user=user["id"], inherited=True, **where)
    assert cloud.admin.get(path).status_code == 204
    plain = path.replace("/OS-INHERIT", "").removesuffix("/inherited_to_projects")
    assert cloud.admin.get(plain).status_code == 404
    found = _listed(cloud, f"user.id={user['id']}&scope.OS-INHERIT:inherited_to=projects")
    assert found[0]["scope"]["OS-INHERIT:inherited_to"] == "projects"
    assert found[0]["links"]["assignment"].endswith(path.removeprefix("/identity"))
    assert cloud.admin.delete(path).status_code == 204


@pytest.mark.parametrize("missing", ["user", "project", "role"])
def test_a_grant_of_what_does_not_exist_is_refused(cloud, make, missing):
    ids = {"user": make.user()["id"], "project": make.project()["id"], "role": make.role()["id"]} | {
        missing: "none"
    }
    answer = cloud.admin.put(f"{V3}/projects/{ids['project']}/users/{ids['user']}/roles/{ids['role']}")
    assert answer.status_code == 404
    assert missing in answer.text


def test_groups_inheritance_and_implied_roles_are_followed(cloud, make):
    domain = make.domain()
    top = make.project(domain_id=domain["id"])
    low = make.project(parent_id=top["id"])
    apart = make.project(domain_id=domain["id"])
    group, user = make.group(domain_id=domain["id"]), make.user(domain_id=domain["id"])
    cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
    prior, implied, far = make.role(), make.role(), make.role()
    for one, other in ((prior, implied), (implied, far), (far, prior)):  # a circle ends
        assert cloud.admin.put(f"{V3}/roles/{one['id']}/implies/{other['id']}").status_code == 201
    three = {prior["id"], implied["id"], far["id"]}
    make.grant(prior["id"], group=group["id"], project=top["id"], inherited=True)
    query = f"user.id={user['id']}&effective"
    assert _short(_listed(cloud, query)) == {(user["id"], low["id"], role) for role in three}
    make.grant(prior["id"], user=user["id"], domain=domain["id"], inherited=True)
    everywhere = {(user["id"], place["id"], role) for place in (top, low, apart) for role in three}
    assert _short(_listed(cloud, query)) == everywhere
    assert _short(_listed(cloud, f"{query}&role.id={far['id']}")) == {
        one for one in everywhere if one[2] == far["id"]
    }
    assert {one[1] for one in _short(_listed(cloud, f"effective&scope.project.id={low['id']}"))} == {
        low["id"]
    }
    tree = _short(_listed(cloud, f"effective&include_subtree&scope.project.id={top['id']}"))
    assert {one[1] for one in tree} == {top["id"], low["id"]}
    assert _listed(cloud, f"effective&scope.domain.id={domain['id']}") == []
    projects = cloud.admin.get(f"{V3}/users/{user['id']}/projects").json()["projects"]
    assert {one["id"] for one in projects} == {top["id"], low["id"], apart["id"]}
    client = make.login(user, {"project": {"id": low["id"]}})
    assert {one["id"] for one in client.get(f"{V3}/auth/projects").json()["projects"]} == {
        one[1] for one in everywhere
    }


def test_an_effective_assignment_says_where_it_comes_from(cloud, make):
    group, user, project = make.group(), make.user(), make.project()
    below = make.project(parent_id=project["id"])
    cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
    prior, implied = make.role(), make.role()
    cloud.admin.put(f"{V3}/roles/{prior['id']}/implies/{implied['id']}")
    path = make.grant(prior["id"], group=group["id"], project=project["id"], inherited=True)
    found = {
        one["role"]["id"]: one for one in _listed(cloud, f"user.id={user['id']}&effective&include_names")
    }
    links = found[implied["id"]]["links"]
    assert links["assignment"].endswith(path.removeprefix("/identity"))
    assert links["membership"].endswith(f"/v3/groups/{group['id']}/users/{user['id']}")
    assert links["prior_role"].endswith(f"/v3/prior_role/{prior['id']}/implies/{implied['id']}")
    assert "prior_role" not in found[prior["id"]]["links"]
    assert found[prior["id"]]["scope"]["project"] == {
        "id": below["id"], "name": below["name"], "domain": {"id": "default", "name": "Default"},
    }  # fmt: skip
    assert found[prior["id"]]["user"]["name"] == user["name"]
    assert found[prior["id"]]["role"] == {"id": prior["id"], "name": prior["name"]}


def test_names_are_shown_with_their_domains(cloud, make):
    domain = make.domain()
    role, group = make.role(domain_id=domain["id"]), make.group(domain_id=domain["id"])
    make.grant(role["id"], group=group["id"], domain=domain["id"])
    found = _listed(cloud, f"group.id={group['id']}&include_names=1")[0]
    there = {"id": domain["id"], "name": domain["name"]}
    assert found["role"]["domain"] == found["group"]["domain"] == there
    assert found["scope"]["domain"] == there
    assert "name" not in _listed(cloud, f"group.id={group['id']}&include_names=0")[0]["group"]


def test_a_domains_own_role_counts_for_what_it_implies(cloud, make):
    domain = make.domain()
    project, user = make.project(domain_id=domain["id"]), make.user(domain_id=domain["id"])
    own, plain = make.role(domain_id=domain["id"]), make.role()
    assert cloud.admin.put(f"{V3}/roles/{own['id']}/implies/{plain['id']}").status_code == 201
    make.grant(own["id"], user=user["id"], project=project["id"])
    assert _short(_listed(cloud, f"user.id={user['id']}")) == {(user["id"], project["id"], own["id"])}
    assert _short(_listed(cloud, f"user.id={user['id']}&effective")) == {
        (user["id"], project["id"], plain["id"])
    }
    answer = make.try_login(user, {"project": {"id": project["id"]}})
    assert [one["id"] for one in answer.json()["token"]["roles"]] == [plain["id"]]


def test_a_domains_own_role_is_given_within_the_domain_only(cloud, make):
    domain, user = make.domain(), make.user()
    own = make.role(domain_id=domain["id"])
    places = f"projects/{cloud.member.project_id}", "domains/default", "system"
    for place in places:
        answer = cloud.admin.put(f"{V3}/{place}/users/{user['id']}/roles/{own['id']}")
        assert answer.status_code == 403, place
    assert cloud.admin.put(f"{V3}/roles/{make.role()['id']}/implies/{own['id']}").status_code == 403


def test_no_role_implies_admin(cloud, make):
    answer = cloud.admin.put(f"{V3}/roles/{make.role()['id']}/implies/{make.role_id('admin')}")
    assert answer.status_code == 403


def test_roles_of_a_domain_are_listed_apart(cloud, make):
    domain = make.domain()
    own = make.role(name="member", domain_id=domain["id"])
    assert own["id"] not in {one["id"] for one in cloud.admin.get(f"{V3}/roles").json()["roles"]}
    found = cloud.admin.get(f"{V3}/roles?domain_id={domain['id']}").json()["roles"]
    assert [one["id"] for one in found] == [own["id"]]
    assert (
        cloud.admin.post(f"{V3}/roles", json={"role": {"name": "x", "domain_id": "none"}}).status_code == 404
    )


def test_implied_roles_are_listed_shown_and_taken(cloud, make):
    prior, implied = make.role(), make.role()
    path = f"{V3}/roles/{prior['id']}/implies/{implied['id']}"
    assert cloud.admin.get(path).status_code == 404
    assert cloud.admin.put(path).json()["role_inference"]["implies"]["name"] == implied["name"]
    assert cloud.admin.put(path).status_code == 201
    assert cloud.admin.get(path).json()["role_inference"]["prior_role"]["id"] == prior["id"]
    assert cloud.admin.head(path).status_code == 204
    assert cloud.admin.head(path + "x").status_code == 404
    found = cloud.admin.get(f"{V3}/roles/{prior['id']}/implies").json()["role_inference"]["implies"]
    assert [one["id"] for one in found] == [implied["id"]]
    rules = cloud.admin.get(f"{V3}/role_inferences").json()["role_inferences"]
    mine = [rule for rule in rules if rule["prior_role"]["id"] == prior["id"]]
    assert [one["id"] for one in mine[0]["implies"]] == [implied["id"]]
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.delete(path).status_code == 404


def test_a_deleted_role_is_gone_from_grants_and_rules_at_once(cloud, make):
    role, user, project = make.role(), make.user(), make.project()
    cloud.admin.put(f"{V3}/roles/{role['id']}/implies/{make.role_id('member')}")
    make.grant(role["id"], user=user["id"], project=project["id"])
    client = make.login(user, {"project": {"id": project["id"]}})
    assert client.get("/network/v2.0/networks").status_code == 200
    assert cloud.admin.delete(f"{V3}/roles/{role['id']}").status_code == 204
    assert client.get("/network/v2.0/networks").status_code == 401
    assert _listed(cloud, f"user.id={user['id']}") == []


@pytest.mark.parametrize(
    "query",
    [
        "user.id=a&group.id=b",
        "scope.project.id=a&scope.domain.id=b",
        "scope.project.id=a&scope.system=all",
        "effective&group.id=a",
        "effective&scope.domain.id=a&scope.OS-INHERIT:inherited_to=projects",
        "include_subtree",
        "scope.OS-INHERIT:inherited_to=domains",
    ],
)
def test_filters_that_exclude_each_other_are_refused(cloud, query):
    assert cloud.admin.get(f"{V3}/role_assignments?{query}").status_code == 400


def test_the_cost_does_not_grow_with_users_projects_and_assignments(cloud, make):
    group, role, top = make.group(), make.role_id("member"), make.project()
    make.grant(role, group=group["id"], project=top["id"], inherited=True)
    make.grant(role, group=group["id"], domain="default", inherited=True)
    paths = [
        f"{V3}/role_assignments?effective&include_names",
        f"{V3}/role_assignments?effective&scope.project.id={top['id']}&include_subtree",
        f"{V3}/role_assignments?effective&user.id={cloud.member.user_id}",
        f"{V3}/role_assignments?include_names",
        f"{V3}/projects",
        f"{V3}/users",
        f"{V3}/users/{cloud.member.user_id}/projects",
    ]

    def costs():
        seen = []
        for path in paths:
            with counted(cloud.house) as statements:
                assert cloud.admin.get(path).status_code == 200
            seen.append(len(statements))
        return seen

    costs()
    few = costs()
    parent = top["id"]
    for number in range(4):
        parent = make.project(parent_id=parent, tags=[f"t{number}"])["id"]
        user = make.user()
        cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
        make.grant(make.role()["id"], user=user["id"], project=parent)
    costs()
    assert costs() == few
    assert max(few) <= 6, few
