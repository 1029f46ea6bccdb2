"""A web server on loopback whose answers a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """The connection breaks after so many bytes."""
    times: int = 10**9
    """Served so often; then it is a plain page."""


class Web:
    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked.append(self.path)
                web.tokens.append(self.headers.get("X-Auth-Token", ""))
                page = web.pages.get(self.path, Page(b"no such page", 404))
                cut = page.cut_after if page.times > 0 else None
                page.times -= 1
                self.send_response(page.status)
                for name, value in ({"Content-Length": str(len(page.body))} | page.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(page.body if cut is None else page.body[:cut])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()
    thread = threading.Thread(target=web.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.server.shutdown()
        web.server.server_close()
        thread.join()
