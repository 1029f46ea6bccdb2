"""Metadata definitions: namespaces and what they hold, who sees and who changes them."""

from __future__ import annotations

import pytest

from clearsky.image import metadefs, service

M = "/image/v2/metadefs"
N = f"{M}/namespaces"
SIZE = {"title": "Size", "type": "integer", "minimum": 1}
BUS = {"title": "Bus", "type": "string", "enum": ["a", "b"], "default": "a"}
WHOLE = {
    "namespace": "Our::Disks",
    "display_name": "Disks",
    "description": "What disks are",
    "visibility": "public",
    "resource_type_associations": [
        {"name": "OS::Glance::Image", "prefix": "disk_"},
        {"name": "OS::Cinder::Volume", "properties_target": "image"},
    ],
    "properties": {"size": SIZE},
    "objects": [{"name": "Drive", "description": "d", "required": ["bus"], "properties": {"bus": BUS}}],
    "tags": [{"name": "fast"}, {"name": "slow"}],
}


def _make(cloud, **body):
    answer = cloud.admin.post(N, json={"namespace": "ns"} | body)
    assert answer.status_code == 201, answer.text
    return answer


def test_a_namespace_is_made_with_all_that_it_holds(cloud):
    answer = _make(cloud, **WHOLE)
    assert answer.headers["Location"].endswith("/v2/metadefs/namespaces/Our::Disks")
    shown = cloud.reader.get(f"{N}/Our::Disks").json()
    assert shown == answer.json()
    assert (shown["owner"], shown["protected"]) == (cloud.admin.project_id, False)
    assert shown["self"] == "/v2/metadefs/namespaces/Our::Disks"
    assert shown["properties"] == {"size": SIZE}
    assert shown["objects"][0]["properties"] == {"bus": BUS}
    assert shown["tags"] == WHOLE["tags"]
    assert {one["name"]: one.get("prefix") for one in shown["resource_type_associations"]} == {
        "OS::Glance::Image": "disk_",
        "OS::Cinder::Volume": None,
    }


def test_a_namespace_is_shown_as_on_a_kind_of_resource(cloud):
    _make(cloud, **WHOLE)
    shown = cloud.reader.get(f"{N}/Our::Disks?resource_type=OS::Glance::Image").json()
    assert list(shown["properties"]) == ["disk_size"]
    assert (list(shown["objects"][0]["properties"]), shown["objects"][0]["required"]) == (
        ["disk_bus"],
        ["disk_bus"],
    )
    for other in ("OS::Cinder::Volume", "OS::Nova::Server"):
        shown = cloud.reader.get(f"{N}/Our::Disks?resource_type={other}").json()
        assert list(shown["properties"]) == ["size"]
    one = cloud.reader.get(f"{N}/Our::Disks/properties/disk_size?resource_type=OS::Glance::Image")
    assert one.json() == {"name": "size"} | SIZE
    for name, kind in (
        ("size", "OS::Glance::Image"),
        ("size", "OS::Cinder::Volume"),
        ("size", "OS::Nova::Server"),
    ):
        answer = cloud.reader.get(f"{N}/Our::Disks/properties/{name}?resource_type={kind}")
        assert answer.status_code == 404


def test_what_is_wrong_inside_leaves_nothing(cloud):
    twice = [{"name": "Drive"}, {"name": "Drive"}]
    assert cloud.admin.post(N, json=WHOLE | {"objects": twice}).status_code == 409
    assert cloud.admin.get(f"{N}/Our::Disks").status_code == 404
    assert cloud.admin.get(f"{M}/resource_types").json()["resource_types"] == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "namespace"),
        ({"namespace": ""}, 400, "namespace"),
        ({"namespace": "a/b"}, 400, "namespace"),
        ({"namespace": "n" * 81}, 400, "namespace"),
        ({"namespace": "n", "visibility": "shared"}, 400, "visibility"),
        ({"namespace": "n", "protected": "yes"}, 400, "protected"),
        ({"namespace": "n", "description": "d" * 501}, 400, "description"),
        ({"namespace": "n", "colour": "red"}, 400, "colour"),
        ({"namespace": "n", "created_at": "2020-01-01T00:00:00Z"}, 403, "read-only"),
        ({"namespace": "n", "self": "x"}, 403, "read-only"),
        ({"namespace": "n", "properties": {"p": {"type": "string"}}}, 400, "title"),
        ({"namespace": "n", "properties": {"p": {"title": "t"}}}, 400, "type"),
        ({"namespace": "n", "properties": {"p": {"title": "t", "type": "text"}}}, 400, "type"),
        (
            {"namespace": "n", "properties": {"p": {"title": "t", "type": "string", "pattern": "("}}},
            400,
            "pattern",
        ),
        (
            {"namespace": "n", "properties": {"p": {"title": "t", "type": "string", "minLength": -1}}},
            400,
            "minLength",
        ),
        ({"namespace": "n", "tags": [{"name": "x", "y": 1}]}, 400, "tags"),
        ({"namespace": "n", "objects": [{"properties": {}}]}, 400, "objects"),
    ],
)
def test_a_namespace_that_makes_no_sense_is_refused(cloud, body, status, words):
    answer = cloud.admin.post(N, json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["message"]
    assert cloud.admin.get(N).json()["namespaces"] == []


def test_only_administrators_define(cloud):
    _make(cloud, **WHOLE)
    ours = f"{N}/Our::Disks"
    for client in (cloud.member, cloud.reader, cloud.foreign):
        assert client.get(ours).status_code == 200
        for method, path, body in (
            ("POST", N, {"namespace": "mine"}),
            ("PUT", ours, {"namespace": "Our::Disks"}),
            ("DELETE", ours, None),
            ("POST", f"{ours}/objects", {"name": "o"}),
            ("PUT", f"{ours}/objects/Drive", {"name": "o"}),
            ("DELETE", f"{ours}/objects/Drive", None),
            ("DELETE", f"{ours}/objects", None),
            ("POST", f"{ours}/properties", {"name": "p"} | SIZE),
            ("PUT", f"{ours}/properties/size", {"name": "p"} | SIZE),
            ("DELETE", f"{ours}/properties/size", None),
            ("DELETE", f"{ours}/properties", None),
            ("POST", f"{ours}/tags", {"tags": []}),
            ("POST", f"{ours}/tags/new", None),
            ("PUT", f"{ours}/tags/fast", {"name": "t"}),
            ("DELETE", f"{ours}/tags/fast", None),
            ("DELETE", f"{ours}/tags", None),
            ("POST", f"{ours}/resource_types", {"name": "r"}),
            ("DELETE", f"{ours}/resource_types/OS::Glance::Image", None),
        ):
            answer = client.request(method, path, json=body) if body else client.request(method, path)
            assert answer.status_code == 403, (method, path)


def test_a_private_namespace_is_its_projects(cloud):
    _make(cloud, **WHOLE | {"visibility": "private", "owner": cloud.member.project_id})
    for path in ("", "/objects", "/objects/Drive", "/properties", "/properties/size", "/tags", "/tags/fast", "/resource_types"):  # fmt: skip
        assert cloud.reader.get(f"{N}/Our::Disks{path}").status_code == 200
        assert cloud.foreign.get(f"{N}/Our::Disks{path}").status_code == 404
    for client, status in ((cloud.reader, 403), (cloud.foreign, 404)):
        assert client.delete(f"{N}/Our::Disks").status_code == status
        assert client.post(f"{N}/Our::Disks/objects", json={"name": "o"}).status_code == status
    assert len(cloud.reader.get(N).json()["namespaces"]) == 1
    assert cloud.foreign.get(N).json()["namespaces"] == []
    assert len(cloud.admin.get(N).json()["namespaces"]) == 1


def test_a_namespace_is_replaced_and_keeps_what_it_holds(cloud):
    _make(cloud, **WHOLE)
    _make(cloud, namespace="other")
    answer = cloud.admin.put(f"{N}/Our::Disks", json={"namespace": "New", "owner": "somebody"})
    assert answer.status_code == 200, answer.text
    shown = cloud.admin.get(f"{N}/New").json()
    assert (shown["visibility"], shown["protected"], shown["owner"]) == ("private", False, "somebody")
    assert "description" not in shown
    assert shown["properties"] == {"size": SIZE}
    assert cloud.admin.get(f"{N}/Our::Disks").status_code == 404
    assert cloud.admin.put(f"{N}/New", json={"namespace": "other"}).status_code == 409
    assert cloud.admin.put(f"{N}/nothing", json={"namespace": "other"}).status_code == 404
    assert cloud.admin.put(f"{N}/New", json={"namespace": "New", "schema": "x"}).status_code == 403


def test_nothing_of_a_protected_namespace_can_be_deleted(cloud):
    _make(cloud, **WHOLE | {"protected": True})
    for path in ("", "/objects", "/objects/Drive", "/properties", "/properties/size", "/tags", "/tags/fast", "/resource_types/OS::Glance::Image"):  # fmt: skip
        assert cloud.admin.delete(f"{N}/Our::Disks{path}").status_code == 403
    assert cloud.admin.put(f"{N}/Our::Disks/tags/fast", json={"name": "quick"}).status_code == 200
    assert cloud.admin.put(f"{N}/Our::Disks", json={"namespace": "Our::Disks"}).status_code == 200
    assert cloud.admin.delete(f"{N}/Our::Disks").status_code == 204
    assert cloud.admin.get(f"{N}/Our::Disks").status_code == 404
    assert len(cloud.admin.get(f"{M}/resource_types").json()["resource_types"]) == 2, (
        "types outlive namespaces"
    )


def test_lists_of_namespaces_are_filtered_sorted_and_paged(cloud):
    _make(cloud, namespace="b", visibility="public", resource_type_associations=[{"name": "One"}])
    _make(
        cloud,
        namespace="a",
        visibility="private",
        resource_type_associations=[{"name": "Two"}, {"name": "One"}],
    )
    _make(cloud, namespace="c", visibility="public")

    def names(query=""):
        return [one["namespace"] for one in cloud.admin.get(f"{N}{query}").json()["namespaces"]]

    assert names() == ["c", "a", "b"]
    assert names("?sort_key=namespace&sort_dir=asc") == ["a", "b", "c"]
    assert names("?visibility=public") == ["c", "b"]
    assert names("?resource_types=Two") == ["a"]
    assert names("?resource_types=Two,One") == ["a", "b"]
    assert names("?resource_types=None") == []
    listed = cloud.admin.get(f"{N}?visibility=private").json()["namespaces"][0]
    assert {one["name"] for one in listed["resource_type_associations"]} == {"One", "Two"}
    path, seen = "/v2/metadefs/namespaces?limit=1&sort_key=visibility&sort_dir=asc", []
    while path:
        page = cloud.admin.get(f"/image{path}").json()
        assert page["first"] == "/v2/metadefs/namespaces?limit=1&sort_key=visibility&sort_dir=asc"
        assert page["schema"] == "/v2/schemas/metadefs/namespaces"
        seen += [one["namespace"] for one in page["namespaces"]]
        path = page.get("next")
    assert seen == ["a", "b", "c"]
    for query in ("visibility=shared", "sort_key=x", "sort_dir=x", "limit=x", "limit=-1"):
        assert cloud.admin.get(f"{N}?{query}").status_code == 400
    assert cloud.admin.get(f"{N}?marker=x").status_code == 404


def test_objects(cloud):
    _make(cloud, visibility="public")
    objects = f"{N}/ns/objects"
    body = {"name": "o", "description": "d", "required": ["bus"], "properties": {"bus": BUS}}
    made = cloud.admin.post(objects, json=body)
    assert made.status_code == 201, made.text
    assert made.json().items() >= body.items()
    assert made.json()["self"] == "/v2/metadefs/namespaces/ns/objects/o"
    assert cloud.reader.get(f"{objects}/o").json() == made.json()
    assert cloud.admin.post(objects, json=body).status_code == 409
    assert cloud.admin.post(objects, json={"name": "p"}).json()["properties"] == {}
    assert cloud.admin.put(f"{objects}/o", json={"name": "p"}).status_code == 409
    changed = cloud.admin.put(f"{objects}/o", json={"name": "q", "properties": {"size": SIZE}}).json()
    assert (changed["name"], changed["properties"], "required" in changed) == ("q", {"size": SIZE}, False)
    assert cloud.admin.put(f"{objects}/o", json={"name": "q"}).status_code == 404
    assert [one["name"] for one in cloud.reader.get(f"{objects}?sort_key=name&sort_dir=asc").json()["objects"]] == ["p", "q"]  # fmt: skip
    page = cloud.reader.get(f"{objects}?limit=1&sort_key=name").json()
    assert page["next"] == "/v2/metadefs/namespaces/ns/objects?limit=1&sort_key=name&marker=q"
    assert [one["name"] for one in cloud.reader.get("/image" + page["next"]).json()["objects"]] == ["p"]
    for bad in (
        {},
        {"name": "n" * 81},
        {"name": "o", "properties": {"x": {}}},
        {"name": "o", "required": ["a", "a"]},
    ):
        assert cloud.admin.post(objects, json=bad).status_code == 400
    assert cloud.admin.post(objects, json={"name": "o", "updated_at": "x"}).status_code == 403
    assert cloud.admin.delete(f"{objects}/q").status_code == 204
    assert cloud.admin.delete(f"{objects}/q").status_code == 404
    assert cloud.admin.delete(objects).status_code == 204
    assert cloud.reader.get(objects).json()["objects"] == []


def test_properties(cloud):
    _make(cloud, visibility="public")
    properties = f"{N}/ns/properties"
    made = cloud.admin.post(properties, json={"name": "hw:size"} | SIZE)
    assert made.status_code == 201, made.text
    assert made.json() == {"name": "hw:size"} | SIZE
    assert cloud.reader.get(f"{properties}/hw:size").json() == made.json()
    assert cloud.admin.post(properties, json={"name": "hw:size"} | SIZE).status_code == 409
    assert (
        cloud.admin.put(f"{properties}/hw:size", json={"name": "bus"} | BUS).json() == {"name": "bus"} | BUS
    )
    assert cloud.reader.get(properties).json() == {"properties": {"bus": BUS}}
    every = {
        "name": "all", "title": "t", "type": "array", "description": "d", "operators": ["<or>"], "default": [1],
        "readonly": True, "required": ["x"], "minimum": 1, "maximum": 2.5, "minLength": 0, "maxLength": 1,
        "pattern": "^a$", "enum": [1, None], "items": {"type": "string", "enum": ["a"]}, "minItems": 0, "maxItems": 2,
        "uniqueItems": False, "additionalItems": False,
    }  # fmt: skip
    assert cloud.admin.post(properties, json=every).json() == every
    for bad in ({"name": "x"}, SIZE, {"name": "x", "odd": 1} | SIZE, {"name": "x"} | SIZE | {"minimum": "1"}):
        assert cloud.admin.post(properties, json=bad).status_code == 400
    assert cloud.admin.post(properties, json={"name": "x", "created_at": 1} | SIZE).status_code == 403
    assert cloud.admin.delete(f"{properties}/bus").status_code == 204
    assert cloud.admin.delete(f"{properties}/bus").status_code == 404
    assert cloud.admin.delete(properties).status_code == 204
    assert cloud.reader.get(properties).json() == {"properties": {}}


def test_tags(cloud):
    _make(cloud, visibility="public")
    tags = f"{N}/ns/tags"

    def names():
        return [one["name"] for one in cloud.reader.get(f"{tags}?sort_key=name&sort_dir=asc").json()["tags"]]

    assert cloud.admin.post(f"{tags}/a").json()["name"] == "a"
    assert cloud.admin.post(f"{tags}/a").status_code == 409
    assert cloud.admin.post(f"{tags}/{'a' * 81}").status_code == 400
    made = cloud.admin.post(tags, json={"tags": [{"name": "b"}, {"name": "c"}]})
    assert (made.status_code, made.json()) == (201, {"tags": [{"name": "b"}, {"name": "c"}]})
    assert names() == ["b", "c"], "a list replaces"
    assert cloud.admin.post(tags, json={"tags": [{"name": "d"}]}, headers={"X-OpenStack-Append": "True"}).status_code == 201  # fmt: skip
    assert names() == ["b", "c", "d"]
    assert cloud.admin.post(tags, json={"tags": []}).status_code == 201
    assert cloud.admin.post(tags, json={"tags": [{"name": "e"}, {"name": "e"}]}).status_code == 409
    assert names() == ["b", "c", "d"], "what fails changes nothing"
    assert cloud.admin.put(f"{tags}/b", json={"name": "a"}).json()["name"] == "a"
    assert cloud.admin.put(f"{tags}/b", json={"name": "a"}).status_code == 404
    assert cloud.admin.put(f"{tags}/a", json={"name": "c"}).status_code == 409
    assert cloud.reader.get(f"{tags}/a").json().keys() == {"name", "created_at", "updated_at"}
    page = cloud.reader.get(f"{tags}?limit=2&sort_key=name&sort_dir=asc").json()
    assert [one["name"] for one in cloud.reader.get("/image" + page["next"]).json()["tags"]] == ["d"]
    assert cloud.admin.delete(f"{tags}/a").status_code == 204
    assert cloud.admin.delete(f"{tags}/a").status_code == 404
    assert cloud.admin.delete(tags).status_code == 204
    assert names() == []


def test_associations(cloud):
    _make(cloud, visibility="public")
    types = f"{N}/ns/resource_types"
    body = {"name": "OS::Nova::Flavor", "prefix": "hw:", "properties_target": "x"}
    made = cloud.admin.post(types, json=body)
    assert made.status_code == 201, made.text
    assert made.json().items() >= body.items()
    assert cloud.admin.post(types, json=body).status_code == 409
    listed = cloud.reader.get(types).json()["resource_type_associations"]
    assert listed == [made.json()]
    assert [one["name"] for one in cloud.reader.get(f"{M}/resource_types").json()["resource_types"]] == [
        body["name"]
    ]
    assert cloud.admin.post(types, json={"prefix": "x"}).status_code == 400
    assert cloud.admin.delete(f"{types}/OS::Nova::Flavor").status_code == 204
    assert cloud.admin.delete(f"{types}/OS::Nova::Flavor").status_code == 404
    assert cloud.admin.delete(f"{types}/nothing").status_code == 404


def test_the_catalogue_is_written_once_and_then_the_operators(cloud):
    service.bootstrap(cloud.house)
    namespaces = cloud.reader.get(N).json()["namespaces"]
    assert len(namespaces) == len(list(metadefs.catalogue())) > 15
    assert all(one["protected"] and one["visibility"] == "public" for one in namespaces)
    bus = cloud.reader.get(f"{N}/OS::Compute::LibvirtImage/properties/hw_disk_bus").json()
    assert "virtio" in bus["enum"]
    pinning = cloud.reader.get(f"{N}/OS::Compute::CPUPinning?resource_type=OS::Nova::Flavor").json()
    assert "hw:cpu_policy" in pinning["properties"]
    changed = {"name": "hw_disk_bus", "title": "Ours", "type": "string"}
    path = f"{N}/OS::Compute::LibvirtImage/properties/hw_disk_bus"
    assert cloud.member.put(path, json=changed).status_code == 403
    assert cloud.admin.put(path, json=changed).status_code == 200
    service.bootstrap(cloud.house)
    assert cloud.reader.get(path).json() == changed
    assert len(cloud.reader.get(N).json()["namespaces"]) == len(namespaces)


def test_the_catalogue_is_what_a_client_could_have_sent(cloud):
    for one in metadefs.catalogue():
        answer = cloud.admin.post(N, json=one)
        assert answer.status_code == 201, (one["namespace"], answer.text)
        for properties in (
            one.get("properties", {}),
            *(part["properties"] for part in one.get("objects", [])),
        ):
            for name, definition in properties.items():
                assert definition["description"].endswith("."), name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("namespace", "namespace"), ("namespaces", "namespaces"), ("object", "object"), ("objects", "objects"),
        ("property", "property"), ("properties", "properties"), ("tag", "tag"), ("tags", "tags"),
        ("resource_type", "resource_type_association"), ("resource_types", "resource_type_associations"),
    ],
)  # fmt: skip
def test_schemas(cloud, path, name):
    document = cloud.reader.get(f"/image/v2/schemas/metadefs/{path}").json()
    assert document["name"] == name
    if path == "namespace":
        assert _make(cloud, **WHOLE).json().keys() <= document["properties"].keys()
