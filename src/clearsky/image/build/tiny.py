"""`tiny`: a guest that answers ssh seconds after power-on, with what one needs to look around in a cloud.

Debian's cloud kernel, busybox, dropbear and some programs beside; no systemd. Login: the user `clear`, by the key
that the metadata service or the config drive gives. No password is built in. The scripts of its life are in guest/.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from clearsky.image.build import disk, packages
from clearsky.image.build.packages import BuildError, run

NAME = "tiny"
LOGIN = "clear"
SUITE = "bookworm"
ROOT_MIB = 96
COMMAND_LINE = (
    "console=tty0 console=ttyS0,115200n8 quiet loglevel=3 panic=10 net.ifnames=0 cryptomgr.notests noreplace-smp"
    " pcie_ports=compat initcall_blacklist=init_kprobe_trace,crypto_kdf108_init"
)
"""The second half saves 0.3 s of boot under emulation: no self-tests, no rewriting of the kernel's locks for one CPU, no
set-up of kprobe events, and no driver for PCIe ports (the machine's ACPI tells of what is plugged in)."""
GUEST = Path(__file__).parent / "guest"

PACKAGES = (
    "linux-image-cloud-amd64", "busybox-static", "bash", "dropbear-bin", "openssh-sftp-server", "sudo", "curl",
    "ca-certificates", "e2fsprogs", "util-linux", "fdisk", "iproute2", "iputils-ping", "netcat-openbsd",
    "coreutils", "qemu-guest-agent",
)  # fmt: skip
PROGRAMS = {
    "/bin/bash": "/bin/bash",
    "/bin/lsblk": "/usr/bin/lsblk",
    "/bin/nc.openbsd": "/usr/bin/nc",
    "/bin/ping": "/usr/bin/ping",
    "/sbin/blkid": "/usr/sbin/blkid",
    "/bin/ip": "/usr/bin/ip",
    "/sbin/e2fsck": "/usr/sbin/e2fsck",
    "/sbin/mke2fs": "/usr/sbin/mke2fs",
    "/sbin/resize2fs": "/usr/sbin/resize2fs",
    "/sbin/sfdisk": "/usr/sbin/sfdisk",
    "/usr/bin/curl": "/usr/bin/curl",
    "/usr/bin/dropbearkey": "/usr/bin/dropbearkey",
    "/usr/bin/nice": "/usr/bin/nice",
    "/usr/bin/partx": "/usr/sbin/partx",
    "/usr/bin/sudo": "/usr/bin/sudo",
    "/usr/lib/openssh/sftp-server": "/usr/lib/sftp-server",
    "/usr/sbin/dropbear": "/usr/sbin/dropbear",
    "/usr/sbin/qemu-ga": "/usr/sbin/qemu-ga",
}
"""Path in the packages -> path in the image."""
LIBRARIES = ("/usr/libexec/sudo/sudoers.so", "/lib/x86_64-linux-gnu/security/pam_permit.so")
"""Loaded by name at run time, at the same path in the image."""
LIBRARY_PATH = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "usr/libexec/sudo")
EARLY_MODULES = ("virtio_pci", "virtio_blk")
SCSI_MODULES = ("virtio_scsi", "sd_mod")
MODULES = (
    "virtio_net", "virtio_console", "virtio-rng", "virtio_balloon", "virtio_scsi", "sd_mod", "sr_mod", "evdev",
    "button", "vfat", "nls_iso8859-1", "nls_utf8", "nls_cp437", "nls_ascii", "isofs", "loop", "8021q", "qemu_fw_cfg",
    "psmouse",
)  # fmt: skip
SCRIPTS = {
    "inittab": ("etc/inittab", 0o644),
    "boot": ("etc/init.d/boot", 0o755),
    "later": ("etc/init.d/later", 0o755),
    "stop": ("etc/init.d/stop", 0o755),
    "device": ("usr/lib/clear/device", 0o755),
    "grow": ("usr/lib/clear/grow", 0o755),
    "identify": ("usr/lib/clear/identify", 0o755),
    "lease": ("usr/lib/clear/lease", 0o755),
    "link": ("usr/lib/clear/link", 0o755),
    "settle": ("usr/lib/clear/settle", 0o755),
    "poweroff": ("etc/acpi/PWRF/00000080", 0o755),
}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nclear:x:1000:1000::/home/clear:/bin/bash\n",
    "etc/group": "root:x:0:\ntty:x:5:\nclear:x:1000:\n",
    "etc/shells": "/bin/sh\n/bin/bash\n",
    "etc/fstab": "",
    "etc/filesystems": "ext4\nvfat\niso9660\n*\n",
    "etc/hostname": "tiny\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/profile": "export PATH=/usr/sbin:/usr/bin:/sbin:/bin\nPS1='\\u@\\h:\\w\\$ '\n",
    "etc/os-release": 'NAME="Clearsky tiny"\nID=clearsky-tiny\nID_LIKE=debian\nPRETTY_NAME="Clearsky tiny"\n',
    "etc/issue": "\\n \\l\n",
    "etc/pam.d/sudo": "auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession optional pam_permit.so\n",
}
Progress = Callable[[str], None]


def build(target: Path, progress: Progress = lambda _: None) -> None:
    """Write the image, qcow2, to `target`; raises BuildError. Needs root, as the files in it belong to root."""
    if os.geteuid() != 0:
        raise BuildError("an image can be built by root only: its files belong to root")
    with tempfile.TemporaryDirectory(prefix="clearsky-tiny-") as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)  # apt fetches as an account of its own
        tree, root = scratch / "packages", scratch / "root"
        progress("fetching and unpacking Debian packages")
        packages.bootstrap(SUITE, tree, PACKAGES, "extract")
        progress("choosing the files")
        kernel = next((tree / "boot").glob("vmlinuz-*"))
        release = kernel.name.removeprefix("vmlinuz-")
        run(tree / "bin/busybox", "depmod", "-b", tree, release)
        _root(tree, root, release)
        initrd = _initrd(tree, scratch, release)
        progress("writing the disk")
        files = {"vmlinuz": kernel, "initrd": initrd}
        raw = scratch / "disk.raw"
        disk.make(raw, scratch, root, files, command_line=COMMAND_LINE, root_mib=ROOT_MIB)
        unfinished = target.with_name(target.name + ".new")
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, unfinished)
        unfinished.rename(target)


def _root(tree: Path, root: Path, release: str) -> None:
    for name in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/lib", "lib64", "dev", "proc", "sys", "run", "tmp", "mnt",
                 "root", "var/log", "var/lib/clear", "home/clear", "etc/dropbear", "etc/acpi/PWRF"):  # fmt: skip
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "root").chmod(0o700)
    os.chown(root / "home/clear", 1000, 1000)
    shutil.copy2(tree / "bin/busybox", root / "bin/busybox")
    for applet in run(tree / "bin/busybox", "--list-full").decode().split():
        (root / applet).parent.mkdir(parents=True, exist_ok=True)
        if applet != "bin/busybox":
            (root / applet).symlink_to("/bin/busybox")
    _programs(tree, root)
    _modules(tree, root, release)
    for name, (path, mode) in SCRIPTS.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(GUEST / name, root / path)
        (root / path).chmod(mode)
    for path, text in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    _secret(root / "etc/shadow", "root:*:19000:0:99999:7:::\nclear:*:19000:0:99999:7:::\n", 0o640)
    _secret(
        root / "etc/sudoers",
        "Defaults secure_path=/usr/sbin:/usr/bin:/sbin:/bin\nroot ALL=(ALL:ALL) ALL\nclear ALL=(ALL:ALL) NOPASSWD: ALL\n",
        0o440,
    )
    (root / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    (root / "etc/mtab").symlink_to("/proc/self/mounts")
    certificates = root / "etc/ssl/certs/ca-certificates.crt"
    certificates.parent.mkdir(parents=True)
    found = sorted((tree / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    certificates.write_bytes(b"".join(path.read_bytes() for path in found))


def _secret(path: Path, text: str, mode: int) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _programs(tree: Path, root: Path) -> None:
    """Copy programs with every library that the loader names for them."""
    loader = tree / "lib64/ld-linux-x86-64.so.2"
    wanted: set[str] = set()
    for source, path in [*PROGRAMS.items(), *((name, name) for name in LIBRARIES)]:
        found = tree / source.lstrip("/")
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy2(found.resolve(), target)
        search = ":".join(str(tree / folder) for folder in LIBRARY_PATH)
        listed = run(loader.resolve(), "--library-path", search, "--list", found.resolve()).decode()
        wanted |= {word for word in listed.split() if word.startswith(str(tree))}
    (root / "usr/bin/sudo").chmod(0o4755)
    for name in ("mkfs.ext4", "mkfs.ext3", "mkfs.ext2"):
        (root / "usr/sbin" / name).symlink_to("mke2fs")
    (root / "sbin/ip").unlink(missing_ok=True)
    for library in wanted:
        _library(tree, root, Path(library))
    for name in ("etc/mke2fs.conf", "usr/libexec/sudo/libsudo_util.so.0"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2((tree / name).resolve(), root / name)
    shutil.copy2(loader.resolve(), root / "lib64/ld-linux-x86-64.so.2")


def _library(tree: Path, root: Path, library: Path) -> None:
    if "libexec" in library.parts:
        target = root / library.relative_to(tree)
    else:
        target = root / "lib/x86_64-linux-gnu" / library.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(library.resolve(), target)


def _module_files(tree: Path, release: str, names: tuple[str, ...]) -> list[str]:
    """Return the files of modules and of all that they need, each after its needs, relative to the tree's root."""
    base = f"lib/modules/{release}"
    needs: dict[str, list[str]] = {}
    for line in (tree / base / "modules.dep").read_text(encoding="utf-8").splitlines():
        file, _, rest = line.partition(":")
        needs[file] = rest.split()
    by_name = {Path(name).stem.replace("-", "_"): name for name in needs}
    ordered: dict[str, None] = {}

    def add(file: str) -> None:
        for need in needs[file]:
            if need not in ordered:
                add(need)
        ordered[file] = None

    for name in names:
        if found := by_name.get(name.replace("-", "_")):
            add(found)
    return [f"{base}/{file}" for file in ordered]


def _modules(tree: Path, root: Path, release: str) -> None:
    for path in _module_files(tree, release, EARLY_MODULES + SCSI_MODULES + MODULES):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree / path, root / path)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy2(tree / "lib/modules" / release / name, root / "lib/modules" / release / name)
    run(tree / "bin/busybox", "depmod", "-b", root, release)


def _initrd(tree: Path, scratch: Path, release: str) -> Path:
    """Return an initial RAM file system that finds the root disk on virtio-blk, else on virtio-scsi."""
    folder = scratch / "initrd"
    for name in ("bin", "dev", "proc", "sys", "root"):
        (folder / name).mkdir(parents=True)
    shutil.copy2(tree / "bin/busybox", folder / "bin/busybox")
    shutil.copy(GUEST / "initramfs-init", folder / "init")
    (folder / "init").chmod(0o755)
    early = _module_files(tree, release, EARLY_MODULES)
    later = [path for path in _module_files(tree, release, SCSI_MODULES) if path not in early]
    for path in early + later:
        shutil.copy2(tree / path, folder / Path(path).name)
    for name, paths in (("modules", early), ("modules-later", later)):
        (folder / name).write_text("\n".join(Path(path).name for path in paths) + "\n", encoding="utf-8")
    names = "\n".join(str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))) + "\n"
    initrd = scratch / "initrd.img"
    initrd.write_bytes(
        run(tree / "bin/busybox", "cpio", "-o", "-H", "newc", stdin=names.encode(), cwd=folder)
    )
    return initrd
