"""Making a port: MAC, addresses, security groups, in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import Conflict, Invalid
from clearsky.house import House
from clearsky.network import addressing, groups, quotas, store
from clearsky.network import tables as t
from clearsky.network.model import METADATA

TRUSTED = "network:"
"""Owners that start so are the cloud's own: no security groups, and no anti-spoofing."""


def create(
    c: Connection,
    house: House,
    network: Any,
    values: dict[str, Any],
    *,
    fixed_ips: list[dict[str, str]] | None = None,
    security_group_ids: list[str] | None = None,
) -> Any:
    """Insert a port on `network` and return its row; raises Conflict, Invalid and QuotaExceeded."""
    owner = values.get("device_owner", "")
    quotas.check_network_ports(c, house, network.id)
    if not owner.startswith(TRUSTED):
        quotas.check(c, house, values["project_id"], "port")
    mac = values.get("mac_address") or free_mac(c, network.id)
    p = t.ports.c
    if c.execute(select(p.id).where(p.network_id == network.id, p.mac_address == mac)).first():
        raise Conflict(
            f"Unable to complete operation for network {network.id}. The mac address {mac} is in use.",
            kind="MacAddressInUse",
        )
    secure = values.get("port_security_enabled", network.port_security_enabled) and not owner.startswith(
        TRUSTED
    )
    if security_group_ids and not secure:
        raise Invalid(
            "Port Security must be enabled in order to have security groups on a port.",
            kind="PortSecurityAndIPRequiredForSecurityGroups",
        )
    row = store.create(
        c, t.ports, values | {"network_id": network.id, "mac_address": mac, "port_security_enabled": secure}
    )
    addressing.assign(c, row.id, addressing.choose(c, network.id, mac, fixed_ips, owner))
    if secure:
        if security_group_ids is None and values["project_id"]:
            security_group_ids = [groups.ensure_default(c, values["project_id"]).id]
        store.set_groups(c, row.id, security_group_ids or [])
    return row


def free_mac(c: Connection, network_id: str) -> str:
    p = t.ports.c
    while True:
        mac = addressing.new_mac()
        if not c.execute(select(p.id).where(p.network_id == network_id, p.mac_address == mac)).first():
            return mac


def ensure_metadata_port(c: Connection, house: House, network: Any) -> None:
    """Give a network with DHCP on IPv4 the port behind which each host answers metadata requests."""
    p = t.ports.c
    subnets = [s for s in store.subnets_on(c, [network.id]) if s.ip_version == 4 and s.enable_dhcp]
    row = c.execute(select(t.ports).where(p.network_id == network.id, p.device_owner == METADATA)).first()
    if not subnets or network.external:
        if row is not None:
            store.remove_port(c, row.id)
        return
    if row is None:
        values = {
            "project_id": network.project_id,
            "device_owner": METADATA,
            "device_id": f"ovnmeta-{network.id}",
        }
        create(c, house, network, values, fixed_ips=[{"subnet_id": subnets[0].id}])
        row = c.execute(select(t.ports).where(p.network_id == network.id, p.device_owner == METADATA)).one()
    have = {a.subnet_id for a in store.addresses_of(c, [row.id]).get(row.id, [])}
    missing = [s for s in subnets if s.id not in have]
    for position, subnet in enumerate(missing, len(have)):
        ip = addressing.free_address(c, subnet)
        c.execute(
            t.addresses.insert().values(subnet_id=subnet.id, ip_address=ip, port_id=row.id, position=position)
        )
