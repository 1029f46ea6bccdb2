"""What image data is, is read off the data: real images are taken, hostile ones refused with their reason."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearsky.errors import Invalid
from clearsky.image import inspect

from . import corpus as c

LIMIT = 1 << 37
BS = bytes.fromhex("ff" * 16)


def _check(declared, data, container="bare", limit=LIMIT):
    inspect.first_look(declared, data[: 4 << 20])
    return inspect.check(declared, container, inspect.Bytes(data), limit)


@pytest.mark.parametrize(
    ("declared", "format", "options"),
    [
        ("qcow2", "qcow2", ()),
        ("qcow2", "qcow2", ("-c",)),
        ("qcow2", "qcow2", ("-o", "compat=0.10")),
        ("qcow2", "qcow2", ("-o", "cluster_size=2M")),
        ("qcow2", "qcow2", ("-o", "extended_l2=on")),
        ("qcow2", "qcow2", ("-o", "preallocation=metadata")),
        ("vmdk", "vmdk", ("-o", "subformat=monolithicSparse")),
        ("vmdk", "vmdk", ("-o", "subformat=streamOptimized")),
        ("vdi", "vdi", ()),
        ("vdi", "vdi", ("-o", "static=on")),
        ("vhd", "vpc", ()),
        ("vhd", "vpc", ("-o", "subformat=fixed")),
        ("vhdx", "vhdx", ()),
        ("raw", "raw", ()),
    ],
)
def test_what_qemu_makes_is_taken_with_its_size(tmp_path, declared, format, options):
    found = _check(declared, c.made(tmp_path, format, *options))
    assert found.name == declared
    # A VHD's size is a whole number of cylinders.
    assert found.virtual_size == 8 * c.MIB or (
        declared == "vhd" and 8 * c.MIB <= found.virtual_size < 9 * c.MIB
    )


@pytest.mark.parametrize(
    "options",
    ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"],
)
def test_a_vmdk_of_several_files_is_refused(tmp_path, options):
    data = c.made(tmp_path, "vmdk", "-o", f"subformat={options}")
    with pytest.raises(Invalid, match=r"names other files|of type"):
        _check("vmdk", data)


def test_an_encrypted_image_is_refused(tmp_path):
    # AES, not LUKS: to make a LUKS header qemu-img measures its own processor time, and gives up on a busy
    # machine ("Unable to get accurate CPU usage"). Headers that say LUKS are among the hostile ones below.
    (tmp_path / "key").write_text("secret")
    options = (
        "--object",
        f"secret,id=s,file={tmp_path}/key",
        "-o",
        "encrypt.format=aes,encrypt.key-secret=s",
    )
    with pytest.raises(Invalid, match="encrypted"):
        _check("qcow2", c.made(tmp_path, "qcow2", *options))


def test_an_image_with_a_real_data_file_is_refused(tmp_path):
    data = c.made(tmp_path, "qcow2", "-o", f"data_file={tmp_path}/other")
    with pytest.raises(Invalid, match="external data file"):
        _check("qcow2", data)


HOSTILE = [
    ("qcow2", c.qcow2(backing=104), "backing file"),
    ("qcow2", c.qcow2(incompatible=4), "external data file"),
    ("qcow2", c.qcow2(extensions=c.extension(0x44415441, b"/etc/shadow")), "external data file"),
    ("qcow2", c.qcow2(extensions=c.extension(0x0537BE77, b"x" * 16)), "encrypted"),
    ("qcow2", c.qcow2(extensions=struct.pack(">II", 0x12345678, 0xFFFFFFF0)), "extension leaves"),
    ("qcow2", c.qcow2(incompatible=1 << 40), "features"),
    ("qcow2", c.qcow2(incompatible=2), "features"),
    ("qcow2", c.qcow2(version=1), "version 1"),
    ("qcow2", c.qcow2(version=9), "version 9"),
    ("qcow2", c.qcow2(crypt=1), "encrypted"),
    ("qcow2", c.qcow2(crypt=2), "encrypted"),
    ("qcow2", c.qcow2(cluster_bits=60), "cluster_bits"),
    ("qcow2", c.qcow2(cluster_bits=3), "cluster_bits"),
    ("qcow2", c.qcow2(length=4), "bytes long"),
    ("qcow2", c.qcow2(length=1 << 30), "bytes long"),
    ("qcow2", c.qcow2(size=1 << 60, l1_size=1 << 31), "virtual size"),
    ("qcow2", c.qcow2(size=1 << 36), "first-level table"),
    ("qcow2", c.qcow2(l1_size=1 << 30), "first-level table"),
    ("qcow2", c.qcow2(l1_offset=1 << 50), "truncated"),
    ("qcow2", c.qcow2(l1_size=4 << 20), "truncated"),
    ("qcow2", c.qcow2(refcounts=1 << 50), "truncated"),
    ("qcow2", c.qcow2(snapshots=1 << 20), "snapshots"),
    ("qcow2", c.qcow2(snapshots=9, snapshots_offset=1 << 40), "truncated"),
    ("qcow2", c.qcow2()[:50], "truncated"),
    ("qcow2", c.qcow2()[:90], "truncated"),
    ("qcow2", c.qcow2()[:0x20000], "truncated"),
    ("qcow2", b"\0" * 65536, "data is 'raw'"),
    ("qcow2", b"", "data is 'raw'"),
    ("raw", c.qcow2(), "data is 'qcow2'"),
    ("raw", c.mbr(b"QFI\xfb"), "data is 'qcow2'"),
    ("raw", c.mbr(c.qcow2()[:400]), "data is 'qcow2'"),
    ("raw", c.iso(c.qcow2()[:400]), "at once"),
    ("iso", c.iso(c.qcow2()[:400]), "at once"),
    ("iso", c.iso(b"KDMV"), "at once"),
    ("iso", c.mbr(), "data is 'raw'"),
    ("raw", c.iso(), "data is 'iso'"),
    ("qcow2", c.qcow2() + c.vhd_footer(), "at once"),
    ("raw", b"\0" * c.MIB + c.vhd_footer(), "data is 'vhd'"),
    ("raw", b"QED\0".ljust(4096, b"\0"), "QED"),
    ("qcow2", b"LUKS\xba\xbe".ljust(4096, b"\0"), "data is 'luks'"),
    ("raw", b"WithoutFreeSpace".ljust(4096, b"\0"), "data is 'ploop'"),
    ("raw", c.tar(("disk.ovf", b"<x/>"), ("disk.vmdk", b"x")), "OVA"),
    ("vmdk", b'# Disk DescriptorFile\nRW 1 FLAT "/etc/passwd" 0', "names other files"),
    ("raw", b'  # disk descriptorFILE\nRW 1 FLAT "/etc/passwd" 0', "data is 'vmdk'"),
    ("vmdk", b"COWD".ljust(4096, b"\0"), "ESX"),
    ("vmdk", c.vmdk(kind="monolithicFlat"), "type monolithicFlat"),
    ("vmdk", c.vmdk(kind="vmfsSparse"), "type vmfsSparse"),
    ("vmdk", c.vmdk(kind="fullDevice"), "type fullDevice"),
    ("vmdk", c.vmdk(extents='RW 2048 FLAT "/etc/passwd" 0'), "outside"),
    ("vmdk", c.vmdk(extents='RW 2048 SPARSE "/etc/passwd"'), "outside"),
    ("vmdk", c.vmdk(extents='RW 2048 SPARSE "..\\\\other"'), "outside"),
    ("vmdk", c.vmdk(extents='RW 1024 SPARSE "a"\nRW 1024 SPARSE "b"'), "2 extents"),
    ("vmdk", c.vmdk(extents=""), "0 extents"),
    ("vmdk", c.vmdk(extents='RW 4096 SPARSE "a"'), "different sizes"),
    ("vmdk", c.vmdk(extents='RW 2048 SPARSE "a"\nparentCID=1234'), "parent"),
    ("vmdk", c.vmdk(extents='RW 2048 SPARSE "a"\nparentFileNameHint="/x"'), "parent"),
    ("vmdk", c.vmdk(extents='RW 2048 SPARSE "a"\ncreateType="custom"'), "type monolithicSparse, custom"),
    ("vmdk", c.vmdk(capacity=0), "no capacity"),
    ("vmdk", c.vmdk(grains=7), "grain size"),
    ("vmdk", c.vmdk(version=7), "version 7"),
    ("vmdk", c.vmdk(descriptor_sector=0), "without a descriptor"),
    ("vmdk", c.vmdk(descriptor_sector=1 << 40), "without a descriptor"),
    ("vmdk", c.vmdk(gd=1 << 40), "truncated"),
    ("vmdk", c.vmdk(gd=2**64 - 1), "footer"),
    ("vmdk", c.vmdk(kind="streamOptimized", gd=2**64 - 1), "footer"),
    (
        "vmdk",
        c.vmdk(kind="streamOptimized", gd=2**64 - 1) + c.vmdk(capacity=0)[:512] + b"\0" * 512,
        "capacity",
    ),
    ("vmdk", c.vmdk(capacity=1 << 40, extents=f'RW {1 << 40} SPARSE "a"'), "virtual size"),
    ("vmdk", c.vmdk()[:300], "truncated"),
    ("vdi", c.vdi(kind=4), "stands on another"),
    ("vdi", c.vdi(kind=3), "stands on another"),
    ("vdi", c.vdi(parent=BS), "stands on another"),
    ("vdi", c.vdi(version=0x20000), "version"),
    ("vdi", c.vdi(size=1 << 60), "do not make up"),
    ("vdi", c.vdi(size=1 << 50, blocks=1 << 31), "virtual size"),
    ("vdi", c.vdi(blocks=1 << 30), "truncated"),
    ("vdi", c.vdi(map_at=1 << 31), "truncated"),
    ("vdi", c.vdi()[:100], "truncated"),
    ("vhd", c.vhd_dynamic(kind=4), "stands on another"),
    ("vhd", c.vhd_dynamic(parent=BS), "stands on another"),
    ("vhd", c.vhd_dynamic(entries=1), "do not make up"),
    ("vhd", c.vhd_dynamic(block=0), "do not make up"),
    ("vhd", c.vhd_dynamic(size=1 << 60), "virtual size"),
    ("vhd", c.vhd_dynamic(mark=b"elsewise"), "dynamic part"),
    ("vhd", c.vhd_dynamic(table=1 << 40), "truncated"),
    ("vhd", c.vhd_dynamic()[:-512], "footer is missing"),
    ("vhd", c.vhd_dynamic()[:-512] + c.vhd_footer(), "does not hold"),
    ("vhd", c.vhd_dynamic()[:-512] + c.vhd_footer(size=999424, kind=3), "contradict"),
    ("vhd", b"\0" * 100_000 + c.vhd_footer(), "does not hold"),
    ("vhd", b"\0" * c.MIB + c.vhd_footer(checksum=7), "checksum"),
    ("vhdx", c.vhdx(parent=True), "stands on another"),
    ("vhdx", c.vhdx(locator=True), "stands on another"),
    ("vhdx", c.vhdx(size=1 << 60), "virtual size"),
    ("vhdx", c.vhdx(regions=b"rege"), "region table"),
    ("vhdx", c.vhdx()[:1000], "truncated"),
    ("vhdx", c.vhdx()[: 2 * c.MIB], "truncated"),
]


@pytest.mark.parametrize(
    ("declared", "data", "words"), HOSTILE, ids=[f"{n}-{h[0]}-{h[2]}" for n, h in enumerate(HOSTILE)]
)
def test_a_hostile_image_is_refused_with_its_reason(declared, data, words):
    with pytest.raises(Invalid) as refused:
        _check(declared, data)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("declared", "data"),
    [
        ("qcow2", c.qcow2()),
        ("qcow2", c.qcow2(extensions=c.extension(0x6803F857, b"x" * 48))),
        ("vmdk", c.vmdk()),
        ("vmdk", c.vmdk(kind="streamOptimized", gd=2**64 - 1) + c.vmdk()[:512] + b"\0" * 512),
        ("vdi", c.vdi()),
        ("vhd", c.vhd_dynamic()),
        ("vhd", b"\0" * c.MIB + c.vhd_footer()),
        ("vhdx", c.vhdx()),
        ("raw", c.mbr()),
        ("raw", b"LUKS\xba\xbe".ljust(4096, b"\0")),
        ("iso", c.iso(c.mbr()[:512])),
        ("raw", b""),
        ("aki", b"\x7fELF"),
    ],
)
def test_the_same_without_the_trick_is_taken(declared, data):
    assert _check(declared, data).virtual_size >= 0


def test_raw_data_counts_against_the_limit_as_it_is():
    with pytest.raises(Invalid, match="virtual size"):
        _check("raw", b"\0" * 4096, limit=4095)


def test_an_ova_is_a_tar_that_begins_with_its_ovf_and_is_never_unpacked():
    archive = c.tar(("a.ovf", b"<x/>"), ("../../etc/passwd", b"x"))
    assert inspect.check("vmdk", "ova", inspect.Bytes(archive), LIMIT) is None
    for data in (
        c.tar(("a.vmdk", b"x"), ("a.ovf", b"<x/>")),
        c.tar(("../a.ovf", b"x")),
        c.tar(("a.ovf", b"x"), link="/etc/passwd"),
        b"x" * 1000,
        b"",
    ):
        with pytest.raises(Invalid, match="ova"):
            inspect.check("vmdk", "ova", inspect.Bytes(data), LIMIT)
    assert inspect.check("vmdk", "docker", inspect.Bytes(b"anything"), LIMIT) is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([c.qcow2(), c.vmdk(), c.vdi()[:70000], c.vhd_dynamic(), c.vhdx()[: 2 * c.MIB + 70000]]),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=8),
    st.integers(0, 1 << 18),
    st.sampled_from(["qcow2", "vmdk", "vdi", "vhd", "vhdx", "raw", "iso", "ploop"]),
)
def test_no_bytes_at_all_make_inspection_stumble(data, flips, length, declared):
    changed = bytearray(data[:length])
    for at, value in flips:
        if at < len(changed):
            changed[at] = value
    try:
        found = _check(declared, bytes(changed))
    except Invalid:
        return
    assert 0 <= found.virtual_size <= LIMIT
