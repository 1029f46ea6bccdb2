"""Patterns for names agree with Python's where they understand them, and cannot be made slow."""

from __future__ import annotations

import re
import time

import pytest

from clearsky.compute.api.pattern import Pattern

NAMES = [
    "",
    "web",
    "web-1",
    "my-web-12",
    "tempest-instance-123",
    "a.b",
    "a+b",
    "[x]",
    "naïve",
    "web 1",
    "WEB",
]


@pytest.mark.parametrize(
    "pattern",
    ["web", "^web", "web$", "^web$", "w.b", "^.*-[0-9]+$", r"^.*\-instance\-[0-9]+$", r"\d", r"a\.b", "[^a-z-]", "x*", "^a.?b", r"\w+-\w+"],
)  # fmt: skip
def test_they_find_what_regular_expressions_find(pattern):
    for name in NAMES:
        assert Pattern(pattern).found_in(name) == bool(re.search(pattern, name)), name


def test_a_hostile_pattern_takes_no_longer_than_its_length():
    begin = time.perf_counter()
    assert not Pattern(".*" * 40 + "!").found_in("a" * 255)
    assert time.perf_counter() - begin < 2
