"""`debian-12`, `debian-13`: a Debian as one expects it in a cloud, with systemd and cloud-init.

It starts from the same disk layout as `tiny`: syslinux on a FAT partition, which the guest mounts at /boot/loader and a
kernel hook of ours keeps up to date. Login: the user `debian`, by the key that cloud-init finds. No password is set.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clearsky.image.build import disk, packages
from clearsky.image.build.packages import BuildError, run

LOGIN = "debian"
BOOT_MIB = 192
"""Two kernels of today with their initial RAM file systems, while one replaces the other."""
SPARE_MIB = 256
COMMAND_LINE = "root=LABEL=clear-root rw console=tty0 console=ttyS0,115200n8 net.ifnames=0"
PACKAGES = (
    "linux-image-cloud-amd64", "systemd-sysv", "systemd-resolved", "systemd-timesyncd", "libpam-systemd", "dbus",
    "cloud-init", "cloud-guest-utils", "openssh-server", "sudo", "qemu-guest-agent", "unattended-upgrades",
    "ca-certificates", "curl", "iproute2", "iputils-ping", "netcat-openbsd", "procps", "less", "nano",
    "bash-completion", "e2fsprogs", "fdisk", "gdisk", "netbase", "tzdata",
)  # fmt: skip
HOOK = """#!/bin/sh
# Copies the newest kernel to the partition that the boot loader reads. Called after a kernel or its initial RAM file
# system has changed; each file is complete before it gets its name.
set -e
mountpoint -q /boot/loader || exit 0
for name in vmlinuz initrd.img; do
    [ -e "/$name" ] || exit 0
    cp "/$name" /boot/loader/new
    sync
    mv /boot/loader/new "/boot/loader/${name%.img}"
done
"""
HOOKS = ("etc/kernel/postinst.d/zz-boot-loader", "etc/initramfs/post-update.d/zz-boot-loader")
CLOUD = f"""# Written when this image was built.
datasource_list: [ConfigDrive, OpenStack, None]
disable_root: true
ssh_pwauth: false
system_info:
  distro: debian
  default_user:
    name: {LOGIN}
    lock_passwd: true
    gecos: Debian
    groups: [adm, audio, cdrom, dialout, floppy, netdev, plugdev, sudo, video]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
  network:
    renderers: [networkd]
"""
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Release:
    suite: str
    version: str


RELEASES = {"debian-12": Release("bookworm", "12"), "debian-13": Release("trixie", "13")}


def build(name: str, target: Path, progress: Progress = lambda _: None) -> None:
    """Write the image, qcow2, to `target`; raises BuildError. Needs root, as the files in it belong to root."""
    if os.geteuid() != 0:
        raise BuildError("an image can be built by root only: its files belong to root")
    release = RELEASES[name]
    with tempfile.TemporaryDirectory(prefix=f"clearsky-{name}-", dir=target.absolute().parent) as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)  # apt fetches as an account of its own
        root = scratch / "root"
        packages.bootstrap(release.suite, root, PACKAGES, "minbase", progress=progress)
        progress("settling in")
        _settle(root, release)
        kernel, initrd = ((root / name).resolve() for name in ("vmlinuz", "initrd.img"))
        files = {"vmlinuz": _inside(root, kernel), "initrd": _inside(root, initrd)}
        progress("writing the disk")
        raw = scratch / "disk.raw"
        disk.make(
            raw,
            scratch,
            root,
            files,
            command_line=COMMAND_LINE,
            root_mib=_used_mib(root) + SPARE_MIB,
            boot_mib=BOOT_MIB,
        )
        progress("compressing")
        unfinished = target.with_name(target.name + ".new")
        run("qemu-img", "convert", "-c", "-W", "-m", "4", "-f", "raw", "-O", "qcow2", raw, unfinished)
        unfinished.rename(target)


def _inside(root: Path, path: Path) -> Path:
    """Return where a link of the guest's root leads, below `root`: absolute links are the guest's own."""
    return path if path.is_relative_to(root) else root / path.relative_to("/")


def _used_mib(root: Path) -> int:
    """Return what the tree takes in a file system of 4 KiB blocks, with its inodes, in MiB."""
    blocks = files = 0
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            files += 1
            blocks += -(-os.lstat(os.path.join(folder, name)).st_size // 4096)  # noqa: PTH118 - a hot loop
    return (blocks * 4096 + files * 512) * 21 // 20 // disk.MIB


def _settle(root: Path, release: Release) -> None:
    """Make the tree a guest's: no identity of its own yet, the public package sources, our boot loader's hook."""
    _write(
        root / "etc/fstab",
        "LABEL=clear-root / ext4 defaults 0 1\nLABEL=BOOT /boot/loader vfat umask=0077 0 2\n",
    )
    (root / "boot/loader").mkdir()
    for hook in HOOKS:
        _write(root / hook, HOOK, 0o755)
    _write(root / "etc/hostname", "debian\n")
    _write(root / "etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
    _write(root / "etc/machine-id", "")
    _write(root / "etc/cloud/cloud.cfg.d/10_clearsky.cfg", CLOUD)
    _write(root / "etc/default/locale", "LANG=C.UTF-8\n")
    _sources(root, release)
    for pattern in (
        "etc/ssh/ssh_host_*",
        "var/lib/apt/lists/*",
        "var/cache/apt/*.bin",
        "var/log/*.log",
        "var/log/apt/*",
    ):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    links = {"etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf"}
    for unit in ("systemd-networkd", "systemd-resolved"):
        links[f"etc/systemd/system/multi-user.target.wants/{unit}.service"] = (
            f"/lib/systemd/system/{unit}.service"
        )
    for name, leads_to in links.items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(leads_to)


def _sources(root: Path, release: Release) -> None:
    """Let the guest fetch packages from Debian's own servers, wherever this build got them."""
    shutil.rmtree(root / "etc/apt/sources.list.d", ignore_errors=True)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink(missing_ok=True)
    keys = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    kinds = ((packages.MIRROR, f"{release.suite} {release.suite}-updates"),
             (packages.SECURITY_MIRROR, f"{release.suite}-security"))  # fmt: skip
    text = "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suites}\nComponents: main non-free-firmware\n{keys}"
        for uri, suites in kinds
    )
    _write(root / "etc/apt/sources.list.d/debian.sources", text)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
