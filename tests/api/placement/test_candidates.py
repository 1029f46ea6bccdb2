"""Allocation candidates: groups, trees, sharing, traits, and how older versions saw them."""

from __future__ import annotations

import uuid

import pytest


@pytest.fixture
def numa(placement):
    """Two hosts: the first with two NUMA nodes below it, each with a device; the second flat."""
    placement.put("/traits/CUSTOM_NET_A", status=201)
    placement.put("/traits/CUSTOM_NET_B", status=201)
    host = placement.provider("host", inventories={"DISK_GB": 100}, traits=["HW_CPU_X86_AVX"])
    found = {
        "host": host,
        "flat": placement.provider("flat", inventories={"VCPU": 8, "MEMORY_MB": 64, "DISK_GB": 10}),
    }
    for n, trait in ((0, "CUSTOM_NET_A"), (1, "CUSTOM_NET_B")):
        found[f"numa{n}"] = placement.provider(f"numa{n}", host, {"VCPU": 4, "MEMORY_MB": 1024})
        found[f"nic{n}"] = placement.provider(f"nic{n}", found[f"numa{n}"], {"SRIOV_NET_VF": 2}, [trait])
    return found


def _ask(placement, query, version="1.39"):
    answer = placement(version).get(f"/allocation_candidates?{query}")
    if version == "1.39":
        named = {id for one in answer["allocation_requests"] for id in one["allocations"]}
        assert named <= answer["provider_summaries"].keys()
    return answer["allocation_requests"]


def _where(requests):
    return sorted(sorted(one["allocations"]) for one in requests)


def test_resources_are_spread_over_a_tree(placement, numa):
    found = _ask(placement, "resources=VCPU:2,DISK_GB:10")
    assert _where(found) == sorted(
        [sorted([numa["host"], numa["numa0"]]), sorted([numa["host"], numa["numa1"]]), [numa["flat"]]]
    )
    one = next(one for one in found if numa["numa0"] in one["allocations"])
    assert one["allocations"][numa["numa0"]] == {"resources": {"VCPU": 2}}
    assert set(one["mappings"][""]) == {numa["host"], numa["numa0"]}


def test_before_1_29_only_roots_take_part(placement, numa):
    answer = placement("1.28").get("/allocation_candidates?resources=VCPU:2,DISK_GB:10")
    assert _where(answer["allocation_requests"]) == [[numa["flat"]]]
    assert list(answer["provider_summaries"]) == [numa["flat"]]
    assert "mappings" not in answer["allocation_requests"][0]


def test_whole_trees_are_summarized(placement, numa):
    answer = placement.get("/allocation_candidates?resources=SRIOV_NET_VF:1&required=CUSTOM_NET_A")
    shown = answer["provider_summaries"]
    assert shown.keys() == {numa[name] for name in ("host", "numa0", "numa1", "nic0", "nic1")}
    assert shown[numa["nic0"]]["parent_provider_uuid"] == numa["numa0"]
    assert shown[numa["numa0"]]["resources"]["VCPU"] == {"capacity": 4, "used": 0}
    assert shown[numa["host"]]["traits"] == ["HW_CPU_X86_AVX"]


def test_a_numbered_group_is_satisfied_by_one_provider(placement, numa):
    query = "resources1=SRIOV_NET_VF:1&resources2=SRIOV_NET_VF:1"
    found = _ask(placement, f"{query}&group_policy=isolate")
    assert _where(found) == [sorted([numa["nic0"], numa["nic1"]])] * 2
    assert len(_ask(placement, f"{query}&group_policy=none")) == 4
    both = [one for one in _ask(placement, f"{query}&group_policy=none") if len(one["allocations"]) == 1]
    assert {next(iter(one["allocations"].values()))["resources"]["SRIOV_NET_VF"] for one in both} == {2}
    named = _ask(
        placement, "resources_A=SRIOV_NET_VF:1&required_A=CUSTOM_NET_A&resources_B=SRIOV_NET_VF:2&required_B=CUSTOM_NET_B&group_policy=none"
    )  # fmt: skip
    assert [one["mappings"] for one in named] == [{"_A": [numa["nic0"]], "_B": [numa["nic1"]]}]


def test_groups_in_one_subtree(placement, numa):
    query = "resources_C=VCPU:1&resources_N=SRIOV_NET_VF:1&group_policy=none"
    assert len(_ask(placement, query)) == 4
    near = _ask(placement, f"{query}&same_subtree=_C,_N")
    assert _where(near) == sorted(
        [sorted([numa["numa0"], numa["nic0"]]), sorted([numa["numa1"], numa["nic1"]])]
    )
    placement.put("/traits/CUSTOM_NODE", status=201)
    for name in ("numa0",):
        body = {"resource_provider_generation": placement.generation(numa[name]), "traits": ["CUSTOM_NODE"]}
        placement.put(f"/resource_providers/{numa[name]}/traits", body)
    anchored = _ask(
        placement, "resources_N=SRIOV_NET_VF:1&required_ANCHOR=CUSTOM_NODE&same_subtree=_N,_ANCHOR"
    )
    assert _where(anchored) == [[numa["nic0"]]]
    assert anchored[0]["mappings"] == {"_N": [numa["nic0"]], "_ANCHOR": [numa["numa0"]]}


def test_trees_and_roots_can_be_named(placement, numa):
    assert _where(_ask(placement, f"resources=VCPU:1&in_tree={numa['flat']}")) == [[numa["flat"]]]
    inside = _ask(placement, f"resources=VCPU:1&in_tree={numa['nic1']}")
    assert _where(inside) == sorted([[numa["numa0"]], [numa["numa1"]]])
    assert _where(_ask(placement, "resources=VCPU:1&root_required=!HW_CPU_X86_AVX")) == [[numa["flat"]]]
    assert len(_ask(placement, "resources=VCPU:1&root_required=HW_CPU_X86_AVX")) == 2


def test_traits_are_met_together_and_forbidden_ones_nowhere(placement, numa):
    assert (
        len(_ask(placement, "resources=DISK_GB:1,SRIOV_NET_VF:1&required=HW_CPU_X86_AVX,CUSTOM_NET_A")) == 1
    )
    assert _where(_ask(placement, "resources=SRIOV_NET_VF:1&required=!CUSTOM_NET_A")) == [[numa["nic1"]]]
    either = _ask(placement, "resources=SRIOV_NET_VF:1&required=in:CUSTOM_NET_A,CUSTOM_NET_B")
    assert len(either) == 2
    assert _ask(placement, "resources=SRIOV_NET_VF:1&required=CUSTOM_NET_A&required=CUSTOM_NET_B") == []


def test_storage_is_shared_by_aggregate(placement):
    group = str(uuid.uuid4())
    hosts = [
        placement.provider(f"host{n}", inventories={"VCPU": 4}, aggregates=[group] if n < 2 else [])
        for n in range(3)
    ]
    shared = placement.provider(
        "storage", inventories={"DISK_GB": 1000}, traits=["MISC_SHARES_VIA_AGGREGATE"], aggregates=[group]
    )
    found = _ask(placement, "resources=VCPU:1,DISK_GB:100")
    assert _where(found) == sorted(sorted([host, shared]) for host in hosts[:2])


def test_aggregates_of_the_root_are_its_trees(placement, numa):
    group = str(uuid.uuid4())
    body = {"aggregates": [group], "resource_provider_generation": placement.generation(numa["host"])}
    placement.put(f"/resource_providers/{numa['host']}/aggregates", body)
    assert len(_ask(placement, f"resources=VCPU:1&member_of={group}")) == 2
    assert _where(_ask(placement, f"resources=VCPU:1&member_of=!{group}")) == [[numa["flat"]]]


def test_what_is_used_is_not_offered(placement, numa):
    placement.claim({numa["numa0"]: {"VCPU": 3}})
    assert (
        _where(_ask(placement, "resources=VCPU:2,MEMORY_MB:512"))
        == sorted([[numa["numa1"]], sorted([numa["numa0"], numa["numa1"]])])
        or len(_ask(placement, "resources=VCPU:2,MEMORY_MB:512")) == 2
    )
    assert len(_ask(placement, "resources=VCPU:1&limit=1")) == 1


def test_the_shape_before_1_12(placement, numa):
    (one,) = _ask(placement, "resources=VCPU:1,DISK_GB:1", "1.10")
    assert one == {
        "allocations": [{"resource_provider": {"uuid": numa["flat"]}, "resources": {"VCPU": 1, "DISK_GB": 1}}]
    }


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("", "1.39"),
        ("required=HW_CPU_X86_AVX", "1.39"),
        ("resources=VCPU:x", "1.39"),
        ("resources=VCPU:1&limit=0", "1.39"),
        ("resources=VCPU:1&limit=x", "1.39"),
        ("resources=VCPU:1&limit=1", "1.15"),
        ("resources1=VCPU:1", "1.24"),
        ("resources_A=VCPU:1", "1.32"),
        ("resources1=VCPU:1&resources2=VCPU:1", "1.39"),
        ("resources=VCPU:1&group_policy=maybe", "1.39"),
        ("resources=VCPU:1&required1=HW_CPU_X86_AVX", "1.39"),
        ("resources1=VCPU:1&same_subtree=1,2", "1.39"),
        ("resources=VCPU:1&root_required=NOPE", "1.39"),
        ("resources=VCPU:1&root_required=HW_CPU_X86_AVX", "1.34"),
        ("resources=VCPU:1&nonsense=1", "1.39"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(placement, query, version):
    placement(version).get(f"/allocation_candidates?{query}", 400)


def test_before_1_10_there_were_none(placement):
    placement("1.9").get("/allocation_candidates?resources=VCPU:1", 404)
