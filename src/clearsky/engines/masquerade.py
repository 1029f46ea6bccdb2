"""Lets guests reach the world through the host's own address: one nftables table of this cloud."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from clearsky.config import Config

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


def table(config: Config) -> str:
    return "clearsky_" + re.sub(r"[^A-Za-z0-9_]", "_", config.cloud.name)


def ensure(config: Config) -> None:
    """Write the table, whole; forwarding is switched on where it is off, and what it was is kept for `remove`."""
    net, name = config.network, table(config)
    rules = f"""
table ip {name} {{}}
delete table ip {name}
table ip {name} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {net.public_cidr} oifname != "{config.external_device}" masquerade
  }}
}}
"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)
    if FORWARD.read_text(encoding="ascii").strip() == "0":
        (config.state / "forwarding-was-off").touch()
        FORWARD.write_text("1", encoding="ascii")


def remove(config: Config) -> None:
    """Take the table away, and forwarding if this cloud switched it on."""
    subprocess.run(["nft", "delete", "table", "ip", table(config)], check=False, capture_output=True)
    if (config.state / "forwarding-was-off").exists():
        FORWARD.write_text("0", encoding="ascii")
        (config.state / "forwarding-was-off").unlink()
