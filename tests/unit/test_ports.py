"""Two clouds cannot share a port unnoticed."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from clearsky.api.__main__ import _listen


def test_a_port_that_another_program_has_is_refused_by_its_settings_name():
    with closing(_listen("127.0.0.1", 0, "[api] host, port")) as first:
        port = first.getsockname()[1]
        with pytest.raises(SystemExit, match=rf"127\.0\.0\.1:{port} \(\[api\] host, port\)"):
            _listen("127.0.0.1", port, "[api] host, port")


def test_a_port_that_was_given_up_is_free_at_once():
    first = _listen("127.0.0.1", 0, "[api] host, port")
    address = first.getsockname()
    with closing(socket.create_connection(address)) as client, closing(first.accept()[0]) as served:
        first.close()
        client.sendall(b"x")
        _listen(*address, "[api] host, port").close()
        assert served.recv(1) == b"x"
