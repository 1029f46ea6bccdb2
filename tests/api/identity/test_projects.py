"""Projects: trees, what may be disabled and deleted when, tags, options, and what clients add of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

V3 = "/identity/v3"


def _patch(client, kind, id, **body):
    return client.patch(f"{V3}/{kind}s/{id}", json={kind: body})


def test_what_a_client_adds_is_kept_and_shown(cloud, make):
    project = make.project(color="green", description=None)
    assert (project["color"], project["description"]) == ("green", "")
    assert _patch(cloud.admin, "project", project["id"], size=3).json()["project"]["color"] == "green"
    shown = cloud.admin.get(f"{V3}/projects/{project['id']}").json()["project"]
    assert (shown["color"], shown["size"]) == ("green", 3)


def test_a_project_is_in_the_domain_of_its_parent(cloud, make):
    domain = make.domain()
    top = make.project(domain_id=domain["id"])
    below = make.project(parent_id=top["id"])
    assert (top["parent_id"], below["domain_id"]) == (domain["id"], domain["id"])
    body = {"project": {"name": "x", "parent_id": top["id"], "domain_id": "default"}}
    assert cloud.admin.post(f"{V3}/projects", json=body).status_code == 400
    body = {"project": {"name": "x", "parent_id": "nowhere"}}
    assert cloud.admin.post(f"{V3}/projects", json=body).status_code == 404


def test_names_are_unique_within_a_domain_only(cloud, make):
    other = make.domain()
    make.project(name="twin")
    make.project(name="twin", domain_id=other["id"])
    answer = cloud.admin.post(f"{V3}/projects", json={"project": {"name": "twin"}})
    assert answer.status_code == 409
    assert "twin" in answer.text


def test_a_tree_grows_to_the_set_depth_and_no_further(cloud, make):
    cloud.house.config = replace(
        cloud.house.config, identity=replace(cloud.house.config.identity, max_project_tree_depth=2)
    )
    top = make.project()
    below = make.project(parent_id=top["id"])
    answer = cloud.admin.post(f"{V3}/projects", json={"project": {"name": "x", "parent_id": below["id"]}})
    assert answer.status_code == 403
    assert "depth" in answer.text


@pytest.fixture
def line(make):
    """Return three projects below each other."""
    top = make.project()
    middle = make.project(parent_id=top["id"])
    return top, middle, make.project(parent_id=middle["id"])


def test_a_project_shows_its_tree_as_ids(cloud, line):
    top, middle, low = line
    shown = cloud.admin.get(f"{V3}/projects/{low['id']}?parents_as_ids").json()["project"]
    assert shown["parents"] == {middle["id"]: {top["id"]: {"default": None}}}
    shown = cloud.admin.get(f"{V3}/projects/{top['id']}?subtree_as_ids").json()["project"]
    assert shown["subtree"] == {middle["id"]: {low["id"]: None}}
    assert cloud.admin.get(f"{V3}/projects/{low['id']}?subtree_as_ids").json()["project"]["subtree"] is None


def test_a_project_shows_its_tree_as_those_projects_where_the_caller_has_a_role(cloud, make, line):
    top, middle, low = line
    path = f"{V3}/projects/{low['id']}?parents_as_list"
    assert cloud.admin.get(path).json()["project"]["parents"] == []
    make.grant(make.role_id("reader"), user=cloud.admin.user_id, project=top["id"], inherited=True)
    cloud.admin.put(f"{V3}/projects/{middle['id']}/tags/blue")
    again = make.login(
        {"id": cloud.admin.user_id}, {"project": {"id": cloud.admin.project_id}}, "admin-secret"
    )
    shown = again.get(path).json()["project"]["parents"]
    assert [one["project"]["id"] for one in shown] == [middle["id"]]
    assert shown[0]["project"]["tags"] == ["blue"]
    below = again.get(f"{V3}/projects/{top['id']}?subtree_as_list").json()["project"]["subtree"]
    assert [one["project"]["id"] for one in below] == [middle["id"], low["id"]]
    both = cloud.admin.get(f"{path}&parents_as_ids")
    assert both.status_code == 400


def test_a_branch_is_disabled_from_below_and_enabled_from_above(cloud, line):
    top, middle, low = line
    assert _patch(cloud.admin, "project", top["id"], enabled=False).status_code == 403
    for project in (low, middle, top):
        assert _patch(cloud.admin, "project", project["id"], enabled=False).status_code == 200
    assert _patch(cloud.admin, "project", low["id"], enabled=True).status_code == 403
    body = {"project": {"name": "x", "parent_id": low["id"]}}
    assert cloud.admin.post(f"{V3}/projects", json=body).status_code == 403
    assert _patch(cloud.admin, "project", top["id"], enabled=True).status_code == 200


def test_only_a_leaf_can_be_deleted(cloud, line):
    top, middle, low = line
    answer = cloud.admin.delete(f"{V3}/projects/{middle['id']}")
    assert answer.status_code == 403
    assert low["name"] in answer.text
    for project in (low, middle, top):
        assert cloud.admin.delete(f"{V3}/projects/{project['id']}").status_code == 204


def test_a_project_stays_where_it_is(cloud, line):
    top, middle, low = line
    assert _patch(cloud.admin, "project", low["id"], parent_id=top["id"]).status_code == 403
    assert _patch(cloud.admin, "project", low["id"], domain_id="elsewhere").status_code == 400
    assert _patch(cloud.admin, "project", low["id"], is_domain=True).status_code == 400
    assert (
        _patch(cloud.admin, "project", low["id"], parent_id=middle["id"], domain_id="default").status_code
        == 200
    )


def test_a_project_that_acts_as_a_domain_is_one(cloud, make):
    made = make.project(is_domain=True)
    assert (made["domain_id"], made["parent_id"], made["is_domain"]) == (None, None, True)
    assert cloud.admin.get(f"{V3}/domains/{made['id']}").status_code == 200
    ids = [one["id"] for one in cloud.admin.get(f"{V3}/projects?is_domain=true").json()["projects"]]
    assert {made["id"], "default"} <= set(ids)
    assert made["id"] not in [one["id"] for one in cloud.admin.get(f"{V3}/projects").json()["projects"]]
    assert cloud.admin.delete(f"{V3}/projects/{made['id']}").status_code == 403
    assert _patch(cloud.admin, "project", made["id"], enabled=False).status_code == 200
    assert cloud.admin.delete(f"{V3}/projects/{made['id']}").status_code == 204
    assert cloud.admin.get(f"{V3}/domains/{made['id']}").status_code == 404


def test_deleting_a_project_takes_its_token_and_what_hangs_on_it(cloud, make):
    project = make.project()
    client = make.persona("member", project=project["id"])
    cloud.admin.patch(f"{V3}/users/{client.user_id}", json={"user": {"default_project_id": project["id"]}})
    assert client.get(f"{V3}/auth/projects").status_code == 200
    assert cloud.admin.delete(f"{V3}/projects/{project['id']}").status_code == 204
    assert client.get(f"{V3}/auth/projects").status_code == 401
    user = cloud.admin.get(f"{V3}/users/{client.user_id}").json()["user"]
    assert "default_project_id" not in user
    assert (
        cloud.admin.get(f"{V3}/role_assignments?scope.project.id={project['id']}").json()["role_assignments"]
        == []
    )


# -- tags -------------------------------------------------------------------------------------------------------


def test_tags_are_given_and_taken_one_by_one(cloud, make):
    path = f"{V3}/projects/{make.project()['id']}/tags"
    answer = cloud.admin.put(f"{path}/green and round")
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith("/tags/green%20and%20round")
    assert cloud.admin.get(f"{path}/green and round").status_code == 204
    assert cloud.admin.head(f"{path}/green and round").status_code == 204
    assert cloud.admin.get(f"{path}/Green and round").status_code == 404
    assert cloud.admin.get(path).json()["tags"] == ["green and round"]
    assert cloud.admin.delete(f"{path}/green and round").status_code == 204
    assert cloud.admin.delete(f"{path}/green and round").status_code == 404


def test_tags_are_replaced_and_removed_together(cloud, make):
    project = make.project(tags=["a"])
    path = f"{V3}/projects/{project['id']}/tags"
    answer = cloud.admin.put(path, json={"tags": ["c", "b"]})
    assert answer.json()["tags"] == ["b", "c"]
    assert cloud.admin.get(f"{V3}/projects/{project['id']}").json()["project"]["tags"] == ["b", "c"]
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).json()["tags"] == []


@pytest.mark.parametrize(
    "tags", [["a,b"], ["a/b"], [""], ["x" * 256], ["a", "a"], [f"t{n}" for n in range(81)]]
)
def test_a_bad_set_of_tags_is_refused_and_changes_nothing(cloud, make, tags):
    path = f"{V3}/projects/{make.project(tags=['kept'])['id']}/tags"
    assert cloud.admin.put(path, json={"tags": tags}).status_code == 400
    assert cloud.admin.get(path).json()["tags"] == ["kept"]


def test_the_eighty_first_tag_is_refused(cloud, make):
    path = f"{V3}/projects/{make.project(tags=[f't{n}' for n in range(80)])['id']}/tags"
    assert cloud.admin.put(f"{path}/t79").status_code == 201
    assert cloud.admin.put(f"{path}/more").status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tags=red", "1 2"),
        ("tags=red,blue", "2"),
        ("tags-any=red,blue", "1 2 3"),
        ("not-tags=red,blue", "1 3 4"),
        ("not-tags-any=red,blue", "4"),
        ("tags=red&not-tags=blue", "1"),
    ],
)
def test_projects_are_found_by_tags(cloud, make, query, expected):
    domain = make.domain()
    for name, tags in (("1", ["red"]), ("2", ["red", "blue"]), ("3", ["blue"]), ("4", [])):
        make.project(name=name, domain_id=domain["id"], tags=tags)
    found = cloud.admin.get(f"{V3}/projects?domain_id={domain['id']}&{query}").json()["projects"]
    assert " ".join(sorted(one["name"] for one in found)) == expected


# -- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["project", "domain", "role"])
def test_what_is_immutable_changes_only_by_unlocking_it(cloud, make, kind):
    row = make.make(kind, options={"immutable": True}, **({"enabled": False} if kind == "domain" else {}))
    path = f"{V3}/{kind}s/{row['id']}"
    assert cloud.admin.patch(path, json={kind: {"name": "other"}}).status_code == 403
    both = {"name": "other", "options": {"immutable": False}}
    assert cloud.admin.patch(path, json={kind: both}).status_code == 403
    assert cloud.admin.delete(path).status_code == 403
    if kind == "project":
        assert cloud.admin.put(f"{path}/tags/a").status_code == 403
    answer = cloud.admin.patch(path, json={kind: {"options": {"immutable": None}}})
    assert answer.json()[kind]["options"] == {}
    assert cloud.admin.delete(path).status_code == 204


@pytest.mark.parametrize("kind", ["project", "domain", "role", "user"])
def test_an_option_that_is_not_known_is_refused(cloud, kind):
    body = {kind: {"name": "x", "options": {"shiny": True}}}
    answer = cloud.admin.post(f"{V3}/{kind}s", json=body)
    assert answer.status_code == 400
    assert "shiny" in answer.text


# -- lists ------------------------------------------------------------------------------------------------------


def test_a_list_is_whole_unless_a_limit_is_asked_for_or_set(cloud, make):
    domain = make.domain()
    ids = sorted(make.project(domain_id=domain["id"])["id"] for _ in range(5))
    path = f"{V3}/projects?domain_id={domain['id']}"
    whole = cloud.admin.get(path).json()
    assert (len(whole["projects"]), whole["links"]["next"], "truncated" in whole) == (5, None, False)
    seen, page = [], f"{path}&limit=2"
    while page:
        answer = cloud.admin.get(page).json()
        seen += [one["id"] for one in answer["projects"]]
        page = answer["links"]["next"]
    assert seen == ids
    cloud.house.config = replace(
        cloud.house.config, identity=replace(cloud.house.config.identity, list_limit=3)
    )
    cut = cloud.admin.get(path).json()
    assert (len(cut["projects"]), cut["truncated"]) == (3, True)
    assert len(cloud.admin.get(cut["links"]["next"]).json()["projects"]) == 2
    assert "truncated" not in cloud.admin.get(f"{path}&limit=2").json()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name__contains=lph", "Alpha alphabet"),
        ("name__startswith=al", "alphabet"),
        ("name__istartswith=AL", "Alpha alphabet"),
        ("name__endswith=a", "Alpha beta"),
        ("name__icontains=BE", "alphabet beta"),
        ("name__contains=%25", ""),
        ("enabled=false", "beta"),
        ("enabled=1&name=Alpha", "Alpha"),
        ("name__soundslike=x", "Alpha alphabet beta"),
    ],
)
def test_lists_know_inexact_filters(cloud, make, query, expected):
    domain = make.domain()
    for name in ("Alpha", "alphabet", "beta"):
        make.project(name=name, domain_id=domain["id"], enabled=name != "beta")
    found = cloud.admin.get(f"{V3}/projects?domain_id={domain['id']}&{query}").json()["projects"]
    assert " ".join(sorted(one["name"] for one in found)) == expected
