"""systemd's units as text: what an operator and systemd rely on."""

from __future__ import annotations

import pytest

from clearsky import config
from clearsky.engines import definitions, units


def rendered(**sections: dict[str, object]) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return unit -> section -> key -> values."""
    settings = config.parse(sections)
    processes = [*definitions.engines(settings), *definitions.own(settings, definitions.HOME)]
    found = {}
    for name, text in units.render(settings, processes).items():
        parsed: dict[str, dict[str, list[str]]] = {}
        section: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith("["):
                section = parsed.setdefault(line.strip("[]"), {})
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                section.setdefault(key, []).append(value)
        found[name] = parsed
    return found


def words(values: list[str]) -> set[str]:
    return {word for value in values for word in value.split()}


def test_the_target_wants_every_process_and_requires_none():
    found = rendered()
    services = {name for name in found if name.endswith(".service")} - {"clearsky-prepare.service"}
    assert words(found["clearsky.target"]["Unit"]["Wants"]) == services
    assert found["clearsky.target"]["Install"]["WantedBy"] == ["multi-user.target"]
    for unit in found.values():
        assert not {"Requires", "BindsTo", "Requisite"} & set(unit["Unit"]), (
            "a failure would take others along"
        )


def test_what_a_unit_comes_after_is_there():
    found = rendered(cloud={"name": "other"})
    ours = {
        one for unit in found.values() for one in words(unit["Unit"].get("After", [])) if "clearsky" in one
    }
    assert ours <= set(found)
    assert "clearsky-other-ovn-sb.service" in ours


@pytest.mark.parametrize("name", ["libvirtd", "agent"])
def test_ending_what_starts_guests_leaves_them_alone(name):
    service = rendered()[f"clearsky-{name}.service"]["Service"]
    assert service["KillMode"] == ["process"]
    assert service["Delegate"] == ["yes"]


def test_guests_are_switched_off_after_the_agent_and_before_libvirt_and_the_switch_end():
    found = rendered()
    assert "clearsky-guests.service" in words(found["clearsky-agent.service"]["Unit"]["After"])
    after = words(found["clearsky-guests.service"]["Unit"]["After"])
    assert {"clearsky-libvirtd.service", "clearsky-ovs-vswitchd.service"} <= after
    assert "PartOf" not in found["clearsky-guests.service"]["Unit"], (
        "a restart of the target would end guests"
    )


def test_everything_is_started_again_for_ever():
    for name, unit in rendered().items():
        if name.endswith(".service") and unit["Service"]["Type"] == ["exec"]:
            assert unit["Service"]["Restart"] == ["always"]
            assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]


def test_what_needs_no_rights_has_none():
    found = rendered()
    for name, user in (
        ("api", ["clearsky"]),
        ("worker", ["clearsky"]),
        ("ovn-nb", None),
        ("ovn-northd", None),
    ):
        service = found[f"clearsky-{name}.service"]["Service"]
        assert service.get("User") == user
        assert service["CapabilityBoundingSet"] == [""]
        assert service["NoNewPrivileges"] == ["yes"]
        assert service["ProtectSystem"] == ["strict"]
        assert service["ReadWritePaths"] == ["/var/lib/clearsky /run/clearsky"]


def test_a_small_port_can_be_listened_on():
    service = rendered(api={"port": 443})["clearsky-api.service"]["Service"]
    assert service["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]


def test_with_tls_a_timer_renews_the_certificate():
    assert not any("renew" in name for name in rendered())
    found = rendered(api={"host": "192.0.2.1"})
    assert "clearsky-renew.timer" in words(found["clearsky.target"]["Unit"]["Wants"])
    assert found["clearsky-renew.service"]["Service"]["ExecStart"][0].endswith("clearsky.engines.steps renew")


def test_the_switch_and_the_servers_run_in_the_clouds_namespace_and_the_apis_do_not():
    found = rendered(cloud={"namespace": "blue"})
    inside = {
        name
        for name, unit in found.items()
        if "--net=/run/netns/blue" in unit.get("Service", {}).get("ExecStart", [""])[0]
    }
    expected = {"ovs-vswitchd", "ovn-controller", "libvirtd", "virtlogd"}
    assert inside == {f"clearsky-{name}.service" for name in expected}


def test_signs_that_systemd_reads_are_written_so_that_they_stay_themselves():
    found = rendered(cloud={"state_dir": '/srv/100% "my" $cloud'})
    service = found["clearsky-ovn-nb.service"]["Service"]
    assert '"/srv/100%% \\"my\\" $$cloud/ovn/nb.db"' in service["ExecStart"][0]


def test_units_of_another_cloud_have_other_names():
    assert not set(rendered()) & set(rendered(cloud={"name": "other"}))


def test_units_on_the_machine_are_known_by_their_mark(tmp_path, monkeypatch):
    monkeypatch.setattr(units, "FOLDER", tmp_path)
    ours, other = config.parse({}), config.parse({"cloud": {"name": "api"}})
    for settings in (ours, other):
        for name, text in units.render(settings, definitions.engines(settings)).items():
            (tmp_path / name).write_text(text)
    (tmp_path / "clearsky-by-hand.service").write_text("[Service]")
    # A unit of an earlier version, which this one does not write any more.
    (tmp_path / "clearsky-earlier.service").write_text((tmp_path / "clearsky-ovn-nb.service").read_text())
    found = units.on_the_machine(ours)
    assert "clearsky-earlier.service" in found
    assert found - {"clearsky-earlier.service"} == set(units.render(ours, definitions.engines(ours)))


def test_folders_in_homes_and_in_tmp_stay_in_sight():
    service = rendered(cloud={"state_dir": "/home/me/cloud", "run_dir": "/tmp/run"})["clearsky-api.service"][
        "Service"
    ]
    assert service["ProtectHome"] == ["read-only"]
    assert service["PrivateTmp"] == ["no"]
