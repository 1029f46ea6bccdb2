"""The translation: a Topology in, northbound rows out. Pure, so that every rule here can be tested without OVN.

Networks are logical switches, routers logical routers; security groups are port groups whose ACLs allow, above a
drop that every port with security is under. One module a subject; each adds its rows to the same picture.
"""

from __future__ import annotations

from clearsky.network.model import Topology
from clearsky.network.ovn.rows import Row
from clearsky.network.ovn.translate import names, qos, routers, security, switches
from clearsky.network.ovn.translate.picture import Picture


def translate(topology: Topology) -> dict[str, Row]:
    """Return every northbound row for the topology, by key."""
    picture = Picture(topology)
    switches.add(picture)
    routers.add(picture)
    security.add(picture)
    qos.add(picture)
    names.add(picture)
    return picture.rows
