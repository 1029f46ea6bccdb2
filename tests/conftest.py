"""What every suite shares."""

from __future__ import annotations

import os

import pytest

os.environ.pop("CLEARSKY_CONFIG", None)


@pytest.fixture(autouse=True)
def _no_foreign_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a cloud that the developer's shell happens to name."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        default="sqlite",
        choices=["sqlite", "postgresql"],
        help="what the api tests run on; PostgreSQL is started by them",
    )
    parser.addoption(
        "--machine", action="store_true", help="also tests/machine: machines that have nothing yet"
    )
