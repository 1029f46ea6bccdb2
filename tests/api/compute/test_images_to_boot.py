"""Which images a server can be made from."""

from __future__ import annotations

from sqlalchemy import update

from clearsky.image.tables import images


def test_a_format_that_hosts_do_not_start_from_is_refused_with_its_name(cloud, image, flavor):
    with cloud.house.db.write() as c:
        c.execute(update(images).where(images.c.id == image).values(disk_format="vmdk"))
    body = {"server": {"name": "s", "imageRef": image, "flavorRef": flavor, "networks": "none"}}
    answer = cloud.member.post(
        "/compute/v2.1/servers", json=body, headers={"OpenStack-API-Version": "compute 2.37"}
    )
    assert answer.status_code == 400, answer.text
    assert "vmdk" in answer.json()["badRequest"]["message"]
    assert not cloud.member.get("/compute/v2.1/servers").json()["servers"]
