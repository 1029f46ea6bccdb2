"""The remote console: the screen of a guest through the APIs' own port, for the one who has the token."""

from __future__ import annotations

import json
import sys
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

VIEWER = """
import json, sys
from urllib.request import urlopen
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

def speak(address, **options):
    try:
        with connect(address, subprotocols=["binary"], **options) as socket:
            return socket.recv(timeout=10).decode("ascii", "replace")
    except WebSocketException as refusal:
        return type(refusal).__name__

url, socket = sys.argv[1:]
print(json.dumps({
    "page": urlopen(url).read().decode(),
    "right": speak(socket),
    "no token": speak(socket.partition("?")[0]),
    "wrong token": speak(socket[:-6] + "000000"),
    "another origin": speak(socket, origin="http://evil.invalid"),
}))
"""


def test_the_screen_of_a_guest_opens_with_its_token_only(cloud, key):
    run = cloud.openstack
    run("server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--wait", "screen")
    url = run("console", "url", "show", "screen")["url"]
    parts = urlsplit(url)
    token = parts.query.partition("token=")[2].partition("&")[0]
    program = cloud.folder / "viewer.py"
    program.write_text(VIEWER)
    socket = f"ws://{parts.netloc}/console/socket?token={token}"
    found = json.loads(cloud.run(sys.executable, program, url, socket).stdout)
    assert found["right"].startswith("RFB 003."), "VNC's greeting"
    assert "novnc" in found["page"].lower() or "page.js" in found["page"]
    for name in ("no token", "wrong token", "another origin"):
        assert not found[name].startswith("RFB"), name
    run("server", "delete", "--wait", "screen")
