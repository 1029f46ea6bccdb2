"""A machine that has nothing yet takes minutes and downloads hundreds of megabytes: only where it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    if not config.getoption("--machine"):
        skipped = pytest.mark.skip(reason="needs --machine: minutes, and hundreds of megabytes to download")
        for item in items:
            if here in item.path.parents:
                item.add_marker(skipped)


@pytest.fixture(scope="session")
def cache() -> Path:
    """Return where the root of a new machine is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME", "/var/tmp")) / "clearsky-machine"
