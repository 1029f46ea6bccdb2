"""Anything that a client can think of: an image is what a simple model says, and no rubbish makes a route stumble."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

I = "/image/v2/images"  # noqa: E741
M = "/image/v2/metadefs/namespaces"
V1 = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
V0 = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
SHARED = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)

# -- patches against a model ------------------------------------------------------------------------------------

GOOD = {
    "name": st.one_of(st.none(), text),
    "min_ram": st.integers(0, 2**31 - 1),
    "protected": st.booleans(),
    "os_hidden": st.booleans(),
    "visibility": st.sampled_from(["private", "shared", "community"]),
    "tags": st.lists(st.sampled_from(["a", "b", "c"]), max_size=4),
    "x": text,
    "y": text,
}
FIXED = ["status", "id", "size", "os_glance_x", "deleted", "checksum"]
CUSTOM = ("x", "y")


@st.composite
def changes(draw):
    operation = draw(st.sampled_from(["add", "replace", "replace", "remove"]))
    name = draw(st.sampled_from([*GOOD, *CUSTOM, *CUSTOM, *FIXED[: draw(st.integers(0, 6))]]))
    value = draw(GOOD.get(name, text))
    if draw(st.integers(0, 19)) == 0:
        value = {"odd": 1}
    return operation, name, value


def _problem(operation, name, value):
    """What is wrong with an operation whatever the image is."""
    if name in FIXED:
        return 403
    return 400 if operation != "remove" and value == {"odd": 1} else 0


def _expected(image, wanted, *, old):
    """Return (status, image) as the reference has it: everything or nothing."""
    for change in wanted:
        if status := _problem(*change):
            return status, image
    after = dict(image)
    for operation, name, value in wanted:
        there = name in after
        if operation == "remove" and name not in CUSTOM:
            return 403, image
        if (operation != "add" and not there) or (operation == "add" and there and old):
            return 409, image
        if operation == "remove":
            del after[name]
        else:
            after[name] = value
    return 200, after | {"tags": list(dict.fromkeys(after["tags"]))}


@pytest.mark.parametrize("old", [False, True], ids=["2.1", "2.0"])
def test_patches_make_of_an_image_what_a_simple_model_says(cloud, old):
    @SHARED
    @given(st.lists(st.lists(changes(), max_size=4), max_size=4))
    def check(patches):
        image = cloud.member.post(I, json={"name": "n", "x": "1"}).json()
        path = f"{I}/{image['id']}"
        for wanted in patches:
            body = [
                {operation: f"/{name}", "value": value}
                if old
                else {"op": operation, "path": f"/{name}", "value": value}
                for operation, name, value in wanted
            ]
            status, expected = _expected(image, wanted, old=old)
            answer = cloud.member.patch(path, json=body, headers=V0 if old else V1)
            assert answer.status_code == status, (wanted, answer.text)
            image = cloud.member.get(path).json()
            assert {**image, "updated_at": ""} == {**expected, "updated_at": ""}, wanted

    check()


# -- rubbish ----------------------------------------------------------------------------------------------------

anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), text
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=8,
)
FILTERS = [
    "name", "status", "id", "owner", "tag", "visibility", "member_status", "os_hidden", "protected", "size_min",
    "size_max", "size", "min_ram", "created_at", "updated_at", "sort", "sort_key", "sort_dir", "limit", "marker", "x",
    "checksum", "os_hash_value", "disk_format", "resource_types", "virtual_size_min",
]  # fmt: skip
value = st.one_of(
    text,
    text.map(lambda one: f"in:{one}"),
    st.sampled_from(
        [
            "in:",
            'in:"',
            'in:"a","b"',
            "gt:",
            "gt:2020-01-01",
            "0",
            "-1",
            "1" * 30,
            "true",
            "name:asc",
            ",",
            ":",
        ]
    ),
)


def _no_stumble(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["message"]


def test_any_query_gets_an_answer(cloud):
    cloud.member.post(I, json={"name": "n", "x": "1", "tags": ["a"]})
    cloud.admin.post(M, json={"namespace": "ns", "visibility": "public"})

    @SHARED
    @given(
        st.lists(st.tuples(st.sampled_from(FILTERS), value), max_size=3),
        st.sampled_from(["", "?", "/objects", "/tags"]),
    )
    def check(query, below):
        path = I if below == "?" else f"{M}{'/ns' if below else ''}{below}"
        _no_stumble(cloud.member.get(path, params=query))

    check()


def test_any_body_gets_an_answer(cloud):
    image = cloud.member.post(I, json={"name": "n"}).json()["id"]
    cloud.admin.post(M, json={"namespace": "ns"})
    routes = [
        ("POST", I, {}),
        ("PATCH", f"{I}/{image}", V1),
        ("PATCH", f"{I}/{image}", V0),
        ("POST", f"{I}/{image}/members", {}),
        ("PUT", f"{I}/{image}/members/x", {}),
        ("POST", M, {}),
        ("PUT", f"{M}/ns", {}),
        ("POST", f"{M}/ns/objects", {}),
        ("POST", f"{M}/ns/properties", {}),
        ("POST", f"{M}/ns/tags", {}),
        ("POST", f"{M}/ns/resource_types", {}),
    ]
    near = st.dictionaries(
        st.sampled_from(["name", "namespace", "properties", "objects", "tags", "title", "type", "enum", "member", "status", "id", "owner", "visibility", "required", "prefix", "default"]),
        st.one_of(anything, st.just("ns"), st.just([{"name": "x"}]), st.just({"x": {"title": "t", "type": "string"}})),
        max_size=4,
    )  # fmt: skip
    patches = st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "op": st.one_of(st.sampled_from(["add", "replace", "remove"]), anything),
                "path": st.one_of(text.map(lambda one: f"/{one}"), anything),
                "add": st.one_of(text.map(lambda one: f"/{one}"), anything),
                "value": anything,
            },
        ),
        max_size=3,
    )

    @settings(SHARED, max_examples=200)
    @given(st.sampled_from(routes), st.one_of(anything, near, patches))
    def check(route, body):
        method, path, headers = route
        _no_stumble(
            cloud.admin.request(
                method, path, content=json.dumps(body), headers={"Content-Type": "application/json"} | headers
            )
        )

    check()


def test_any_name_in_a_path_gets_an_answer(cloud):
    cloud.admin.post(M, json={"namespace": "ns"})

    @SHARED
    @given(text, st.sampled_from(["GET", "PUT", "DELETE", "POST"]), st.sampled_from([f"{M}/%s", f"{M}/ns/tags/%s", f"{M}/ns/properties/%s", f"{I}/%s", f"{I}/%s/tags/x", "/image/v2/schemas/%s"]))  # fmt: skip
    def check(name, method, path):
        from urllib.parse import quote

        _no_stumble(cloud.admin.request(method, path % quote(name, safe="")))

    check()
