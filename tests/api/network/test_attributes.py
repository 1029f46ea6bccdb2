"""What is true of every resource of the Network API: filters, pages, tags, revisions, bulk; and of ports and subnets
their finer attributes."""

from __future__ import annotations

import pytest

N = "/network/v2.0"
COLLECTIONS = {
    "networks": {"name": "x"},
    "routers": {"name": "x"},
    "security-groups": {"name": "x"},
    "address-groups": {"name": "x"},
    "subnetpools": {"name": "x", "prefixes": ["10.0.0.0/8"]},
}


def singular(path):
    return path.replace("-", "_").removesuffix("s")


def post(client, path, status=201, **body):
    answer = client.post(f"{N}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return next(iter(answer.json().values()))


@pytest.fixture
def net(cloud):
    id = post(cloud.member, "networks", network={"name": "n"})["id"]
    return id, post(
        cloud.member, "subnets", subnet={"network_id": id, "cidr": "10.5.0.0/24", "ip_version": 4}
    )["id"]


@pytest.mark.parametrize("path", COLLECTIONS)
def test_every_collection_filters_sorts_pages_and_tags(cloud, path):
    one, many = singular(path), path.replace("-", "_")
    made = [
        post(cloud.member, path, **{one: COLLECTIONS[path] | {"name": f"x{n}", "tags": ["all", f"t{n}"]}})
        for n in range(5)
    ]
    assert cloud.member.get(f"{N}/{path}?nonsense=1").status_code == 400

    def names(query):
        found = cloud.member.get(f"{N}/{path}?{query}").json()[many]
        return [item["name"] for item in found if item["name"].startswith("x")]

    assert names("name=x1&name=x3&sort_key=name&sort_dir=desc") == ["x3", "x1"]
    assert names("tags=all,t2") == ["x2"]
    assert sorted(names("tags-any=t2,t3")) == ["x2", "x3"]
    assert sorted(names("not-tags-any=t2,t3")) == ["x0", "x1", "x4"]
    page = cloud.member.get(f"{N}/{path}?tags=all&sort_key=name&sort_dir=asc&limit=2").json()
    assert [item["name"] for item in page[many]] == ["x0", "x1"]
    seen = []
    while page:
        seen += [item["name"] for item in page[many]]
        links = {link["rel"]: link["href"] for link in page[f"{many}_links"]}
        page = (
            cloud.member.get(links["next"].removeprefix("http://testserver")).json()
            if "next" in links
            else None
        )
    assert seen == [f"x{n}" for n in range(5)]
    chosen = cloud.member.get(f"{N}/{path}?tags=all&fields=id&fields=name").json()[many]
    assert all(set(item) == {"id", "name"} for item in chosen)
    id, revision = made[0]["id"], made[0]["revision_number"]
    assert cloud.member.put(f"{N}/{path}/{id}/tags/new").status_code == 201
    shown = cloud.member.get(f"{N}/{path}/{id}").json()[one]
    assert set(shown["tags"]) == {"all", "t0", "new"}
    stale = {"If-Match": f"revision_number={revision}"}
    assert cloud.member.put(f"{N}/{path}/{id}", json={one: {"name": "y"}}, headers=stale).status_code == 412
    assert cloud.member.delete(f"{N}/{path}/{id}", headers=stale).status_code == 412
    fresh = {"If-Match": f"revision_number={shown['revision_number']}"}
    assert cloud.member.put(f"{N}/{path}/{id}", json={one: {"name": "y"}}, headers=fresh).status_code == 200


def test_every_extension_that_is_listed_can_be_shown(cloud):
    listed = cloud.member.get(f"{N}/extensions").json()["extensions"]
    for extension in listed:
        assert cloud.member.get(f"{N}/extensions/{extension['alias']}").json()["extension"] == extension
    assert cloud.member.get(f"{N}/extensions/nonsense").status_code == 404


@pytest.mark.parametrize("ra", [None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless"])
@pytest.mark.parametrize("mode", [None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless"])
def test_ipv6_modes_go_together_or_are_refused(cloud, ra, mode):
    net = post(cloud.member, "networks", network={})["id"]
    body = {"network_id": net, "cidr": "fd00::/64", "ip_version": 6}
    body |= {name: value for name, value in (("ipv6_ra_mode", ra), ("ipv6_address_mode", mode)) if value}
    fits = ra is None or mode is None or ra == mode
    post(cloud.member, "subnets", 201 if fits else 400, subnet=body)
    if not fits:
        return
    port = post(cloud.member, "ports", port={"network_id": net})
    automatic = {ra, mode} & {"slaac", "dhcpv6-stateless"}
    assert ("ff:fe" in port["fixed_ips"][0]["ip_address"]) == bool(automatic)
    assert cloud.member.post(f"{N}/subnets", json={"subnet": body | {"cidr": "fd01::/60"}}).status_code == (
        400 if automatic else 201
    )


def test_a_subnet_may_be_for_ports_of_one_kind(cloud, net):
    body = {"network_id": net[0], "cidr": "10.6.0.0/24", "ip_version": 4, "service_types": ["compute:nova"]}
    special = post(cloud.member, "subnets", subnet=body)["id"]
    plain = post(cloud.member, "ports", port={"network_id": net[0]})
    assert [ip["subnet_id"] for ip in plain["fixed_ips"]] == [net[1]]
    post(cloud.member, "ports", port={"network_id": net[0], "fixed_ips": [{"subnet_id": special}]})
    only = post(cloud.member, "networks", network={})["id"]
    post(cloud.member, "subnets", subnet=body | {"network_id": only})
    refused = post(cloud.member, "ports", 409, port={"network_id": only})
    assert refused["type"] == "IpAddressGenerationFailureNoMatchingSubnet"
    assert post(cloud.member, "ports", port={"network_id": only, "device_owner": "compute:nova"})["fixed_ips"]


def test_a_port_has_several_addresses_and_keeps_those_that_are_named(cloud, net):
    wanted = [{"subnet_id": net[1]}, {"subnet_id": net[1]}, {"ip_address": "10.5.0.77"}]
    port = post(cloud.member, "ports", port={"network_id": net[0], "fixed_ips": wanted})
    ips = [ip["ip_address"] for ip in port["fixed_ips"]]
    assert len(set(ips)) == 3
    assert "10.5.0.77" in ips
    twice = [{"ip_address": "10.5.0.78"}] * 2
    post(cloud.member, "ports", 400, port={"network_id": net[0], "fixed_ips": twice})
    kept = cloud.member.put(f"{N}/ports/{port['id']}", json={"port": {"fixed_ips": [{"ip_address": ips[0]}]}})
    assert [ip["ip_address"] for ip in kept.json()["port"]["fixed_ips"]] == [ips[0]]


def test_dns_names_are_assigned_and_domains_followed(cloud, net):
    port = post(cloud.member, "ports", port={"network_id": net[0], "dns_name": "web"})
    assert port["dns_assignment"][0]["fqdn"] == "web.openstacklocal."
    cloud.member.put(f"{N}/networks/{net[0]}", json={"network": {"dns_domain": "example.org."}})
    shown = cloud.member.get(f"{N}/ports/{port['id']}").json()["port"]
    assert shown["dns_assignment"][0] == {
        "ip_address": port["fixed_ips"][0]["ip_address"], "hostname": "web", "fqdn": "web.example.org.",
    }  # fmt: skip
    post(cloud.member, "ports", 400, port={"network_id": net[0], "dns_name": "under_score"})


@pytest.mark.parametrize(
    ("option", "status"),
    [
        ({"opt_name": "bootfile-name", "opt_value": "pxelinux.0"}, 201),
        ({"opt_name": "67", "opt_value": "pxelinux.0"}, 201),
        ({"opt_name": "mtu", "opt_value": "1400"}, 201),
        ({"opt_name": "mtu", "opt_value": "many"}, 400),
        ({"opt_name": "bootfile-name", "opt_value": 'a" , mtu = 1'}, 400),
        ({"opt_name": "flux-capacitor", "opt_value": "1"}, 400),
        ({"opt_name": "domain-search", "opt_value": "a.org", "ip_version": 6}, 201),
    ],
)
def test_only_options_that_can_be_sent_are_taken(cloud, net, option, status):
    post(cloud.member, "ports", status, port={"network_id": net[0], "extra_dhcp_opts": [option]})


def test_address_pairs_are_changed_one_by_one(cloud, net):
    port = post(cloud.member, "ports", port={"network_id": net[0]})["id"]
    path = f"{N}/ports/{port}"
    for ip in ("10.5.0.200", "10.5.0.201"):
        body = {"port": {"allowed_address_pairs": [{"ip_address": ip}]}}
        assert cloud.member.put(f"{path}/add_allowed_address_pairs", json=body).status_code == 200
    body = {"port": {"allowed_address_pairs": [{"ip_address": "10.5.0.200"}]}}
    left = cloud.member.put(f"{path}/remove_allowed_address_pairs", json=body).json()["port"]
    assert [pair["ip_address"] for pair in left["allowed_address_pairs"]] == ["10.5.0.201"]


def test_a_mac_is_made_anew_for_administrators(cloud, net):
    port = post(cloud.member, "ports", port={"network_id": net[0]})
    path = f"{N}/ports/{port['id']}"
    assert cloud.member.put(path, json={"port": {"mac_address": None}}).status_code == 403
    assert (
        cloud.admin.put(path, json={"port": {"mac_address": None}}).json()["port"]["mac_address"]
        != port["mac_address"]
    )


def test_routes_are_added_and_removed_whatever_others_do(cloud, net):
    router = post(cloud.member, "routers", router={})["id"]
    path = f"{N}/routers/{router}"
    cloud.member.put(f"{path}/add_router_interface", json={"subnet_id": net[1]})

    def change(verb, *found):
        body = {"router": {"routes": [{"destination": d, "nexthop": h} for d, h in found]}}
        answer = cloud.member.put(f"{path}/{verb}_extraroutes", json=body)
        return answer.json()["router"]["routes"] if answer.status_code == 200 else answer.status_code

    assert len(change("add", ("10.9.0.0/24", "10.5.0.9"))) == 1
    assert len(change("add", ("10.9.0.0/24", "10.5.0.9"), ("10.8.0.0/24", "10.5.0.9"))) == 2
    assert change("add", ("10.7.0.0/24", "10.99.0.1")) == 400
    assert change("add", ("10.7.0.0/24", "10.5.0.1")) == 400, "the router's own address is no next hop"
    assert len(change("remove", ("10.9.0.0/24", "10.5.0.9"), ("1.2.3.0/24", "10.5.0.9"))) == 1


def test_vlans_of_a_provider_network_are_given_once(cloud):
    body = {"provider:network_type": "vlan", "provider:physical_network": "physnet1"}
    first = post(cloud.admin, "networks", network=body | {"provider:segmentation_id": 100})
    assert (first["provider:segmentation_id"], first["mtu"]) == (100, 1500)
    assert (
        post(cloud.admin, "networks", 409, network=body | {"provider:segmentation_id": 100})["type"]
        == "VlanIdInUse"
    )
    assert post(cloud.admin, "networks", network=body)["provider:segmentation_id"] == 1
    post(cloud.admin, "networks", 400, network=body | {"provider:segmentation_id": 4095})
    post(cloud.member, "networks", 403, network=body)


def test_availability_is_counted(cloud, net):
    post(cloud.member, "ports", port={"network_id": net[0]})
    found = cloud.admin.get(f"{N}/network-ip-availabilities/{net[0]}").json()["network_ip_availability"]
    assert (found["total_ips"], found["used_ips"]) == (253, 2)  # the port's, and the metadata port's
    assert cloud.member.get(f"{N}/network-ip-availabilities").status_code == 403


def test_agents_are_what_the_engine_says(cloud):
    assert cloud.admin.get(f"{N}/agents").json()["agents"] == []
    post(cloud.member, "networks", network={})
    cloud.settle()
    agents = cloud.admin.get(f"{N}/agents?host=host1").json()["agents"]
    assert [(agent["host"], agent["alive"]) for agent in agents] == [("host1", True)]
    assert cloud.admin.get(f"{N}/agents/{agents[0]['id']}").status_code == 200
    assert cloud.member.get(f"{N}/agents").json()["agents"] == []
