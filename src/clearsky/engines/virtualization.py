"""Whether KVM is really usable here. On nested machines it can be there, answer, and run no guest."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from clearsky.config import Config

DEVICE = Path("/dev/kvm")
PROBE_S = 5.0
SIGN = b"KVM runs"


def accelerated(config: Config) -> bool:
    """Say whether servers run on KVM; probed once for each boot of the machine, kept in the run directory."""
    known, chosen = kept_in(config), config.compute.virtualization
    if chosen == "auto" and not known.exists():
        chosen = "kvm" if probe() else "tcg"
    if chosen != "auto" and (not known.exists() or known.read_text(encoding="ascii") != chosen):
        known.write_text(chosen, encoding="ascii")
    return known.read_text(encoding="ascii") == "kvm"


def kept_in(config: Config) -> Path:
    """Return the file that says `kvm` or `tcg`."""
    return config.run / "virtualization"


def probe() -> bool:
    """Run a guest that says a word on its serial port."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    if not DEVICE.exists() or not re.search(r"\b(vmx|svm)\b", flags):
        return False
    with tempfile.NamedTemporaryFile(prefix="clearsky-probe-") as disk:
        disk.write(boot_sector())
        disk.flush()
        argv = (
            "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-m", "32", "-nodefaults", "-display", "none",
            "-serial", "stdio", "-drive", f"file={disk.name},format=raw,if=ide,snapshot=on",
        )  # fmt: skip
        try:
            done = subprocess.run(
                argv, capture_output=True, timeout=PROBE_S, check=False, stdin=subprocess.DEVNULL
            )
            printed = done.stdout
        except subprocess.TimeoutExpired as late:  # it halts and stays: the usual end
            printed = late.stdout or b""
        except OSError:
            return False
    return SIGN in printed


def boot_sector() -> bytes:
    """Return 512 bytes of machine code: write the sign to the first serial port, power off by halting."""
    code = bytearray(b"\xba\xf8\x03")  # mov dx, 0x3f8
    for letter in SIGN + b"\n":
        code += bytes((0xB0, letter, 0xEE))  # mov al, letter; out dx, al
    code += b"\xfa\xf4\xeb\xfd"  # cli; hlt; again
    return bytes(code).ljust(510, b"\0") + b"\x55\xaa"
