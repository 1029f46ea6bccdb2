"""What a cloud or a project chooses for what comes later: defaults of security groups, quotas."""

from __future__ import annotations

N = "/network/v2.0"
PATH = f"{N}/security-groups-default-statefulness"


def choose(client, status=201, **body):
    answer = client.post(PATH, json={"security_groups_default_statefulness": body})
    assert answer.status_code == status, answer.text
    return answer.json().get("security_groups_default_statefulness")


def group(client, **body):
    answer = client.post(f"{N}/security-groups", json={"security_group": {"name": "g"} | body})
    assert answer.status_code == 201, answer.text
    return answer.json()["security_group"]["stateful"]


def test_new_groups_take_their_projects_default_and_else_the_clouds(cloud):
    assert group(cloud.member)
    everywhere = choose(cloud.admin, stateful=False)
    assert (everywhere["project_id"], everywhere["stateful"]) == (None, False)
    assert not group(cloud.member)
    assert group(cloud.member, stateful=True)
    own = choose(cloud.admin, project_id=cloud.member.project_id, stateful=True)
    assert group(cloud.member)
    assert not group(cloud.foreign)
    changed = cloud.admin.put(
        f"{PATH}/{own['id']}", json={"security_groups_default_statefulness": {"stateful": False}}
    )
    assert changed.json()["security_groups_default_statefulness"]["stateful"] is False
    assert not group(cloud.member)
    assert changed.json()["security_group_default_statefulness"]["id"] == own["id"]
    again = cloud.admin.put(
        f"{PATH}/{own['id']}", json={"security_group_default_statefulness": {"stateful": False}}
    )
    assert again.status_code == 200, "openstacksdk's word for it is not known"
    for one in (own, everywhere):
        assert cloud.admin.delete(f"{PATH}/{one['id']}").status_code == 204
    assert group(cloud.member)
    assert cloud.admin.get(PATH).json() == {"security_groups_default_statefulness": []}


def test_a_default_group_made_on_demand_takes_it_as_well(cloud):
    choose(cloud.admin, stateful=False)
    listed = cloud.foreign.get(f"{N}/security-groups?name=default").json()["security_groups"]
    assert [one["stateful"] for one in listed] == [False]


def test_a_default_is_there_once_and_only_its_project_sees_it(cloud):
    own = choose(cloud.admin, project_id=cloud.member.project_id, stateful=False)
    choose(cloud.admin, 409, project_id=cloud.member.project_id)
    choose(cloud.admin)
    choose(cloud.admin, 409)
    choose(cloud.member, 403)
    seen = cloud.member.get(PATH).json()["security_groups_default_statefulness"]
    assert [one["id"] for one in seen] == [own["id"]]
    assert cloud.foreign.get(f"{PATH}/{own['id']}").status_code == 404
    assert cloud.foreign.delete(f"{PATH}/{own['id']}").status_code in (403, 404)
    assert cloud.member.delete(f"{PATH}/{own['id']}").status_code == 403
    assert cloud.admin.get(f"{PATH}?project_id={cloud.member.project_id}").json() != {}


def test_a_quota_below_what_is_used_needs_force(cloud):
    path = f"{N}/quotas/{cloud.member.project_id}"
    for _ in range(2):
        assert cloud.member.post(f"{N}/networks", json={"network": {}}).status_code == 201
    refused = cloud.admin.put(path, json={"quota": {"network": 1, "port": 9}})
    assert (refused.status_code, "already used 2" in refused.text) == (400, True)
    assert cloud.admin.get(path).json()["quota"]["port"] != 9
    assert cloud.admin.put(path, json={"quota": {"network": 2, "check_limit": True}}).status_code == 200
    assert cloud.admin.put(path, json={"quota": {"network": -1}}).status_code == 200
    forced = cloud.admin.put(path, json={"quota": {"network": 1, "force": True}})
    assert forced.json()["quota"]["network"] == 1
    assert cloud.member.post(f"{N}/networks", json={"network": {}}).status_code == 409


def test_rule_types_that_are_not_enforced_are_listed_on_demand_only(cloud):
    path = f"{N}/qos/rule-types"
    few, many = (
        {one["type"] for one in cloud.member.get(f"{path}?{word}=true").json()["rule_types"]}
        for word in ("all_supported", "all_rules")
    )
    assert few == {"bandwidth_limit", "dscp_marking", "minimum_bandwidth"}
    assert many - few == {"minimum_packet_rate", "packet_rate_limit"}
    assert cloud.member.get(f"{path}?all_supported=true&all_rules=true").status_code == 400


def test_a_router_says_whether_it_hides_what_is_inside(cloud):
    made = cloud.member.post(f"{N}/routers", json={"router": {}}).json()["router"]
    assert made["enable_snat"] is True
    assert cloud.member.get(f"{N}/routers?enable_snat=false").json()["routers"] == []
    assert cloud.member.put(f"{N}/routers/{made['id']}", json={"router": {"enable_snat": False}}).status_code == 400  # fmt: skip
