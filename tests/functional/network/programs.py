"""What the tests let run inside guests and on the host: small programs that speak and listen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.functional.network import wire
from tests.functional.network.conftest import run
from tests.functional.network.world import TOPOLOGY


def ports(**changes):
    """The world's ports with some of them changed, by id."""
    return tuple(replace(port, **changes.get(port.id, {})) for port in TOPOLOGY.ports)


def python(guest, script, *arguments):
    words = ["ip", "netns", "exec", guest.name] if guest else []
    return subprocess.Popen(
        [*words, sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    )


def ask(guest, script, *arguments):
    with python(guest, script, *arguments) as program:
        return program.communicate(timeout=30)[0].strip()


SERVE = """
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    line, (who, _) = server.accept()
    line.sendall(who.encode())
    line.close()
"""
CALL = """
import socket, sys
try:
    print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).recv(100).decode())
except OSError as error:
    print("failed", error)
"""


HEAR = """
import socket, struct, sys
line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
line.setsockopt(263, 8, 1)  # PACKET_AUXDATA: the kernel tells the VLAN beside the frame
line.bind((sys.argv[2], 0))
line.settimeout(4)
print("hearing", flush=True)
mark = sys.argv[1].encode()
try:
    while True:
        frame, about, _, _ = line.recvmsg(2000, 100)
        if mark in frame:
            print(struct.unpack("IIIHHHH", about[0][2])[5])
            break
except TimeoutError:
    print("silence")
"""


EXTERNAL = "csn-ex"
"""The host's own device on the provider network."""


def heard(listener, sender, frame, mark):
    """Send a frame by hand; return the VLAN in which a guest heard it (0: none), or that it did not.

    None in a guest's place is the host, on the provider network.
    """
    with python(listener, HEAR, mark, "eth0" if listener else EXTERNAL) as program:
        assert program.stdout.readline() == "hearing\n"
        send = [sys.executable, str(Path(wire.__file__)), "send", "eth0" if sender else EXTERNAL, frame.hex()]
        run(*(["ip", "netns", "exec", sender.name] if sender else []), *send)
        return program.communicate(timeout=20)[0].strip()
