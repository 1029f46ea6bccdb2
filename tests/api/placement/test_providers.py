"""Providers, trees, inventories, traits, classes, aggregates: made, changed, refused, by microversion."""

from __future__ import annotations

import uuid

import pytest


def test_a_tree_of_providers_knows_its_root(placement):
    root = placement.provider("root")
    child = placement.provider("child", root)
    grandchild = placement.provider("grandchild", child)
    shown = placement.get(f"/resource_providers/{grandchild}")
    assert (shown["root_provider_uuid"], shown["parent_provider_uuid"]) == (root, child)
    tree = placement.get(f"/resource_providers?in_tree={child}")["resource_providers"]
    assert {one["name"] for one in tree} == {"root", "child", "grandchild"}
    assert "parent_provider_uuid" not in placement("1.13").get(f"/resource_providers/{child}")
    placement.delete(f"/resource_providers/{root}", 409)
    for id in (grandchild, child, root):
        placement.delete(f"/resource_providers/{id}")
    placement.get(f"/resource_providers/{root}", 404)


def test_a_provider_moves_with_what_is_below_it_but_never_under_itself(placement):
    a, b = placement.provider("a"), placement.provider("b")
    child = placement.provider("child", a)
    below = placement.provider("below", child)
    placement("1.36").put(f"/resource_providers/{child}", {"name": "child", "parent_provider_uuid": b}, 400)
    placement.put(f"/resource_providers/{child}", {"name": "child", "parent_provider_uuid": below}, 400)
    placement.put(f"/resource_providers/{child}", {"name": "child", "parent_provider_uuid": b})
    assert placement.get(f"/resource_providers/{below}")["root_provider_uuid"] == b
    placement.put(f"/resource_providers/{child}", {"name": "child", "parent_provider_uuid": None})
    assert placement.get(f"/resource_providers/{below}")["root_provider_uuid"] == child
    placement.put(f"/resource_providers/{child}", {"name": "renamed"})
    assert placement.get(f"/resource_providers/{child}")["name"] == "renamed"


def test_names_and_ids_are_unique(placement):
    id = placement.provider("one")
    placement.post("/resource_providers", {"name": "one"}, 409)
    placement.post("/resource_providers", {"name": "two", "uuid": id}, 409)
    placement.post("/resource_providers", {"name": "two", "parent_provider_uuid": str(uuid.uuid4())}, 400)
    other = placement.provider("other")
    placement.put(f"/resource_providers/{other}", {"name": "one"}, 409)


def test_inventories_come_and_go_one_by_one(placement):
    id = placement.provider("one", inventories={"VCPU": 4})
    path = f"/resource_providers/{id}/inventories"
    placement.post(path, {"resource_class": "DISK_GB", "total": 100, "reserved": 10}, 201)
    placement.post(path, {"resource_class": "DISK_GB", "total": 100}, 409)
    placement.post(path, {"resource_class": "CUSTOM_NOPE", "total": 1}, 400)
    shown = placement.get(f"{path}/DISK_GB")
    assert (shown["total"], shown["reserved"], shown["allocation_ratio"]) == (100, 10, 1.0)
    wrong = {"resource_provider_generation": shown["resource_provider_generation"] - 1, "total": 50}
    placement.put(f"{path}/DISK_GB", wrong, 409)
    right = {"resource_provider_generation": shown["resource_provider_generation"], "total": 50}
    assert placement.put(f"{path}/DISK_GB", right)["total"] == 50
    placement.get(f"{path}/MEMORY_MB", 404)
    placement.delete(f"{path}/DISK_GB")
    assert set(placement.get(path)["inventories"]) == {"VCPU"}
    consumer = placement.claim({id: {"VCPU": 1}})
    placement.delete(f"{path}/VCPU", 409)
    placement.delete(path, 409)
    placement.delete(f"/allocations/{consumer}")
    placement.delete(path)
    assert placement.get(path)["inventories"] == {}


def test_everything_may_be_reserved_since_1_26(placement):
    id = placement.provider("one")
    body = {"resource_provider_generation": 0, "inventories": {"VCPU": {"total": 4, "reserved": 4}}}
    placement("1.25").put(f"/resource_providers/{id}/inventories", body, 400)
    placement.put(f"/resource_providers/{id}/inventories", body)
    body["inventories"]["VCPU"]["reserved"] = 5
    placement.put(f"/resource_providers/{id}/inventories", body | {"resource_provider_generation": 1}, 400)


def test_custom_traits_are_made_used_and_removed(placement):
    placement.put("/traits/CUSTOM_FAST", status=201)
    placement.put("/traits/CUSTOM_FAST", status=204)
    placement.put("/traits/FAST", status=400)
    placement.get("/traits/CUSTOM_FAST", 204)
    placement.get("/traits/CUSTOM_SLOW", 404)
    assert "HW_CPU_X86_AVX2" in placement.get("/traits?name=startswith:HW_CPU_X86_AVX")["traits"]
    id = placement.provider("one", traits=["CUSTOM_FAST"])
    assert placement.get("/traits?associated=true")["traits"] == ["CUSTOM_FAST"]
    assert placement.get("/traits?name=in:CUSTOM_FAST,NOPE")["traits"] == ["CUSTOM_FAST"]
    placement.delete("/traits/CUSTOM_FAST", 409)
    wrong = {"resource_provider_generation": placement.generation(id), "traits": ["CUSTOM_NOPE"]}
    placement.put(f"/resource_providers/{id}/traits", wrong, 400)
    placement.delete(f"/resource_providers/{id}/traits")
    placement.delete("/traits/CUSTOM_FAST")
    placement.delete("/traits/CUSTOM_FAST", 404)
    placement.delete("/traits/HW_CPU_X86_AVX", 400)


def test_custom_classes_are_made_used_and_removed(placement):
    placement.post("/resource_classes", {"name": "CUSTOM_GOLD"}, 201)
    placement.post("/resource_classes", {"name": "CUSTOM_GOLD"}, 409)
    placement.put("/resource_classes/CUSTOM_GOLD", status=204)
    placement.put("/resource_classes/CUSTOM_SILVER", status=201)
    placement.put("/resource_classes/SILVER", status=400)
    placement("1.6").put("/resource_classes/CUSTOM_SILVER", {"name": "CUSTOM_TIN"})
    names = [one["name"] for one in placement.get("/resource_classes")["resource_classes"]]
    assert names[:3] == ["VCPU", "MEMORY_MB", "DISK_GB"]
    assert {"CUSTOM_GOLD", "CUSTOM_TIN"} <= set(names)
    placement.provider("one", inventories={"CUSTOM_GOLD": 2})
    placement.delete("/resource_classes/CUSTOM_GOLD", 409)
    placement.delete("/resource_classes/CUSTOM_TIN")
    placement.delete("/resource_classes/CUSTOM_TIN", 404)
    placement.delete("/resource_classes/VCPU", 400)
    placement("1.1").get("/resource_classes", 404)


def test_aggregates_by_list_and_since_1_19_by_generation(placement):
    id, one = placement.provider("one"), str(uuid.uuid4())
    path = f"/resource_providers/{id}/aggregates"
    assert placement("1.18").put(path, [one]) == {"aggregates": [one]}
    assert placement.get(path) == {"aggregates": [one], "resource_provider_generation": 0}
    placement.put(path, {"aggregates": [], "resource_provider_generation": 7}, 409)
    placement.put(path, {"aggregates": [], "resource_provider_generation": 0})
    assert placement.get(path) == {"aggregates": [], "resource_provider_generation": 1}


def test_providers_are_listed_by_what_they_have(placement):
    group, other = str(uuid.uuid4()), str(uuid.uuid4())
    placement.put("/traits/CUSTOM_A", status=201)
    placement.provider("small", inventories={"VCPU": 2}, aggregates=[group])
    placement.provider("big", inventories={"VCPU": 16}, traits=["CUSTOM_A"], aggregates=[other])

    def names(query, version="1.39"):
        return [
            one["name"]
            for one in placement(version).get(f"/resource_providers?{query}")["resource_providers"]
        ]

    assert names("") == ["big", "small"]
    assert names("name=big") == ["big"]
    assert names("resources=VCPU:3") == ["big"]
    assert names(f"member_of={group}") == ["small"]
    assert names(f"member_of=in:{group},{other}") == ["big", "small"]
    assert names(f"member_of=!{group}") == ["big"]
    assert names(f"member_of=!in:{group},{other}") == []
    assert names("required=CUSTOM_A") == ["big"]
    assert names("required=!CUSTOM_A") == ["small"]
    assert names("required=in:CUSTOM_A,HW_CPU_X86_AVX") == ["big"]
    assert names("required=CUSTOM_A&required=HW_CPU_X86_AVX") == []


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("nonsense=1", "1.39"),
        ("resources=VCPU", "1.39"),
        ("resources=VCPU:0", "1.39"),
        ("resources=NOPE:1", "1.39"),
        ("required=NOPE", "1.39"),
        ("required=", "1.39"),
        ("required=!HW_CPU_X86_AVX", "1.21"),
        ("required=HW_CPU_X86_AVX,!HW_CPU_X86_AVX", "1.39"),
        ("required=in:HW_CPU_X86_AVX", "1.38"),
        ("required=HW_CPU_X86_AVX", "1.17"),
        ("member_of=nope", "1.39"),
        ("member_of=!5e08ea53-c4c6-448e-9334-ac4953de3cfa", "1.31"),
        ("in_tree=nope", "1.39"),
        ("in_tree=5e08ea53-c4c6-448e-9334-ac4953de3cfa", "1.13"),
        ("uuid=nope", "1.39"),
        ("resources=VCPU:1&resources=VCPU:2", "1.39"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(placement, query, version):
    placement(version).get(f"/resource_providers?{query}", 400)


def test_placement_is_for_administrators(cloud):
    for client in (cloud.member, cloud.reader, cloud.foreign):
        for path in (
            "/resource_providers",
            "/traits",
            "/resource_classes",
            "/allocation_candidates?resources=VCPU:1",
        ):
            headers = {"OpenStack-API-Version": "placement 1.39"}
            assert client.get(f"/placement{path}", headers=headers).status_code == 403
