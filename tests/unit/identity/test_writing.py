"""Routes of Identity change things by `writing` only, which keeps what they refer to."""

from __future__ import annotations

import re
from pathlib import Path

from clearsky.identity import api

MAY = {"writing.py", "auth.py"}
"""`auth.py` revokes tokens: nothing refers to them."""


def test_no_route_opens_a_write_transaction_by_itself():
    opening = re.compile(r"\.db\.write\(")
    files = sorted(Path(api.__file__).parent.glob("*.py"))
    assert len(files) > 20
    assert {file.name for file in files if opening.search(file.read_text())} == MAY
