"""Frames by hand, in and out of a guest's interface. Run inside a guest's namespace as a program of its own.

`wire.py send DEVICE HEX...` sends frames; `wire.py hear DEVICE SECONDS` prints each frame that comes in, as hex.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

BROADCAST = "ff:ff:ff:ff:ff:ff"


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def udp(source: tuple[str, str], target: tuple[str, str], payload: bytes) -> bytes:
    """Return an Ethernet frame from (MAC, IPv4) to (MAC, IPv4): UDP without a checksum, which IPv4 permits."""
    inner = struct.pack("!HHHH", 9999, 9999, 8 + len(payload), 0) + payload
    addresses = socket.inet_aton(source[1]) + socket.inet_aton(target[1])
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inner), 1, 0, 64, 17, 0) + addresses
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + header[12:]
    return _mac(target[0]) + _mac(source[0]) + b"\x08\x00" + header + inner


def arp(kind: int, source: tuple[str, str], says: tuple[str, str], target: tuple[str, str]) -> bytes:
    """Return an ARP frame (1: question, 2: answer) whose sender fields are `says`."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, kind)
    body += _mac(says[0]) + socket.inet_aton(says[1]) + _mac(target[0]) + socket.inet_aton(target[1])
    return _mac(target[0]) + _mac(source[0]) + b"\x08\x06" + body


def main() -> None:
    verb, device = sys.argv[1:3]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as line:
        line.bind((device, 0))
        if verb == "send":
            for frame in sys.argv[3:]:
                line.send(bytes.fromhex(frame))
            return
        print("hearing", flush=True)
        end = time.monotonic() + float(sys.argv[3])
        while (left := end - time.monotonic()) > 0:
            line.settimeout(left)
            try:
                frame, about = line.recvfrom(65535)
            except TimeoutError:
                break
            if about[2] != socket.PACKET_OUTGOING:
                print(frame.hex(), flush=True)


if __name__ == "__main__":
    main()
