"""Which servers a list shows."""

from __future__ import annotations


def test_servers_are_found_by_a_pattern_of_their_address(cloud, boot, network):
    one = boot(networks=[{"uuid": network, "fixed_ip": "10.9.0.21"}])
    two = boot(networks=[{"uuid": network, "fixed_ip": "10.9.0.22"}], name="two")
    cloud.settle()

    def found(pattern):
        answer = cloud.member.get("/compute/v2.1/servers", params={"ip": pattern})
        assert answer.status_code == 200, answer.text
        return {server["id"] for server in answer.json()["servers"]}

    assert found("^10.9.0.21$") == {one}
    assert found(r"10\.9\.0\.2[12]") == {one, two}
    assert found("^9.0") == set()
    assert found("(" + ".*" * 60) == set()
