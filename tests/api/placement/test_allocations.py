"""Allocations: claimed, counted, moved all at once, and refused where somebody was quicker."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def host(placement):
    return placement.provider("host", inventories={"VCPU": 4, "MEMORY_MB": 1024})


def _used(placement, id):
    return placement.get(f"/resource_providers/{id}/usages")["usages"]


def test_a_claim_is_counted_changed_and_given_back(placement, host):
    consumer = placement.claim({host: {"VCPU": 2, "MEMORY_MB": 512}})
    assert _used(placement, host) == {"VCPU": 2, "MEMORY_MB": 512}
    shown = placement.get(f"/allocations/{consumer}")
    assert shown["allocations"][host]["resources"] == {"VCPU": 2, "MEMORY_MB": 512}
    assert (shown["project_id"], shown["consumer_generation"], shown["consumer_type"]) == ("p", 1, "INSTANCE")
    placement.claim({host: {"VCPU": 1}}, consumer, generation=1)
    assert _used(placement, host) == {"VCPU": 1, "MEMORY_MB": 0}
    assert list(placement.get(f"/resource_providers/{host}/allocations")["allocations"]) == [consumer]
    placement.claim({}, consumer, generation=2)
    assert placement.get(f"/allocations/{consumer}") == {"allocations": {}}
    placement.delete(f"/allocations/{consumer}", 404)


def test_a_claim_that_does_not_fit_changes_nothing(placement, host):
    consumer = placement.claim({host: {"VCPU": 3}})
    placement.claim({host: {"VCPU": 2}}, status=409)
    placement.claim({host: {"DISK_GB": 1}}, status=409)
    placement.claim({str(uuid.uuid4()): {"VCPU": 1}}, status=400)
    placement.claim({host: {"NOPE": 1}}, status=400)
    assert _used(placement, host) == {"VCPU": 3, "MEMORY_MB": 0}
    placement.claim({host: {"VCPU": 4}}, consumer, generation=1)


def test_consumer_generations_stop_the_one_who_did_not_look(placement, host):
    consumer = placement.claim({host: {"VCPU": 1}})
    placement.claim({host: {"VCPU": 2}}, consumer, generation=None, status=409)
    placement.claim({host: {"VCPU": 2}}, consumer, generation=7, status=409)
    placement.claim({host: {"VCPU": 2}}, consumer, generation=1)
    placement.claim({host: {"VCPU": 1}}, generation=0, status=409)


def test_units_are_kept(placement):
    id = placement.provider("host")
    inventory = {"total": 100, "min_unit": 10, "max_unit": 50, "step_size": 10}
    body = {"resource_provider_generation": 0, "inventories": {"DISK_GB": inventory}}
    placement.put(f"/resource_providers/{id}/inventories", body)
    for amount in (5, 60, 15):
        placement.claim({id: {"DISK_GB": amount}}, status=409)
    placement.claim({id: {"DISK_GB": 50}})


def test_old_shapes_of_claims(placement, host):
    listed = {"allocations": [{"resource_provider": {"uuid": host}, "resources": {"VCPU": 1}}]}
    first, second, third = (str(uuid.uuid4()) for _ in range(3))
    placement("1.0").put(f"/allocations/{first}", listed, 204)
    placement("1.8").put(f"/allocations/{second}", listed, 400)
    placement("1.8").put(f"/allocations/{second}", listed | {"project_id": "p", "user_id": "u"}, 204)
    named = {"allocations": {host: {"resources": {"VCPU": 1}}}, "project_id": "p", "user_id": "u"}
    placement("1.12").put(f"/allocations/{third}", named, 204)
    placement("1.27").put(f"/allocations/{third}", named | {"allocations": {}}, 400)
    assert _used(placement, host)["VCPU"] == 3
    assert "project_id" not in placement("1.11").get(f"/allocations/{third}")
    assert placement.get(f"/allocations/{third}")["consumer_type"] == "unknown"


def test_many_consumers_change_at_once_or_not_at_all(placement, host):
    other = placement.provider("other", inventories={"VCPU": 4})
    moved = placement.claim({host: {"VCPU": 4}})
    arriving = str(uuid.uuid4())

    def body(allocations, generation):
        return {
            "allocations": {id: {"resources": r} for id, r in allocations.items()},
            "project_id": "p", "user_id": "u", "consumer_generation": generation, "consumer_type": "INSTANCE",
        }  # fmt: skip

    placement.post(
        "/allocations", {moved: body({other: {"VCPU": 4}}, 1), arriving: body({host: {"VCPU": 5}}, None)}, 409
    )
    assert _used(placement, host)["VCPU"] == 4
    placement.post(
        "/allocations", {moved: body({other: {"VCPU": 4}}, 1), arriving: body({host: {"VCPU": 4}}, None)}, 204
    )
    assert (_used(placement, host)["VCPU"], _used(placement, other)["VCPU"]) == (4, 4)
    placement.post("/allocations", {moved: body({}, 2)}, 204)
    assert _used(placement, other)["VCPU"] == 0


def test_mappings_must_name_what_is_allocated(placement, host):
    placement.claim({host: {"VCPU": 1}}, mappings={"": [host]})
    placement.claim({host: {"VCPU": 1}}, mappings={"": [str(uuid.uuid4())]}, status=400)


def test_usage_of_a_project_by_type(placement, host):
    placement.claim({host: {"VCPU": 1}})
    placement.claim({host: {"VCPU": 2}}, consumer_type="MIGRATION")
    assert placement("1.37").get("/usages?project_id=p")["usages"] == {"VCPU": 3}
    assert placement.get("/usages?project_id=p")["usages"] == {
        "INSTANCE": {"VCPU": 1, "consumer_count": 1},
        "MIGRATION": {"VCPU": 2, "consumer_count": 1},
    }
    assert placement.get("/usages?project_id=p&consumer_type=all")["usages"] == {
        "all": {"VCPU": 3, "consumer_count": 2}
    }
    assert list(placement.get("/usages?project_id=p&consumer_type=MIGRATION")["usages"]) == ["MIGRATION"]
    assert placement.get("/usages?project_id=p&user_id=other")["usages"] == {}
    placement.get("/usages", 400)


def test_a_member_sees_the_usage_of_the_own_project_only(cloud, placement):
    headers = {"OpenStack-API-Version": "placement 1.39"}
    own = cloud.member.get(f"/placement/usages?project_id={cloud.member.project_id}", headers=headers)
    assert own.status_code == 200
    other = cloud.foreign.get(f"/placement/usages?project_id={cloud.member.project_id}", headers=headers)
    assert other.status_code == 403


def test_reshaping_moves_inventory_and_allocations_at_once(placement, host):
    child = placement.provider("child", host)
    consumer = placement.claim({host: {"VCPU": 2, "MEMORY_MB": 100}})

    def wanted(child_total):
        return {
            "inventories": {
                host: {"resource_provider_generation": placement.generation(host), "inventories": {"MEMORY_MB": {"total": 1024}}},
                child: {"resource_provider_generation": placement.generation(child), "inventories": {"VCPU": {"total": child_total}}},
            },
            "allocations": {
                consumer: {
                    "allocations": {host: {"resources": {"MEMORY_MB": 100}}, child: {"resources": {"VCPU": 2}}},
                    "project_id": "p", "user_id": "u", "consumer_generation": 1, "consumer_type": "INSTANCE",
                }
            },
        }  # fmt: skip

    placement.post("/reshaper", wanted(1), 409)
    assert _used(placement, host) == {"VCPU": 2, "MEMORY_MB": 100}
    placement.post("/reshaper", wanted(4), 204)
    assert (_used(placement, host), _used(placement, child)) == ({"MEMORY_MB": 100}, {"VCPU": 2})


def test_two_at_once_never_take_more_than_there_is(cloud, placement, host):
    def one(_):
        body = {"allocations": {host: {"resources": {"VCPU": 1}}}, "project_id": "p", "user_id": "u"}
        whole = body | {"consumer_generation": None, "consumer_type": "INSTANCE"}
        headers = {"OpenStack-API-Version": "placement 1.39"}
        path = f"/placement/allocations/{uuid.uuid4()}"
        return cloud.admin.put(path, json=whole, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(8))) == [204] * 4 + [409] * 4
    assert _used(placement, host)["VCPU"] == 4
