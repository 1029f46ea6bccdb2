"""What a server's NIC does for its guest, as libvirt is told."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from clearsky.agent.domain_xml import nic
from clearsky.agent.protocol import DesiredNic

NIC = DesiredNic("11111111-2222-3333-4444-555555555555", "fa:16:3e:00:00:09", 1450)


def test_a_nic_takes_checksums_and_segments_over_where_the_switch_can():
    assert ET.fromstring(nic(NIC, "cs1")).find("driver") is None


def test_it_takes_none_over_where_they_would_be_lost_in_a_tunnel():
    driver = ET.fromstring(nic(NIC, "cs1", offloads=False)).find("driver")
    host, guest = driver.find("host").attrib, driver.find("guest").attrib
    assert {"csum", "gso", "tso4", "tso6"} <= {name for name, value in host.items() if value == "off"}
    assert {"csum", "tso4", "tso6"} <= {name for name, value in guest.items() if value == "off"}
