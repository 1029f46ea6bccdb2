"""Attributes of images: create, change by patch, who may what, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

I = "/image/v2/images"  # noqa: E741
V1 = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
V0 = {"Content-Type": "application/openstack-images-v2.0-json-patch"}


def _create(client, **body):
    answer = client.post(I, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _patch(client, image, *operations, headers=V1):
    return client.patch(f"{I}/{image['id']}", json=list(operations), headers=headers)


def _set(client, image, name, value):
    return _patch(client, image, {"op": "replace", "path": f"/{name}", "value": value})


def _settings(cloud, **values):
    settings = cloud.house.config
    cloud.house.config = replace(settings, image=replace(settings.image, **values))


def test_a_new_image_has_every_attribute(cloud):
    image = _create(cloud.member, name="n", os_distro="debian", tags=["b", "a", "b"], min_ram=5)
    assert image["status"] == "queued"
    assert image["visibility"] == "shared"
    assert image["owner"] == cloud.member.project_id
    assert sorted(image["tags"]) == ["a", "b"]
    assert (image["os_distro"], image["min_ram"], image["min_disk"]) == ("debian", 5, 0)
    for name in ("size", "virtual_size", "checksum", "os_hash_algo", "os_hash_value", "disk_format"):
        assert image[name] is None
    assert image["file"] == f"/v2/images/{image['id']}/file"
    assert cloud.member.get(f"{I}/{image['id']}").json() == image


def test_a_new_image_comes_with_the_ways_to_fill_it(cloud):
    answer = cloud.member.post(I, json={})
    assert answer.headers["OpenStack-image-import-methods"] == (
        "glance-direct,web-download,copy-image,glance-download"
    )
    assert answer.headers["OpenStack-image-store-ids"] == "file,b,c"
    assert answer.headers["Location"].endswith(answer.json()["self"])


def test_an_empty_id_is_not_the_list(cloud):
    assert cloud.member.get(f"{I}/").status_code == 404
    assert cloud.member.delete(f"{I}/").status_code == 404


def test_an_id_of_ones_own_is_taken_once_in_any_case(cloud):
    id = "AAAAAAAA-1111-4222-8333-BBBBBBBBBBBB"
    assert _create(cloud.member, id=id)["id"] == id.lower()
    assert cloud.member.get(f"{I}/{id}").status_code == 200
    answer = cloud.foreign.post(I, json={"id": id.lower()})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"status": "active"}, 403, "read-only"),
        ({"size": 5}, 403, "read-only"),
        ({"checksum": "x"}, 403, "read-only"),
        ({"self": "x"}, 403, "read-only"),
        ({"locations": []}, 403, "read-only"),
        ({"deleted": "x"}, 403, "reserved"),
        ({"os_glance_stage_host": "x"}, 403, "reserved"),
        ({"visibility": "public"}, 403, "publicize_image"),
        ({"owner": "somebody-else"}, 403, "owner"),
        ({"owner": None}, 403, "owner"),
        ({"visibility": "everybody"}, 400, "visibility"),
        ({"container_format": "box"}, 400, "container_format"),
        ({"min_disk": -1}, 400, "min_disk"),
        ({"id": "1"}, 400, "id"),
        ({"x": 5}, 400, "string"),
        ({"x": None}, 400, "string"),
        ({"x" * 256: "y"}, 400, "255"),
        ({"name": "x" * 256}, 400, "name"),
        ({"tags": ["x" * 256]}, 400, "tags"),
        ({"tags": [str(n) for n in range(129)]}, 413, "128"),
        ({f"p{n}": "x" for n in range(129)}, 413, "128"),
        ([], 400, "object"),
    ],
)
def test_what_cannot_be_made_is_refused_in_words(cloud, body, status, words):
    answer = cloud.member.post(I, json=body)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert cloud.member.get(I).json()["images"] == []


def test_only_the_two_patch_types_are_taken(cloud):
    image = _create(cloud.member)
    for kind in ("application/json", "application/json-patch+json", "text/plain"):
        answer = _patch(cloud.member, image, headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert V1["Content-Type"] in answer.headers["Accept-Patch"]


def test_a_patch_is_carried_out_whole_or_not_at_all(cloud):
    image = _create(cloud.member, name="before", a="1")
    answer = _patch(
        cloud.member,
        image,
        {"op": "replace", "path": "/name", "value": "after"},
        {"op": "remove", "path": "/b"},
    )
    assert answer.status_code == 409
    assert cloud.member.get(f"{I}/{image['id']}").json() == image


def test_an_empty_patch_changes_nothing(cloud):
    image = _create(cloud.member)
    answer = _patch(cloud.member, image)
    assert answer.json() == image


def test_both_dialects_change_an_image(cloud):
    image = _create(cloud.member, name="before", a="1")
    assert _set(cloud.member, image, "name", "after").json()["name"] == "after"
    answer = _patch(
        cloud.member, image, {"replace": "/a", "value": "2"}, {"add": "/b", "value": "3"}, headers=V0
    )
    assert (answer.json()["a"], answer.json()["b"]) == ("2", "3")
    assert _patch(cloud.member, image, {"add": "/b", "value": "4"}, headers=V0).status_code == 409
    assert "a" not in _patch(cloud.member, image, {"op": "remove", "path": "/a"}).json()


def test_the_name_may_be_empty_or_nothing(cloud):
    image = _create(cloud.member, name="n")
    assert _set(cloud.member, image, "name", "").json()["name"] == ""
    assert _set(cloud.member, image, "name", None).json()["name"] is None


def test_formats_are_fixed_once_there_is_data(cloud):
    image = _create(cloud.member, disk_format="raw", container_format="bare")
    assert _set(cloud.member, image, "container_format", "bare").status_code == 200
    raw = {"Content-Type": "application/octet-stream"}
    assert cloud.member.put(f"{I}/{image['id']}/file", content=b"x" * 512, headers=raw).status_code == 204
    assert _set(cloud.member, image, "disk_format", "qcow2").status_code == 403


def test_only_administrators_give_images_away(cloud):
    image = _create(cloud.member)
    assert _set(cloud.member, image, "owner", cloud.foreign.project_id).status_code == 403
    assert _set(cloud.admin, image, "owner", cloud.foreign.project_id).status_code == 200
    assert cloud.member.get(f"{I}/{image['id']}").status_code == 404
    assert cloud.foreign.get(f"{I}/{image['id']}").status_code == 200
    assert _set(cloud.admin, image, "owner", None).json()["owner"] is None
    assert cloud.foreign.get(f"{I}/{image['id']}").status_code == 404


def test_a_reader_changes_nothing(cloud):
    image = _create(cloud.member)
    assert cloud.reader.get(f"{I}/{image['id']}").status_code == 200
    assert cloud.reader.post(I, json={}).status_code == 403
    assert _set(cloud.reader, image, "name", "x").status_code == 403
    assert cloud.reader.delete(f"{I}/{image['id']}").status_code == 403
    assert cloud.reader.put(f"{I}/{image['id']}/tags/x").status_code == 403


def test_a_reader_learns_nothing_about_foreign_images(cloud):
    image = _create(cloud.foreign, visibility="private")
    path = f"{I}/{image['id']}"
    assert _set(cloud.reader, image, "name", "x").status_code == 404
    for method, below in (
        ("DELETE", ""), ("PUT", "/tags/x"), ("DELETE", "/tags/x"), ("POST", "/actions/deactivate"),
        ("POST", "/actions/reactivate"), ("GET", "/file"), ("GET", "/members"), ("DELETE", "/members/x"),
    ):  # fmt: skip
        assert cloud.reader.request(method, path + below).status_code == 404, (method, below)


def test_images_are_not_for_tokens_of_the_system(cloud):
    image = _create(cloud.member)
    user = {"name": "admin", "domain": {"id": "default"}, "password": "admin-secret"}
    identity = {"methods": ["password"], "password": {"user": user}}
    auth = {"auth": {"identity": identity, "scope": {"system": {"all": True}}}}
    answer = cloud.http.post("/identity/v3/auth/tokens", json=auth)
    system = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    assert cloud.http.get(f"{I}/{image['id']}", headers=system).status_code == 404
    assert cloud.http.delete(f"{I}/{image['id']}", headers=system).status_code == 404
    assert cloud.http.get(I, headers=system).status_code == 403
    assert cloud.http.post(I, json={}, headers=system).status_code == 403


def test_a_community_image_is_seen_by_all_and_changed_by_its_owner(cloud):
    image = _create(cloud.member, visibility="community")
    assert cloud.foreign.get(f"{I}/{image['id']}").status_code == 200
    assert _set(cloud.foreign, image, "name", "mine").status_code == 403
    assert cloud.foreign.delete(f"{I}/{image['id']}").status_code == 403
    assert _set(cloud.member, image, "visibility", "private").status_code == 200
    assert cloud.foreign.get(f"{I}/{image['id']}").status_code == 404


def test_a_protected_image_stays(cloud):
    image = _create(cloud.member, protected=True)
    for client in (cloud.member, cloud.admin):
        assert client.delete(f"{I}/{image['id']}").status_code == 403
    _set(cloud.member, image, "protected", False)
    assert cloud.member.delete(f"{I}/{image['id']}").status_code == 204
    assert cloud.member.delete(f"{I}/{image['id']}").status_code == 404


def test_tags_come_and_go(cloud):
    image = _create(cloud.member, tags=["old"])
    tags = f"{I}/{image['id']}/tags"
    assert cloud.member.put(f"{tags}/new one").status_code == 204
    assert cloud.member.put(f"{tags}/new one").status_code == 204
    assert sorted(cloud.member.get(f"{I}/{image['id']}").json()["tags"]) == ["new one", "old"]
    assert cloud.member.delete(f"{tags}/old").status_code == 204
    assert cloud.member.delete(f"{tags}/old").status_code == 404
    assert cloud.member.put(f"{tags}/{'x' * 256}").status_code == 400
    assert cloud.foreign.put(f"{tags}/x").status_code == 404


def test_an_image_has_only_so_many_tags_and_properties(cloud):
    _settings(cloud, tag_limit=1, property_limit=1)
    image = _create(cloud.member, tags=["a"], a="1")
    assert cloud.member.put(f"{I}/{image['id']}/tags/b").status_code == 413
    assert _set(cloud.member, image, "tags", ["a", "b"]).status_code == 413
    assert _patch(cloud.member, image, {"op": "add", "path": "/b", "value": "2"}).status_code == 413
    swap = [{"op": "remove", "path": "/a"}, {"op": "add", "path": "/b", "value": "2"}]
    assert _patch(cloud.member, image, *swap).json()["b"] == "2"
    _settings(cloud, tag_limit=-1, property_limit=0)
    assert _set(cloud.member, image, "tags", ["a", "b"]).status_code == 200
    assert _set(cloud.member, image, "b", "3").status_code == 200, "what is there already may be changed"


def test_only_active_images_are_deactivated(cloud):
    image = _create(cloud.member, disk_format="raw", container_format="bare")
    actions = f"{I}/{image['id']}/actions"
    assert cloud.member.post(f"{actions}/deactivate").status_code == 403
    raw = {"Content-Type": "application/octet-stream"}
    cloud.member.put(f"{I}/{image['id']}/file", content=b"x" * 512, headers=raw)
    for action, status in (("deactivate", "deactivated"), ("reactivate", "active")):
        for _ in range(2):
            assert cloud.member.post(f"{actions}/{action}").status_code == 204
            assert cloud.member.get(f"{I}/{image['id']}").json()["status"] == status
    assert cloud.reader.post(f"{actions}/deactivate").status_code == 403
    assert cloud.foreign.post(f"{actions}/deactivate").status_code == 404


PROTECTION = """
[^billing]
create = admin
read = admin,reader
update = admin
delete = !
[^secret]
create = admin
read = admin
update = admin
delete = admin
[.*]
create = @
read = @
update = @
delete = @
"""


def test_protected_properties_are_the_operators(cloud, tmp_path):
    file = tmp_path / "protection.conf"
    file.write_text(PROTECTION)
    _settings(cloud, property_protection_file=file)
    assert cloud.member.post(I, json={"billing": "1"}).status_code == 403
    image = _create(cloud.member, free="1")
    add = [{"op": "add", "path": f"/{name}", "value": "x"} for name in ("billing", "secret")]
    assert _patch(cloud.member, image, *add).status_code == 403
    assert _patch(cloud.admin, image, *add).status_code == 200
    seen = cloud.member.get(f"{I}/{image['id']}").json()
    assert (seen["billing"], "secret" in seen) == ("x", False)
    listed = cloud.member.get(I).json()["images"][0]
    assert (listed["billing"], "secret" in listed) == ("x", False)
    assert _set(cloud.member, image, "billing", "y").status_code == 403
    assert _set(cloud.member, image, "secret", "y").status_code == 409
    assert _patch(cloud.admin, image, {"op": "remove", "path": "/billing"}).status_code == 403
    assert _set(cloud.member, image, "free", "2").status_code == 200
    assert cloud.admin.get(f"{I}/{image['id']}").json()["secret"] == "x", (
        "a change keeps what one does not see"
    )


def test_protection_by_policies_may_use_the_operators_own(cloud, tmp_path):
    from starlette.testclient import TestClient

    from clearsky import app

    policies, file = tmp_path / "policy.yaml", tmp_path / "protection.conf"
    policies.write_text('"accountant": "role:admin"\n')
    file.write_text("[.*]\ncreate = accountant\nread = @\nupdate = !\ndelete = !\n")
    settings = cloud.house.config
    cloud.house.config = replace(
        settings,
        api=replace(settings.api, policy_file=policies),
        image=replace(settings.image, property_protection_file=file, property_protection_format="policies"),
    )
    with TestClient(app.api(cloud.house)) as http:
        for client, status in ((cloud.member, 403), (cloud.admin, 201)):
            answer = http.post(I, json={"a": "1"}, headers={"X-Auth-Token": client.token})
            assert answer.status_code == status, answer.text
    file.write_text("[.*]\ncreate = nobody\nread = @\nupdate = !\ndelete = !\n")
    cloud.house.caches.clear()
    from clearsky.config import ConfigError
    from clearsky.image import service

    with pytest.raises(ConfigError, match="no such policy rule"):
        service.bootstrap(cloud.house)


def test_usage_is_counted(cloud):
    _create(cloud.member)
    _create(cloud.foreign)
    usage = cloud.member.get("/image/v2/info/usage").json()["usage"]
    assert usage["image_count_total"]["usage"] == 1
    assert usage["image_size_total"] == {"usage": 0, "limit": -1}


def test_a_project_has_only_so_many_images(cloud):
    services = cloud.admin.get("/identity/v3/services?type=image").json()["services"]
    limit = {"service_id": services[0]["id"], "resource_name": "image_count_total", "default_limit": 1}
    answer = cloud.admin.post("/identity/v3/registered_limits", json={"registered_limits": [limit]})
    assert answer.status_code == 201, answer.text
    image = _create(cloud.member)
    answer = cloud.member.post(I, json={})
    assert answer.status_code == 413
    assert "image_count_total is 1" in answer.json()["message"]
    usage = cloud.member.get("/image/v2/info/usage").json()["usage"]
    assert usage["image_count_total"] == {"usage": 1, "limit": 1}
    _create(cloud.foreign)
    cloud.member.delete(f"{I}/{image['id']}")
    _create(cloud.member)


@pytest.mark.parametrize("name", ["image", "images", "member", "members"])
def test_schemas_describe_what_is_served(cloud, name):
    document = cloud.reader.get(f"/image/v2/schemas/{name}").json()
    assert document["name"] == name
    if name == "image":
        image = _create(cloud.member)
        assert image.keys() <= document["properties"].keys()
        assert document["properties"]["status"]["readOnly"]
        assert document["properties"]["kernel_id"]["is_base"] is False
    if name == "images":
        assert document["properties"]["images"]["items"]["name"] == "image"


def test_a_schema_that_is_not_there(cloud):
    assert cloud.reader.get("/image/v2/schemas/metadefs/nothing").status_code == 404


def test_no_version_is_named_whose_routes_are_not_there(cloud):
    named = {one["id"] for one in cloud.anonymous.get("/image/versions").json()["versions"]}
    for version, path in (
        ("v2.12", "/v2/info/stores"),
        ("v2.14", "/v2/cache"),
        ("v2.15", "/v2/info/usage"),
        ("v2.17", f"/v2/images/{'0' * 8}-0000-4000-8000-{'0' * 12}/locations"),
    ):
        message = cloud.admin.get(f"/image{path}").json().get("message", "")
        assert (version in named) is (message != "The resource could not be found."), version


def test_versions_are_found_without_a_token(cloud):
    for path, status in (("/image", 300), ("/image/", 300), ("/image/versions", 200)):
        answer = cloud.anonymous.get(path)
        assert answer.status_code == status
        current = [one for one in answer.json()["versions"] if one["status"] == "CURRENT"]
        assert [one["id"] for one in current] == ["v2.16"]
        assert current[0]["links"] == [{"rel": "self", "href": "http://testserver/image/v2/"}]
