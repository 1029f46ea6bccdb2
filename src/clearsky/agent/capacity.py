"""What this host has to give."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from clearsky.agent.domains import Domains
from clearsky.config import Config


def _memory_mib() -> tuple[int, int]:
    """Return total and used memory."""
    fields = {}
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        fields[name] = int(rest.split()[0]) // 1024
    return fields["MemTotal"], fields["MemTotal"] - fields["MemAvailable"]


def _uptime() -> str:
    """Return how long this machine has been up, and its load, in the words of uptime(1)."""
    seconds = int(float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]))
    load = ", ".join(Path("/proc/loadavg").read_text(encoding="ascii").split()[:3])
    days, rest = divmod(seconds, 86400)
    now = time.strftime("%H:%M:%S", time.gmtime())
    return f" {now} up {days} days, {rest // 3600:2}:{rest // 60 % 60:02},  0 users,  load average: {load}"


def _cpu() -> dict[str, Any]:
    """Return model, vendor, features and topology of the first processor."""
    found: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n", 1)[0].splitlines():
        name, _, value = line.partition(":")
        found[name.strip()] = value.strip()
    cores = int(found.get("cpu cores", "1"))
    threads = max(1, int(found.get("siblings", "1")) // max(1, cores))
    total = os.cpu_count() or 1
    return {
        "arch": os.uname().machine,
        "model": found.get("model name", ""),
        "vendor": found.get("vendor_id", ""),
        "features": sorted(found.get("flags", "").split()),
        "topology": {"sockets": max(1, total // (cores * threads)), "cores": cores, "threads": threads},
    }


TRAITS = {
    "sse": "HW_CPU_X86_SSE", "sse2": "HW_CPU_X86_SSE2", "sse4_1": "HW_CPU_X86_SSE41", "sse4_2": "HW_CPU_X86_SSE42",
    "avx": "HW_CPU_X86_AVX", "avx2": "HW_CPU_X86_AVX2", "avx512f": "HW_CPU_X86_AVX512F", "aes": "HW_CPU_X86_AESNI",
    "vmx": "HW_CPU_X86_VMX", "svm": "HW_CPU_X86_SVM", "sha_ni": "HW_CPU_X86_SHA",
}  # fmt: skip


def measure(config: Config, domains: Domains, *, accelerated: bool) -> dict[str, Any]:
    """Return the host's capacity, as `Observed.capacity` says."""
    total, used = _memory_mib()
    disk = shutil.disk_usage(config.state)
    cpu = _cpu()
    return {
        "vcpus": os.cpu_count() or 1,
        "memory_mib": total,
        "disk_gib": disk.total // 1024**3,
        "memory_used_mib": used,
        "disk_free_gib": disk.free // 1024**3,
        "hypervisor_type": "QEMU",
        "hypervisor_version": domains.version(),
        "cpu_info": cpu,
        "virtualization": "kvm" if accelerated else "tcg",
        "traits": sorted(TRAITS[name] for name in cpu["features"] if name in TRAITS),
        "host_ip": config.hosts.address or "127.0.0.1",
        "uptime": _uptime(),
    }
