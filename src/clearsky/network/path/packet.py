"""The packet that is followed: what identifies it, and how OVN's expressions say it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

REQUEST = {4: "icmp4.type == 8 && icmp4.code == 0", 6: "icmp6.type == 128 && icmp6.code == 0"}
REPLY = {4: "icmp4.type == 0 && icmp4.code == 0", 6: "icmp6.type == 129 && icmp6.code == 0"}
CLIENT_PORT = 49152
"""The port of who asks, where nobody chose one: the first of those that are free for that (RFC 6335)."""
TTL = 64


@dataclass(frozen=True, slots=True)
class Packet:
    protocol: str
    """tcp, udp or icmp."""
    source: str
    destination: str
    source_port: int = CLIENT_PORT
    destination_port: int = 0
    source_mac: str = ""
    destination_mac: str = ""
    ttl: int = TTL
    reply: bool = False

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.destination).version

    @property
    def ends(self) -> tuple[str, int, str, int]:
        """Return what a memory of connections knows it by; a ping has no ports."""
        ports = (0, 0) if self.protocol == "icmp" else (self.source_port, self.destination_port)
        return self.source, ports[0], self.destination, ports[1]

    @property
    def ends_of_question(self) -> tuple[str, int, str, int]:
        """Return the ends of the packet that this one would answer."""
        source, source_port, destination, destination_port = self.ends
        return destination, destination_port, source, source_port

    def answered(self) -> Packet:
        """Return the answer to this packet; whom it goes to next is not known yet."""
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            source_port=self.destination_port,
            destination_port=self.source_port,
            source_mac="",
            destination_mac="",
            ttl=TTL,
            reply=not self.reply,
        )

    def microflow(self, inport: str) -> str:
        """Return it as ovn-trace wants it."""
        ip = f"ip{self.version}"
        parts = [
            f'inport == "{inport}"',
            f"eth.src == {self.source_mac}",
            f"eth.dst == {self.destination_mac}",
            f"{ip}.src == {self.source}",
            f"{ip}.dst == {self.destination}",
            f"ip.ttl == {self.ttl}",
        ]
        if self.protocol == "icmp":
            parts.append((REPLY if self.reply else REQUEST)[self.version])
        else:
            name = self.protocol
            parts += [name, f"{name}.src == {self.source_port}", f"{name}.dst == {self.destination_port}"]
        return " && ".join(parts)

    def __str__(self) -> str:
        if self.protocol == "icmp":
            return f"icmp {self.source} -> {self.destination}"
        return f"{self.protocol} {self.source} -> {self.destination} port {self.destination_port}"
