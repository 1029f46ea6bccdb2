"""What guests do in the tests with several hosts: run in a guest's network namespace as a program of its own.

`inside.py lease` prints the MTU that DHCP announces. `inside.py take PORT BYTES` receives so much by TCP and prints its
hash; `inside.py give ADDRESS PORT BYTES` sends it and prints the same, if all came.
"""

from __future__ import annotations

import fcntl
import hashlib
import random
import socket
import struct
import sys

CHUNK = 65536
SIOCGIFHWADDR = 0x8927


def lease() -> int:
    """Ask for a lease as a client does that has its address already; return the MTU option (RFC 2132, 26)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        line.bind(("0.0.0.0", 68))
        line.settimeout(3)
        # Not from /sys: what that shows is the network namespace in which it was mounted.
        mac = fcntl.ioctl(line, SIOCGIFHWADDR, struct.pack("256s", b"eth0"))[18:24]
        head = struct.pack("!BBBBIHH", 1, 1, 6, 0, random.getrandbits(32), 0, 0) + bytes(16)
        options = b"\x63\x82\x53\x63" + bytes((53, 1, 1, 55, 2, 1, 26, 255))
        question = head + mac.ljust(16, b"\0") + bytes(192) + options
        for _ in range(5):
            line.sendto(question.ljust(300, b"\0"), ("255.255.255.255", 67))
            try:
                answer = line.recv(2000)
            except TimeoutError:
                continue
            return _mtu(answer[240:])
    raise SystemExit("nobody offers a lease")


def _mtu(options: bytes) -> int:
    while options and options[0] != 255:
        kind, size = options[0], options[1]
        if kind == 26:
            return int.from_bytes(options[2 : 2 + size], "big")
        options = options[2 + size :]
    raise SystemExit("the lease says nothing of an MTU")


def take(port: int, count: int) -> str:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        print("ready", flush=True)
        line = server.accept()[0]
    seen = hashlib.sha256()
    with line:
        while count and (data := line.recv(min(CHUNK, count))):
            seen.update(data)
            count -= len(data)
        line.sendall(seen.digest())
    return seen.hexdigest()


def give(address: str, port: int, count: int) -> str:
    data = random.Random(1).randbytes(count)
    with socket.create_connection((address, port), timeout=10) as line:
        line.settimeout(60)
        line.sendall(data)
        answer = line.recv(32)
    if answer != hashlib.sha256(data).digest():
        raise SystemExit("something else came")
    return answer.hex()


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "lease":
        print(lease())
    elif verb == "take":
        print(take(int(words[0]), int(words[1])))
    else:
        print(give(words[0], int(words[1]), int(words[2])))
