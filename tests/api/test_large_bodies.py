"""Large bodies go from the connection into the reader's memory; what comes after them on the connection is unharmed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import ssl
import threading
import time
from datetime import UTC, datetime

import pytest
import uvicorn
import uvloop

from clearsky import certificates
from clearsky.api.body import Body
from clearsky.api.server import Connection
from clearsky.errors import Invalid

DATA = os.urandom(9 << 20)
ROOM = 1 << 20


class App:
    """Answers a body's SHA-256; `/refuse` answers without reading, `/part` after one piece."""

    def __init__(self):
        self.direct, self.went_away = [], threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body, seen = Body(scope, receive), hashlib.sha256()
        room = memoryview(bytearray(ROOM))
        status = 200
        try:
            if scope["path"] != "/refuse":
                while size := await body.read_into(room):
                    seen.update(room[:size])
                    if scope["path"] == "/part":
                        break
        except Invalid:
            self.went_away.set()
            status = 400
        finally:
            self.direct.append(body._direct is not None)
            body.close()
        text = seen.hexdigest().encode()
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text})


@pytest.fixture(params=["uvloop", "asyncio", "tls"])
def served(request, tmp_path):
    """(app, a call that connects to it)."""
    tls = trusting = None
    if request.param == "tls":
        tls, trusting = _tls(tmp_path)
    app, listener = App(), socket.create_server(("127.0.0.1", 0))
    settings = uvicorn.Config(
        app, log_config=None, http=Connection, lifespan="off", timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )  # fmt: skip
    server = uvicorn.Server(settings)
    run = asyncio.run if request.param == "asyncio" else uvloop.run
    thread = threading.Thread(target=lambda: run(server.serve([listener])))
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def connect():
        line = socket.create_connection(listener.getsockname(), timeout=30)
        return trusting.wrap_socket(line, server_hostname="127.0.0.1") if trusting else line

    yield app, connect
    server.should_exit = True
    thread.join()
    listener.close()


def _tls(folder):
    from clearsky import config

    settings = config.Config(
        cloud=config.Cloud(state_dir=folder / "state", run_dir=folder / "run"), api=config.Api(tls="always")
    )
    settings.state.mkdir()
    certificates.ensure(settings, datetime.now(UTC))
    return certificates.context(settings), ssl.create_default_context(
        cafile=str(certificates.authority_file(settings))
    )


def _head(path="/", size=9 << 20, *more):
    lines = [f"PUT {path} HTTP/1.1", "Host: here", f"Content-Length: {size}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def _answer(line):
    """Read one answer and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        letter = line.recv(1)
        assert letter, "the connection was closed"
        head += letter
    lines = head.decode().lower().split("\r\n")
    left = next(int(one.partition(":")[2]) for one in lines if one.startswith("content-length:"))
    text = b""
    while len(text) < left:
        text += line.recv(left - len(text))
    return int(lines[0].split()[1]), text.decode()


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def test_bodies_one_after_the_other_on_one_connection(served):
    app, connect = served
    with connect() as line:
        for data in (DATA, DATA[:-12345], b"small", b"", DATA[: 2 * ROOM]):
            line.sendall(_head(size=len(data)))
            line.sendall(data)
            assert _answer(line) == (200, _digest(data))
    assert app.direct[0]


def test_requests_that_come_together_are_taken_apart(served):
    _, connect = served
    with connect() as line:
        both = _head() + DATA + _head(size=len(DATA) - 7) + DATA[7:] + _head(size=3) + b"abc"
        # By one thread: an SSLSocket is not made for two. The answers are small, so that nobody waits for anybody.
        line.sendall(both)
        answers = [_answer(line) for _ in range(3)]
    assert answers == [(200, _digest(DATA)), (200, _digest(DATA[7:])), (200, _digest(b"abc"))]


@pytest.mark.parametrize("path", ["/refuse", "/part"])
def test_an_early_answer_arrives_and_the_connection_stays_good(served, path):
    _, connect = served
    with connect() as line:
        line.sendall(_head(path) + DATA)
        assert _answer(line)[0] == 200
        line.sendall(_head() + DATA)
        assert _answer(line) == (200, _digest(DATA))


def test_a_client_that_goes_away_is_noticed(served):
    app, connect = served
    with connect() as line:
        line.sendall(_head() + DATA[: 3 * ROOM + 5])
    assert app.went_away.wait(30)


def test_a_client_that_waits_for_a_hundred_gets_it(served):
    app, connect = served
    with connect() as line:
        line.sendall(_head("/", len(DATA), "Expect: 100-continue"))
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(DATA)
        assert _answer(line) == (200, _digest(DATA))
    assert app.direct == [True]


def test_a_chunked_body_is_read_as_well(served):
    app, connect = served
    with connect() as line:
        line.sendall(b"PUT / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, len(DATA), ROOM):
            piece = DATA[at : at + ROOM]
            line.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
        line.sendall(b"0\r\n\r\n" + _head(size=4) + b"next")
        assert _answer(line) == (200, _digest(DATA))
        assert _answer(line) == (200, _digest(b"next"))
    assert app.direct[0] is False


def test_a_slow_sender_is_waited_for(served):
    _, connect = served
    with connect() as line:
        line.sendall(_head(size=5))
        for letter in b"abcde":
            time.sleep(0.02)
            line.sendall(bytes([letter]))
        assert _answer(line) == (200, _digest(b"abcde"))


def test_many_at_once(served):
    _, connect = served
    results = []

    def send(number):
        data = DATA[number:]
        with contextlib.closing(connect()) as line:
            line.sendall(_head(size=len(data)) + data)
            results.append(_answer(line) == (200, _digest(data)))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
