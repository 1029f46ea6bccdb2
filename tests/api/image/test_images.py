"""Images: bytes in, the same bytes out; hostile ones refused."""

from __future__ import annotations

import hashlib
import struct

import pytest

I = "/image/v2/images"  # noqa: E741
RAW = {"Content-Type": "application/octet-stream"}


def _create(client, **more):
    body = {"name": "image", "disk_format": "raw", "container_format": "bare"} | more
    answer = client.post(I, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def _qcow2(version=3, backing=0, cluster_bits=16, size=1 << 20, l1_size=1, incompatible=0):
    head = b"QFI\xfb" + struct.pack(
        ">IQIIQII", version, backing, 8 if backing else 0, cluster_bits, size, 0, l1_size
    )
    head += struct.pack(">QQIIQ", 0x30000, 0x10000, 1, 0, 0) + struct.pack(
        ">QQQII", incompatible, 0, 0, 4, 104
    )
    return head.ljust(1 << 16, b"\0")


def test_what_went_in_comes_out(cloud):
    id, data = _create(cloud.member), bytes(range(256)) * 20_000
    assert cloud.member.put(f"{I}/{id}/file", content=data, headers=RAW).status_code == 204
    shown = cloud.member.get(f"{I}/{id}").json()
    assert (shown["status"], shown["size"]) == ("active", len(data))
    assert shown["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert cloud.member.get(f"{I}/{id}/file").content == data
    part = cloud.member.get(f"{I}/{id}/file", headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, data[1000:2000])
    assert cloud.member.get(f"{I}/{id}/file", headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize(
    ("format", "data", "words"),
    [
        ("qcow2", b"\0" * 65536, "data is 'raw'"),
        ("raw", _qcow2(), "data is 'qcow2'"),
        ("qcow2", _qcow2(backing=104), "backing file"),
        ("qcow2", _qcow2(incompatible=4), "external data file"),
        ("qcow2", _qcow2(incompatible=1 << 40), "features"),
        ("qcow2", _qcow2(cluster_bits=60), "cluster_bits"),
        ("qcow2", _qcow2(size=1 << 60, l1_size=1 << 31), "virtual size"),
        ("qcow2", _qcow2(size=1 << 36), "first-level table"),
        ("qcow2", b"QFI\xfb", "ends within its header"),
        ("raw", b"QED\0".ljust(4096, b"\0"), "QED"),
        ("vmdk", b'# Disk DescriptorFile\nRW 1 FLAT "/etc/passwd" 0', "names other files"),
    ],
)
def test_a_hostile_image_is_refused_and_leaves_nothing(cloud, format, data, words):
    id = _create(cloud.member, disk_format=format)
    answer = cloud.member.put(f"{I}/{id}/file", content=data, headers=RAW)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["message"]
    assert cloud.member.get(f"{I}/{id}").json()["status"] == "queued"
    assert list((cloud.house.config.state / "images").iterdir()) == []


def test_a_foreign_image_is_not_there_until_it_is_shared(cloud):
    id = _create(cloud.member)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/file"), ("GET", "/members")):
        assert cloud.foreign.request(method, f"{I}/{id}{path}").status_code == 404
    assert (
        cloud.member.post(f"{I}/{id}/members", json={"member": cloud.foreign.project_id}).status_code == 200
    )
    assert cloud.foreign.get(f"{I}/{id}").status_code == 200
    assert [one["id"] for one in cloud.foreign.get(I).json()["images"]] == []
    accepted = cloud.foreign.put(f"{I}/{id}/members/{cloud.foreign.project_id}", json={"status": "accepted"})
    assert accepted.status_code == 200
    assert [one["id"] for one in cloud.foreign.get(I).json()["images"]] == [id]
    assert cloud.foreign.delete(f"{I}/{id}").status_code == 403


def test_only_administrators_publish(cloud):
    id = _create(cloud.member)
    patch = [{"op": "replace", "path": "/visibility", "value": "public"}]
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    assert cloud.member.patch(f"{I}/{id}", json=patch, headers=kind).status_code == 403
    assert cloud.admin.patch(f"{I}/{id}", json=patch, headers=kind).status_code == 200


def test_a_deleted_image_takes_its_bytes_with_it(cloud):
    id = _create(cloud.member)
    cloud.member.put(f"{I}/{id}/file", content=b"x" * 5000, headers=RAW)
    assert cloud.member.delete(f"{I}/{id}").status_code == 204
    assert cloud.member.get(f"{I}/{id}").status_code == 404
    cloud.settle()
    assert list((cloud.house.config.state / "images").iterdir()) == []
