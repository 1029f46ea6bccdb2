"""`clearsky test`: the project's tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command("test", context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Without the tests that need real engines.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def command(fast: bool, more: tuple[str, ...]) -> None:
    """Run the tests; what follows is handed to pytest."""
    root = Path(__file__).parents[3]
    os.chdir(root)
    chosen = ["-m", "not functional and not system"] if fast else []
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-n", "2", *chosen, *more])
