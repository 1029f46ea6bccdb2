"""The rules of the house that tools can hold: style, types, who may import whom, size of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def test_ruff_finds_nothing():
    _run(str(BIN / "ruff"), "check", "--no-cache", "src", "tests")


def test_files_are_formatted():
    _run(str(BIN / "ruff"), "format", "--no-cache", "--check", "src", "tests")


def test_imports_keep_to_the_order_of_the_house():
    _run(str(BIN / "lint-imports"), "--no-cache")


@pytest.mark.timeout(600)
def test_types_are_strict():
    _run(str(BIN / "mypy"))


def test_no_file_of_the_program_is_longer_than_one_idea():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "src").rglob("*.py")
        if "migrations" not in path.parts and (lines := len(path.read_text().splitlines())) > 500
    }
    assert not long, f"over 500 lines, to be split: {long}"
