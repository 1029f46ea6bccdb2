"""The bell: a hint to the other processes of this machine that something is due. Polling is the truth.

Each listener binds a datagram socket in a folder of the run directory; ringing sends the topic to all of them.
A lost ring costs one polling period.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path


class Bell:
    def __init__(self, run_dir: Path) -> None:
        self.folder = run_dir / "bell"
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)

    def ring(self, topics: Iterable[str]) -> None:
        """Send each topic to every listener; never blocks and never fails."""
        message = "\n".join(topics).encode()[:4000]
        with contextlib.suppress(OSError):
            for name in os.listdir(self.folder):
                path = str(self.folder / name)
                try:
                    self._sender.sendto(message, path)
                except ConnectionRefusedError:
                    with contextlib.suppress(OSError):
                        Path(path).unlink()  # its listener has died
                except OSError:
                    continue  # a full queue: that listener is awake anyhow

    def close(self) -> None:
        self._sender.close()

    def listen(self, name: str) -> socket.socket:
        """Return a bound datagram socket that receives topics, newline separated."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.{os.getpid()}"
        path.unlink(missing_ok=True)
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.bind(str(path))
        return receiver
