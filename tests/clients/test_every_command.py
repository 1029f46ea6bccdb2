"""Every sub-command of the families that are finished is run by some test here, and not only to be refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

FAMILIES = ("openstack.identity.v3", "openstack.image.v2")
ODD = {("federation", "protocol", "set")}
"""Commands that the client ends with a failure of its own though the cloud has done as told: `cloud.openstack`."""


def _words(arguments: list[ast.expr], named: dict[str, ast.expr]) -> Iterator[str]:
    """Yield the words of a command; something else than a word that stands there is one without letters."""
    for one in arguments:
        if isinstance(one, ast.Starred):
            inner = named.get(one.value.id) if isinstance(one.value, ast.Name) else one.value
            yield from _words(inner.elts, named) if isinstance(inner, ast.Tuple | ast.List) else ("",)
        else:
            yield str(one.value) if isinstance(one, ast.Constant) else ""


def _run() -> set[tuple[str, ...]]:
    """Return the words of the commands that the tests here run."""
    found = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        tree = ast.parse(file.read_text())
        assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
        named = {one.targets[0].id: one.value for one in assigned if isinstance(one.targets[0], ast.Name)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            words = tuple(_words(node.args, named))
            if node.func.attr in ("run", "json") or words[:3] in ODD:
                found.add(words)
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_every_command_of_a_family_is_run(family):
    run = _run()
    commands = [tuple(one.name.replace("_", " ").split()) for one in entry_points(group=family)]
    assert len(commands) > 30
    missing = [
        " ".join(words) for words in commands if not any(given[: len(words)] == words for given in run)
    ]
    assert missing == []
