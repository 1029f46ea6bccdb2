"""The catalog: regions, services, endpoints; which of them a project sees; policies for endpoints."""

from __future__ import annotations

import pytest

V3 = "/identity/v3"
FILTER = f"{V3}/OS-EP-FILTER"


@pytest.fixture
def endpoint(cloud, make):
    """Return a function that makes an endpoint of a new service."""

    def create(**body):
        service = body.pop("service_id", None) or make.make("service", type="new")["id"]
        full = {"service_id": service, "interface": "public", "url": "http://x/", "name": None} | body
        return make.make("endpoint", **{name: value for name, value in full.items() if value is not None})

    return create


def _names(items):
    return {one["id"] for one in items}


def _catalog(client):
    """Return the URLs of the endpoints in the caller's catalog, by id."""
    catalog = client.get(f"{V3}/auth/catalog").json()["catalog"]
    return {one["id"]: one["url"] for service in catalog for one in service["endpoints"]}


# -- regions ----------------------------------------------------------------------------------------------------


def test_regions_are_made_with_and_without_a_name_and_keep_what_clients_add(cloud, make):
    assert len(make.make("region")["id"]) == 32
    named = make.make("region", id="north", description="cold", mood="grim")
    assert (named["id"], named["mood"], named["parent_region_id"]) == ("north", "grim", None)
    assert cloud.admin.post(f"{V3}/regions", json={"region": {"id": "north"}}).status_code == 409
    answer = cloud.admin.put(f"{V3}/regions/south", json={"region": {"description": None}})
    assert (answer.status_code, answer.json()["region"]["description"]) == (201, "")
    assert cloud.admin.put(f"{V3}/regions/west", json={"region": {"id": "east"}}).status_code == 400
    assert cloud.admin.post(f"{V3}/regions", json={"region": {"id": "x" * 256}}).status_code == 400


def test_regions_are_a_tree(cloud, make):
    make.make("region", id="a")
    make.make("region", id="b", parent_region_id="a")
    make.make("region", id="c", parent_region_id="b")
    found = cloud.admin.get(f"{V3}/regions?parent_region_id=a").json()["regions"]
    assert _names(found) == {"b"}
    for parent in ("c", "a"):
        answer = cloud.admin.patch(f"{V3}/regions/a", json={"region": {"parent_region_id": parent}})
        assert answer.status_code == 403
    answer = cloud.admin.patch(f"{V3}/regions/a", json={"region": {"parent_region_id": "nowhere"}})
    assert answer.status_code == 400


def test_a_region_goes_with_those_below_it_unless_an_endpoint_is_in_one(cloud, make, endpoint):
    make.make("region", id="a")
    make.make("region", id="b", parent_region_id="a")
    used = endpoint(region_id="b")
    assert cloud.admin.delete(f"{V3}/regions/a").status_code == 403
    assert cloud.admin.delete(f"{V3}/endpoints/{used['id']}").status_code == 204
    assert cloud.admin.delete(f"{V3}/regions/a").status_code == 204
    assert cloud.admin.get(f"{V3}/regions/b").status_code == 404


# -- services and endpoints -------------------------------------------------------------------------------------


def test_a_service_shows_a_description_only_where_it_was_given_one(cloud, make):
    assert "description" not in make.make("service", type="t")
    described = make.make("service", type="t", description="d", owner="me")
    assert (described["description"], described["owner"]) == ("d", "me")
    answer = cloud.admin.patch(f"{V3}/services/{described['id']}", json={"service": {"enabled": False}})
    assert (answer.json()["service"]["enabled"], answer.json()["service"]["owner"]) == (False, "me")
    assert _names(cloud.admin.get(f"{V3}/services?type=t&name={described['name']}").json()["services"]) == {
        described["id"]
    }


def test_a_disabled_service_or_endpoint_leaves_the_catalog_at_once(cloud, endpoint):
    one, other = endpoint(), endpoint()
    assert {one["id"], other["id"]} <= set(_catalog(cloud.member))
    cloud.admin.patch(f"{V3}/services/{one['service_id']}", json={"service": {"enabled": False}})
    cloud.admin.patch(f"{V3}/endpoints/{other['id']}", json={"endpoint": {"enabled": False}})
    assert not {one["id"], other["id"]} & set(_catalog(cloud.member))


def test_a_validated_token_shows_a_new_endpoint_at_once(cloud, endpoint):
    headers = {"X-Subject-Token": cloud.member.token}

    def shown():
        return cloud.admin.get(f"{V3}/auth/tokens", headers=headers).text

    shown()
    assert endpoint()["id"] in shown()


def test_an_endpoint_is_in_a_region_that_exists_but_the_older_name_makes_one(cloud, endpoint):
    made = endpoint(region="by-the-older-name")
    assert made["region_id"] == made["region"] == "by-the-older-name"
    assert cloud.admin.get(f"{V3}/regions/by-the-older-name").status_code == 200
    body = {"service_id": made["service_id"], "interface": "public", "url": "http://x/"}
    for wrong in ({"region_id": "nowhere"}, {"service_id": "none"}, {"interface": "secret"}, {"url": "x"},
                  {"enabled": "True"}, {"url": "http://x/$(unknown)s"}, {"url": "http://x/$(project_id)"}):  # fmt: skip
        answer = cloud.admin.post(f"{V3}/endpoints", json={"endpoint": body | wrong})
        assert answer.status_code == 400, wrong


@pytest.mark.parametrize("url", ["http://x/$(project_id)s", "http://x/%(tenant_id)s"])
def test_the_project_is_filled_into_a_url(cloud, make, endpoint, url):
    made = endpoint(url=url)
    assert _catalog(cloud.member)[made["id"]] == f"http://x/{cloud.member.project_id}"
    operator = make.persona("reader", system="all")
    shown = operator.get(f"{V3}/auth/tokens", headers={"X-Subject-Token": operator.token}).json()["token"]
    assert made["id"] not in {one["id"] for service in shown["catalog"] for one in service["endpoints"]}


def test_endpoints_go_with_their_service(cloud, endpoint):
    made = endpoint()
    assert cloud.admin.delete(f"{V3}/services/{made['service_id']}").status_code == 204
    assert cloud.admin.get(f"{V3}/endpoints/{made['id']}").status_code == 404


# -- which endpoints a project sees -----------------------------------------------------------------------------


def test_a_project_with_associations_sees_those_endpoints_only(cloud, endpoint):
    mine = endpoint()
    path = f"{FILTER}/projects/{cloud.member.project_id}/endpoints"
    assert cloud.admin.get(f"{path}/{mine['id']}").status_code == 404
    for _ in range(2):
        assert cloud.admin.put(f"{path}/{mine['id']}").status_code == 204
    assert cloud.admin.head(f"{path}/{mine['id']}").status_code == 204
    assert set(_catalog(cloud.member)) == {mine["id"]}
    assert len(_catalog(cloud.foreign)) > 1
    assert _names(cloud.admin.get(path).json()["endpoints"]) == {mine["id"]}
    found = cloud.admin.get(f"{FILTER}/endpoints/{mine['id']}/projects").json()["projects"]
    assert _names(found) == {cloud.member.project_id}
    assert cloud.admin.delete(f"{path}/{mine['id']}").status_code == 204
    assert cloud.admin.delete(f"{path}/{mine['id']}").status_code == 404
    assert len(_catalog(cloud.member)) > 1
    assert cloud.admin.put(f"{path}/none").status_code == 404


def test_an_endpoint_group_gives_a_project_the_endpoints_that_fit(cloud, make, endpoint):
    fitting = endpoint()
    other = endpoint(service_id=fitting["service_id"], interface="internal")
    filters = {"service_id": fitting["service_id"], "interface": "public"}
    answer = cloud.admin.post(
        f"{FILTER}/endpoint_groups", json={"endpoint_group": {"name": "g", "filters": filters}}
    )
    group = answer.json()["endpoint_group"]
    path = f"{FILTER}/endpoint_groups/{group['id']}"
    assert _names(cloud.admin.get(f"{path}/endpoints").json()["endpoints"]) == {fitting["id"]}
    one = f"{path}/projects/{cloud.member.project_id}"
    assert cloud.admin.get(one).status_code == 404
    assert cloud.admin.put(one).status_code == 204
    shown = cloud.admin.get(one).json()["project_endpoint_group"]
    assert (shown["project_id"], shown["endpoint_group_id"]) == (cloud.member.project_id, group["id"])
    assert set(_catalog(cloud.member)) == {fitting["id"]}
    cloud.admin.patch(path, json={"endpoint_group": {"filters": {"service_id": fitting["service_id"]}}})
    assert set(_catalog(cloud.member)) == {fitting["id"], other["id"]}
    assert _names(cloud.admin.get(f"{path}/projects").json()["projects"]) == {cloud.member.project_id}
    groups = cloud.admin.get(f"{FILTER}/projects/{cloud.member.project_id}/endpoint_groups").json()
    assert _names(groups["endpoint_groups"]) == {group["id"]}
    assert _names(cloud.admin.get(f"{FILTER}/endpoint_groups?name=g").json()["endpoint_groups"]) == {
        group["id"]
    }
    assert cloud.admin.delete(one).status_code == 204
    assert cloud.admin.delete(one).status_code == 404
    cloud.admin.put(one)
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).status_code == 404
    assert len(_catalog(cloud.member)) > 2


@pytest.mark.parametrize(
    "filters", [{"color": "red"}, {"interface": "secret"}, {"service_id": "none"}, "all"]
)
def test_filters_that_no_endpoint_can_fit_are_refused(cloud, filters):
    body = {"endpoint_group": {"name": "g", "filters": filters}}
    assert cloud.admin.post(f"{FILTER}/endpoint_groups", json=body).status_code == 400


def test_associations_go_with_their_project_and_endpoint(cloud, make, endpoint):
    project, one, other = make.project(), endpoint(), endpoint()
    for row in (one, other):
        cloud.admin.put(f"{FILTER}/projects/{project['id']}/endpoints/{row['id']}")
    assert cloud.admin.delete(f"{V3}/endpoints/{one['id']}").status_code == 204
    found = cloud.admin.get(f"{FILTER}/projects/{project['id']}/endpoints").json()["endpoints"]
    assert _names(found) == {other["id"]}
    assert cloud.admin.delete(f"{V3}/projects/{project['id']}").status_code == 204
    assert cloud.admin.get(f"{FILTER}/endpoints/{other['id']}/projects").json()["projects"] == []


# -- policies ---------------------------------------------------------------------------------------------------


def _policy(make, **body):
    policy = make.make("policy", "policies", **{"type": "text/plain", "blob": "{}", "name": "p"} | body)
    return policy["id"]


def test_a_policy_is_a_text_and_its_type(cloud, make):
    id = _policy(make, blob="rules", note="n")
    path = f"{V3}/policies/{id}"
    answer = cloud.admin.patch(path, json={"policy": {"blob": {"a": "b"}}})
    assert (answer.json()["policy"]["blob"], answer.json()["policy"]["note"]) == ({"a": "b"}, "n")
    found = cloud.admin.get(f"{V3}/policies?type=text/plain").json()["policies"]
    assert _names(found) == {id}
    assert cloud.admin.get(f"{V3}/policies?type=other").json()["policies"] == []
    assert cloud.admin.post(f"{V3}/policies", json={"policy": {"type": "t"}}).status_code == 400
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.get(path).status_code == 404


def test_the_nearest_policy_is_the_one_for_an_endpoint(cloud, make, endpoint):
    make.make("region", id="land")
    make.make("region", id="town", parent_region_id="land")
    row = endpoint(region_id="town")
    asked = f"{V3}/endpoints/{row['id']}/OS-ENDPOINT-POLICY/policy"
    assert cloud.admin.get(asked).status_code == 404
    service = f"services/{row['service_id']}"
    for place in (service, f"{service}/regions/land", f"{service}/regions/town", f"endpoints/{row['id']}"):
        id = _policy(make)
        one = f"{V3}/policies/{id}/OS-ENDPOINT-POLICY/{place}"
        assert cloud.admin.get(one).status_code == 404
        assert cloud.admin.put(one).status_code == 204
        assert cloud.admin.head(one).status_code == 204
        assert cloud.admin.get(asked).json()["policy"]["id"] == id
        of_policy = cloud.admin.get(f"{V3}/policies/{id}/OS-ENDPOINT-POLICY/endpoints").json()["endpoints"]
        assert _names(of_policy) == {row["id"]}
    assert cloud.admin.delete(one).status_code == 204
    assert cloud.admin.delete(one).status_code == 404
    assert cloud.admin.get(asked).json()["policy"]["id"] != id


def test_a_place_has_one_policy_the_last(cloud, make, endpoint):
    row, first, last = endpoint(), _policy(make), _policy(make)
    for id in (first, last):
        cloud.admin.put(f"{V3}/policies/{id}/OS-ENDPOINT-POLICY/endpoints/{row['id']}")
    assert (
        cloud.admin.get(f"{V3}/policies/{first}/OS-ENDPOINT-POLICY/endpoints/{row['id']}").status_code == 404
    )
    assert cloud.admin.get(f"{V3}/policies/{first}/OS-ENDPOINT-POLICY/endpoints").json()["endpoints"] == []
    assert cloud.admin.delete(f"{V3}/policies/{last}").status_code == 204
    assert cloud.admin.get(f"{V3}/endpoints/{row['id']}/OS-ENDPOINT-POLICY/policy").status_code == 404


# -- what is not there any more, and what there is --------------------------------------------------------------


@pytest.mark.parametrize("what", ["ca", "certificates"])
def test_certificates_of_old_tokens_are_gone(cloud, what):
    answer = cloud.anonymous.get(f"{V3}/OS-SIMPLE-CERT/{what}")
    assert answer.status_code == 410
    assert "no longer available" in answer.text


def test_the_versions_are_told_to_anybody(cloud):
    answer = cloud.anonymous.get("/identity")
    assert answer.status_code == 300
    assert answer.headers["Location"].endswith("/identity/v3/")
    version = cloud.anonymous.get("/identity/v3/").json()["version"]
    assert answer.json()["versions"]["values"] == [version]
    assert (version["id"], version["status"]) == ("v3.14", "stable")


@pytest.mark.parametrize("path", ["/identity", "/identity/v3"])
def test_json_home_tells_of_every_resource_that_is_served(cloud, path):
    answer = cloud.anonymous.get(path, headers={"Accept": "application/json-home, application/json;q=0.5"})
    assert answer.headers["content-type"].startswith("application/json-home")
    resources = answer.json()["resources"]
    docs = "https://docs.openstack.org/api/openstack-identity/3"
    assert resources[f"{docs}/rel/users"] == {"href": "/users"}
    assert resources[f"{docs}/rel/group_user"] == {
        "href-template": "/groups/{group_id}/users/{user_id}",
        "href-vars": {"group_id": f"{docs}/param/group_id", "user_id": f"{docs}/param/user_id"},
    }
    assert f"{docs}/ext/OS-EP-FILTER/1.0/rel/endpoint_groups" in resources
    for relation in resources.values():
        href = relation.get("href")
        if href:
            assert cloud.anonymous.get(f"/identity/v3{href}").status_code != 404, href


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/json-home;q=0.1, application/json", "x/y;q=z"]
)
def test_who_does_not_ask_for_json_home_gets_the_version(cloud, accept):
    assert "version" in cloud.anonymous.get("/identity/v3", headers={"Accept": accept}).json()
