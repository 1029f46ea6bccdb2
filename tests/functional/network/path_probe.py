"""Everything that one namespace of the path test says and hears: a program of its own, told by lines of JSON.

`path_probe.py DEVICE`, then one line with the list of what to send; it listens and answers from its start on. It prints
`ready`, and at the end one line: the numbers of the packets that came in here, and of those that were answered.
Each packet carries its number: as UDP or ICMP payload, and as the TCP client's port.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import threading
import time

TCP, UDP = (22, 80, 443), (53, 4000)
FIRST_PORT = 40000
"""A packet's client port is this and its number."""
MARK = b"clearsky-path-"
ROUNDS, ROUND_S = 16, 0.5
IN = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def server(kind: socket.SocketKind, version: socket.AddressFamily, port: int) -> socket.socket:
    line = socket.socket(version, kind)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if version == socket.AF_INET6:
        line.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    line.bind((IN[version], port))
    if kind == socket.SOCK_STREAM:
        line.listen(100)
    return line


def serve(lines: list[socket.socket]) -> None:
    """Accept and close; send a datagram back as it came. The kernel answers pings."""
    while True:
        for line in select.select(lines, [], [])[0]:
            if line.type == socket.SOCK_STREAM:
                line.accept()[0].close()
            else:
                # From the address that it came to: a port may have several, and the outside does.
                data, about, _, who = line.recvmsg(2000, 200)
                with contextlib.suppress(OSError):  # it has no way back
                    line.sendmsg([data], [item for item in about if item[1] in (8, 50)], 0, who)


def hear(line: socket.socket, kinds: tuple[int, ...], heard: set[int]) -> None:
    while True:
        frame, about = line.recvfrom(65535)
        if about[2] in kinds and (number := request(frame)) is not None:
            heard.add(number)


def request(frame: bytes) -> int | None:
    """Return the number of a packet that asks something; None for answers and everything else."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800:
        protocol, inner = frame[23], frame[14 + (frame[14] & 15) * 4 :]
    elif kind == 0x86DD:
        protocol, inner = frame[20], frame[54:]
    else:
        return None
    if protocol == 6:
        client, _ = struct.unpack("!HH", inner[:4])
        return client - FIRST_PORT if inner[13] & 0x3F == 2 and client >= FIRST_PORT else None
    if protocol == 17:
        _, port = struct.unpack("!HH", inner[:4])
        return numbered(inner[8:]) if port < FIRST_PORT else None
    if (protocol == 1 and inner[0] == 8) or (protocol == 58 and inner[0] == 128):
        return numbered(inner[8:])
    return None


def numbered(data: bytes) -> int | None:
    if not data.startswith(MARK):
        return None
    return int(data.removeprefix(MARK).split(b".")[0])


class Ask:
    """One packet of ours, sent again until it is answered."""

    def __init__(self, number: int, protocol: str, source: str, destination: str, port: int) -> None:
        self.number, self.protocol, self.port = number, protocol, port
        self.destination, version = destination, family(destination)
        self.answered = False
        self.payload = MARK + str(number).encode() + b"."
        if protocol == "tcp":
            self.line = socket.socket(version, socket.SOCK_STREAM)
        elif protocol == "udp":
            self.line = socket.socket(version, socket.SOCK_DGRAM)
        else:
            icmp = socket.IPPROTO_ICMPV6 if version == socket.AF_INET6 else socket.IPPROTO_ICMP
            self.line = socket.socket(version, socket.SOCK_RAW, icmp)
        self.line.setblocking(False)
        self.line.bind((source, FIRST_PORT + number if protocol != "icmp" else 0))
        self.begun = False

    def send(self) -> None:
        try:
            if self.protocol == "tcp":
                if not self.begun:
                    self.begun = True
                    self.line.connect_ex((self.destination, self.port))
            elif self.protocol == "udp":
                self.line.sendto(self.payload, (self.destination, self.port))
            else:
                self.line.sendto(self._echo(), (self.destination, 0))
        except OSError:
            pass  # the kernel knows no way, or was told of a refusal: seen as no answer

    def _echo(self) -> bytes:
        six = ":" in self.destination
        head = struct.pack("!BBHHH", 128 if six else 8, 0, 0, FIRST_PORT + self.number, 1)
        whole = head + self.payload + b"\0" * (len(self.payload) % 2)
        if six:
            return whole  # the kernel writes the checksum
        total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
        total = (total & 0xFFFF) + (total >> 16)
        return whole[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + whole[4:]

    def look(self) -> None:
        try:
            if self.protocol == "tcp":
                self.answered |= (
                    self.line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and self._connected()
                )
                return
            while True:
                data, who = self.line.recvfrom(2000)
                six = ":" in self.destination
                if self.protocol == "icmp":
                    if not six:
                        data = data[(data[0] & 15) * 4 :]
                    if data[0] != (129 if six else 0):
                        continue
                    data = data[8:]
                if numbered(data) == self.number and who[0].split("%")[0] == self.destination:
                    self.answered = True
        except OSError:
            pass

    def _connected(self) -> bool:
        try:
            self.line.getpeername()
        except OSError:
            return False
        return True


def main() -> None:
    device = sys.argv[1]
    heard: set[int] = set()
    lines = []
    for version in IN:
        lines += [server(socket.SOCK_STREAM, version, port) for port in TCP]
        for port in UDP:
            line = server(socket.SOCK_DGRAM, version, port)
            if version == socket.AF_INET:
                line.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
            else:
                line.setsockopt(socket.IPPROTO_IPV6, 49, 1)  # IPV6_RECVPKTINFO
            lines.append(line)
    # A bridge's own device may have got another MAC since it answered with its first one.
    kinds = (socket.PACKET_HOST,) if device == "eth0" else (socket.PACKET_HOST, socket.PACKET_OTHERHOST)
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    ear.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE: everybody begins at once
    ear.bind((device, 0))
    for target, words in ((serve, (lines,)), (hear, (ear, kinds, heard))):
        threading.Thread(target=target, args=words, daemon=True).start()
    print("ready", flush=True)
    asks = [Ask(*one) for one in json.loads(sys.stdin.readline())]
    for _ in range(ROUNDS):
        for one in asks:
            if not one.answered:
                one.send()
        time.sleep(ROUND_S)
        for one in asks:
            one.look()
    print("sent", flush=True)
    sys.stdin.readline()
    print(json.dumps([sorted(heard), [one.number for one in asks if one.answered]]), flush=True)


if __name__ == "__main__":
    main()
