"""Tenants choose names; an operator's terminal shows them."""

from __future__ import annotations

from clearsky.terminal import plain


def test_a_name_moves_no_cursor_and_colours_nothing():
    assert plain("\x1b[31mred\r\nline\x9b2J\u202eevil") == "?[31mred??line?2J?evil"
    assert plain("web-1 ü 雲") == "web-1 ü 雲"
