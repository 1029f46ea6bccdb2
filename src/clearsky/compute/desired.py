"""What is wanted of a host: the complete picture that its agent gets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from clearsky.agent.protocol import Desired, DesiredDisk, DesiredNic, DesiredServer
from clearsky.compute import metadata, scheduling
from clearsky.compute import tables as t
from clearsky.house import House
from clearsky.image import service as image
from clearsky.image.service import ImageInfo
from clearsky.network import service as network
from clearsky.network.service import PortInfo
from clearsky.work import queue

s = t.servers.c
_POWER: dict[str, Any] = {"shelved": "shutdown"}
"""What the host does for a state that it does not know itself."""
_CHECKPOINT = {"resize": "keep", "verify": "keep", "revert": "restore"}
"""Step of a resize -> what is done with the copy of the old disk."""


def desired(house: House, host: str) -> Desired:
    """Return all that is wanted of a host, by a fixed number of queries."""
    with house.db.read() as c:
        revision = queue.host_revision(c, host)
        where = (s.host == host, s.ready, s.deleted.is_(False), s.to_delete.is_(False))
        rows = list(c.execute(select(t.servers).where(*where).order_by(s.id)))
        ports = network.ports_of_servers(c, [row.id for row in rows])
        networks = network.host_networks(c, [port.id for found in ports.values() for port in found])
        external = network.external_cidrs(c)
        wishes = image.cache_wishes(c)
    wanted = {disk["image_id"] for row in rows for disk in (row.disk, row.rescue) if disk}
    kept = {id for id, keep in wishes.items() if keep}
    images = image.for_host(house, wanted | kept | {row.image_id for row in rows if row.image_id})
    return Desired(
        revision=str(revision),
        servers=tuple(_server(row, ports.get(row.id, []), images) for row in rows),
        networks=tuple(networks),
        external_cidrs=tuple(external),
        cached=tuple(_disk(disk_of(images[id]), images, 0) for id in wishes if id in kept & images.keys()),
        evicted=tuple(id for id in wishes if id not in kept),
    )


def disk_of(picture: ImageInfo, token: str = "") -> dict[str, Any]:
    """Return what is written down of an image that a disk is made from: its deletion must not change a disk."""
    return {
        "image_id": picture.id,
        "format": "qcow2" if picture.disk_format == "qcow2" else "raw",
        "size_bytes": picture.virtual_size,
        "token": token,
    }


def _disk(disk: dict[str, Any], images: dict[str, ImageInfo], size_gib: int) -> DesiredDisk:
    picture = images.get(disk["image_id"])
    return DesiredDisk(
        image_id=disk["image_id"],
        image_path=picture.path if picture else "",
        image_format=disk["format"],
        size_gib=size_gib,
        image_size_bytes=disk["size_bytes"],
        image_hash=picture.os_hash_value if picture else "",
        token=disk["token"],
    )


def _server(row: Any, ports: list[PortInfo], images: dict[str, ImageInfo]) -> DesiredServer:
    flavor = row.flavor
    ports = [port for port in ports if port.id not in row.detaching]
    facts = metadata.Facts(
        server_id=row.id,
        name=row.name,
        hostname=row.hostname,
        project_id=row.project_id,
        availability_zone=row.zone or scheduling.ZONE,
        launch_index=row.launch_index,
        reservation_id=row.reservation_id,
        key_name=row.key_name,
        public_key=row.public_key,
        metadata=row.metadata,
        user_data=row.user_data,
        flavor_name=flavor["name"],
        ports=tuple(ports),
        password=row.password,
    )
    picture = images.get(row.image_id)
    disk = row.disk or (disk_of(picture) if picture else None)
    checkpoint = _CHECKPOINT.get(row.resize["step"]) if row.resize else None
    return DesiredServer(
        id=row.id,
        name=row.name,
        power=_POWER.get(row.desired, row.desired),
        vcpus=flavor["vcpus"],
        memory_mib=flavor["ram_mib"],
        root_disk=_disk(disk, images, flavor["disk_gib"])
        if disk
        else DesiredDisk(None, "", "raw", flavor["disk_gib"]),
        ephemeral_gib=flavor["ephemeral_gib"],
        swap_mib=flavor["swap_mib"],
        nics=tuple(DesiredNic(port.id, port.mac, port.mtu) for port in ports),
        config_drive=row.config_drive,
        metadata=metadata.tree(facts),
        addresses=tuple((port.network_id, address.ip) for port in ports for address in port.addresses),
        action=tuple(row.action) if row.action else None,
        hostname=row.hostname,
        wish=row.wish,
        rescue=_disk(row.rescue, images, 0) if row.rescue else None,
        checkpoint=(checkpoint, row.resize["token"]) if checkpoint else None,
        snapshot=row.snapshot["token"] if row.snapshot else "",
    )


def may_give_snapshot(house: House, host: str, server_id: str, token: str) -> bool:
    """Say whether a copy of this server's disk is wanted from the host."""
    with house.db.read() as c:
        row = c.execute(
            select(s.snapshot).where(s.id == server_id, s.host == host, s.deleted.is_(False))
        ).first()
    return row is not None and row.snapshot is not None and row.snapshot["token"] == token


def may_have_image(house: House, host: str, image_id: str) -> bool:
    """Say whether a server of the host is made from the image, or all hosts are to have it: no other image's bytes are
    a host's to see.
    """
    with house.db.read() as c:
        if image.cache_wishes(c).get(image_id):
            return True
        where = (s.host == host, s.ready, s.deleted.is_(False), s.to_delete.is_(False))
        rows = c.execute(select(s.image_id, s.disk, s.rescue).where(*where)).all()
    return any(
        image_id in (row.image_id, *(disk["image_id"] for disk in (row.disk, row.rescue) if disk))
        for row in rows
    )
