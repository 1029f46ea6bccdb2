"""Which state of the program a process runs: `up` replaces those of an older one, `status` names them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import clearsky

VARIABLE = "CLEARSKY_BUILD"
"""In the environment of each of our processes: what `current` was when it was started."""
_PACKAGE = Path(clearsky.__file__).parent
_LOCK = _PACKAGE.parents[1] / "requirements.lock"


@cache
def current() -> str:
    """Return a digest of the program as it is on the disk, its list of libraries with it. Costs some 30 ms, once."""
    digest = hashlib.sha256()
    for path in (_LOCK, *sorted(_PACKAGE.rglob("*.py"))):
        if path.exists():
            digest.update(str(path).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def is_old(pid: int) -> bool:
    """Say whether a process of ours runs another state of the program; False where that cannot be seen."""
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{VARIABLE}={current()}".encode() not in words
