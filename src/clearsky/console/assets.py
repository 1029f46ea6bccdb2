"""Where noVNC's files are. They come from Debian's `novnc` package, unpacked without its server-side dependencies."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from clearsky.config import Config

SYSTEM = Path("/usr/share/novnc")


def _own(config: Config) -> Path:
    return config.cache / "novnc"


def folder(config: Config) -> Path | None:
    """Return the folder that holds `core/rfb.js`; None where there is none that this account can read."""
    places = (_own(config), SYSTEM)
    return next((path for path in places if os.access(path / "core" / "rfb.js", os.R_OK)), None)


def ensure(config: Config) -> Path:
    """Bring noVNC's files into the cache where they are missing; raises CalledProcessError."""
    if (found := folder(config)) is not None:
        return found
    config.cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="novnc-", dir="/tmp") as work:
        Path(work).chmod(0o755)
        subprocess.run(
            ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "novnc"],
            cwd=work,
            check=True,
            capture_output=True,
        )
        package = next(Path(work).glob("novnc_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), f"{work}/files"], check=True, capture_output=True)
        source, target = Path(work) / "files" / SYSTEM.relative_to("/"), _own(config)
        unfinished = target.with_name("novnc.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source, unfinished)
        unfinished.rename(target)
    return target
