"""Programs and network devices of this host, as the agent uses them. Argument lists only, never a shell."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CLONE_NEWNET = 0x40000000
NAMESPACES = Path("/run/netns")


class HostError(Exception):
    """Something on this host could not be done; says what was tried and what it answered."""


def run(*arguments: str | Path, timeout_s: float = 30.0) -> str:
    """Run a program and return what it printed; raises HostError with its words."""
    words = [str(word) for word in arguments]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=timeout_s, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{words[0]}: {error}") from error
    if done.returncode != 0:
        raise HostError(f"{' '.join(words[:6])}: {done.stderr.strip()[-500:] or done.returncode}")
    return done.stdout


def devices() -> set[str]:
    """Return the names of the network devices in the agent's own namespace."""
    # Not /sys/class/net: what that shows depends on the namespace in which it was mounted.
    return {name for _, name in socket.if_nameindex()}


def ensure_tap(name: str, mac: str, mtu: int, user: str) -> None:
    """Make a persistent TAP device that `user` may open; the guest's MAC is not the device's own."""
    if name not in devices():
        run("ip", "tuntap", "add", "dev", name, "mode", "tap", "user", user, "vnet_hdr")
    # As libvirt does: the host's end differs from the guest's, else a bridge would take the frames for its own.
    run("ip", "link", "set", "dev", name, "address", f"fe{mac[2:]}", "mtu", str(mtu), "up")


def remove_device(name: str) -> None:
    """Remove a device; one that is not there is as good."""
    if name in devices():
        with suppress(HostError):
            run("ip", "link", "delete", "dev", name)


def namespaces() -> set[str]:
    with suppress(FileNotFoundError):
        return set(os.listdir(NAMESPACES))
    return set()


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Let the calling thread work in a network namespace; sockets made there stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(NAMESPACES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise HostError(f"entering the namespace {namespace}: {os.strerror(ctypes.get_errno())}")
        try:
            yield
        finally:
            if libc.setns(own, CLONE_NEWNET) != 0:
                os._exit(70)  # a thread lost in a guest's network must not go on
    finally:
        os.close(own)
        os.close(there)
