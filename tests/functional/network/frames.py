"""Ethernet frames as bytes, each with a token by which it is known again wherever it comes out."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

MAGIC = b"\xc5clrsky"
TOKEN = struct.Struct("!7sxI")
BROADCAST = "ff:ff:ff:ff:ff:ff"
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
RS, RA, NS, NA = 133, 134, 135, 136
ARP_ASKS, ARP_SAYS = 1, 2
SYN, SYN_ACK = 0x02, 0x12


@dataclass(frozen=True, slots=True)
class Packet:
    """What a port sends, in the words of its protocols; `above` is what of them differs from the plain case."""

    sender: str
    eth_src: str
    eth_dst: str
    src: str
    dst: str
    proto: int = 0
    """IP protocol; 0: ARP, where src and dst are the addresses it speaks of."""
    sport: int = 0
    """Source port; ICMP's type; ARP's operation."""
    dport: int = 0
    """Destination port; ICMP's code."""
    flags: int = SYN
    target: str = ""
    """Of neighbour discovery: the address that is asked for or claimed."""
    link: str = ""
    """The MAC that ARP or neighbour discovery tells of; empty: eth_src."""
    kind: str = ""
    """For people: what is tried."""

    @property
    def version(self) -> int:
        return 6 if ":" in self.src else 4


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def link_local(text: str) -> str:
    """Return the link-local address of a MAC (RFC 4291, appendix A)."""
    six = mac(text)
    suffix = bytes([six[0] ^ 2, *six[1:3], 0xFF, 0xFE, *six[3:]])
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + suffix))


def solicited(ip: str) -> tuple[str, str]:
    """Return the (MAC, address) at which a node is asked for its MAC (RFC 4291, 2.7.1)."""
    tail = address(ip)[-3:]
    group = ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + tail)
    return "33:33:ff:" + ":".join(f"{byte:02x}" for byte in tail), str(group)


def group_mac(ip: str) -> str:
    """Return the MAC that a multicast address is sent to."""
    low = address(ip)
    head = "33:33:" if ":" in ip else "01:00:5e:"
    tail = low[-4:] if ":" in ip else bytes([low[1] & 0x7F, *low[2:]])
    return head + ":".join(f"{byte:02x}" for byte in tail)


def token(number: int) -> bytes:
    return TOKEN.pack(MAGIC, number)


def number_in(frame: bytes) -> int | None:
    """Return the number of the token in a frame; None for what is not ours, or only quotes it to say that it failed."""
    at = frame.find(MAGIC)
    if at < 0 or len(frame) < at + TOKEN.size:
        return None
    if frame[12:14] == b"\x08\x00" and frame[23] == ICMP and frame[34] in (3, 11):
        return None
    if frame[12:14] == b"\x86\xdd" and frame[20] == ICMP6 and frame[54] < 128:
        return None
    return int(TOKEN.unpack_from(frame, at)[1])


def checksum(data: bytes) -> int:
    """Return the Internet checksum: ones' complement arithmetic is arithmetic modulo 65535."""
    if len(data) % 2:
        data += b"\0"
    return 0xFFFF - (int.from_bytes(data, "big") % 0xFFFF)


def render(packet: Packet, number: int) -> bytes:
    """Return the frame."""
    ends = mac(packet.eth_dst) + mac(packet.eth_src)
    if packet.proto == 0:
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, packet.sport) + mac(packet.link or packet.eth_src)
        far = packet.eth_dst if packet.sport == ARP_SAYS else "00:00:00:00:00:00"
        body += address(packet.src) + mac(far) + address(packet.dst)
        return ends + b"\x08\x06" + body + token(number).ljust(18, b"\0")
    src, dst = address(packet.src), address(packet.dst)
    inner = _inner(packet, number, src + dst)
    if packet.version == 6:
        hops = 255 if packet.proto == ICMP6 and packet.sport in (RS, RA, NS, NA) else 64
        head = struct.pack("!IHBB", 6 << 28, len(inner), packet.proto, hops) + src + dst
        return ends + b"\x86\xdd" + head + inner
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inner), number & 0xFFFF, 0, 64, packet.proto, 0)
    head += src + dst
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ends + b"\x08\x00" + head + inner


def _inner(packet: Packet, number: int, ends: bytes) -> bytes:
    """Return what is inside IP, with its checksum."""
    payload = token(number)
    if packet.proto == TCP:
        body = (
            struct.pack("!HHIIBBHHH", packet.sport, packet.dport, 1000, 0, 0x50, packet.flags, 8192, 0, 0)
            + payload
        )
        at = 16
    elif packet.proto == UDP:
        payload = _dhcp(packet, payload) if packet.sport in (67, 68) else payload
        body = struct.pack("!HHHH", packet.sport, packet.dport, 8 + len(payload), 0) + payload
        at = 6
    elif packet.proto == ICMP:
        body = struct.pack("!BBHHH", packet.sport, packet.dport, 0, number & 0xFFFF, 1) + payload
        return body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    else:
        body = _icmp6(packet, payload, number)
        at = 2
    pseudo = ends + struct.pack("!II", len(body), packet.proto)
    total = checksum(pseudo + body) or 0xFFFF
    return body[:at] + struct.pack("!H", total) + body[at + 2 :]


def _icmp6(packet: Packet, payload: bytes, number: int) -> bytes:
    head = struct.pack("!BBH", packet.sport, packet.dport, 0)
    link = mac(packet.link or packet.eth_src)
    nonce = struct.pack("!BB", 14, 2) + payload.ljust(14, b"\0")  # RFC 3971: an option that others pass by
    if packet.sport == RA:
        prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + address("fd66::")
        return head + struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\x01\x01" + link + prefix + nonce
    if packet.sport in (NS, NA):
        flags = 0 if packet.sport == NS else 0x60000000
        option = b"\x01\x01" if packet.sport == NS else b"\x02\x01"
        return head + struct.pack("!I", flags) + address(packet.target) + option + link + nonce
    if packet.sport == RS:
        return head + bytes(4) + b"\x01\x01" + link + nonce
    return head + struct.pack("!HH", number & 0xFFFF, 1) + payload


def _dhcp(packet: Packet, payload: bytes) -> bytes:
    """Return a DHCP message (RFC 2131): an offer by a server, a discovery by a client."""
    answer = packet.sport == 67
    number = payload[-4:]
    told = address("10.66.66.66") if answer else bytes(4)
    body = struct.pack("!BBBB", 2 if answer else 1, 1, 6, 0) + number + struct.pack("!HH", 0, 0x8000)
    body += (
        bytes(4)
        + told
        + bytes(8)
        + mac(packet.eth_dst if answer else packet.eth_src)
        + bytes(10)
        + bytes(192)
    )
    body += bytes.fromhex("63825363") + (b"\x35\x01\x02" if answer else b"\x35\x01\x01")
    return body + b"\x3d\x0d\x00" + payload + b"\xff"
