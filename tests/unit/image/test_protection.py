"""Rules about custom properties, read from an operator's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearsky.caller import Caller
from clearsky.config import ConfigError
from clearsky.image import protection

RULES = ("context_is_admin", "publicize_image")
FILE = """
[^billing_]
create = admin,Biller
read = @
update = biller
delete = !

[^secret$]
create = admin
read = admin
update = admin
delete = admin
"""


def _load(tmp_path, text=FILE, kind="roles"):
    file = tmp_path / "rules.conf"
    file.write_text(text)
    return protection.load(file, kind, RULES)


def _allows(rules, name, action, *roles, may=lambda _rule: False):
    return rules.allows(name, action, Caller("u", roles=roles), may)


def test_without_a_file_everybody_may_do_everything():
    rules = protection.load(Path(), "roles", RULES)
    assert not rules.active
    assert _allows(rules, "anything", "delete")


def test_the_first_section_that_matches_decides(tmp_path):
    rules = _load(tmp_path)
    assert _allows(rules, "billing_code", "create", "biller")
    assert not _allows(rules, "billing_code", "update", "admin")
    assert _allows(rules, "billing_code", "read")
    assert not _allows(rules, "billing_code", "delete", "admin", "biller")
    assert not _allows(rules, "secret", "read", "member")
    assert _allows(rules, "secretary", "read", "admin") is False, "no section: nobody"


def test_the_services_own_properties_are_not_protected(tmp_path):
    assert _allows(_load(tmp_path), "os_glance_import_task", "update")


def test_policies_are_asked(tmp_path):
    text = "[.*]\ncreate = publicize_image\nread = @\nupdate = !\ndelete =\n"
    rules = _load(tmp_path, text, "policies")
    assert _allows(rules, "a", "create", may=lambda rule: rule == "publicize_image")
    assert not _allows(rules, "a", "create")
    assert not _allows(rules, "a", "delete", "admin")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        (FILE, "colours", "must be one of roles, policies"),
        ("[(]\ncreate=@\nread=@\nupdate=@\ndelete=@", "roles", "no regular expression"),
        ("[a]\ncreate=@\nread=@\nupdate=@", "roles", "who may delete"),
        ("[a]\ncreate=@,!\nread=@\nupdate=@\ndelete=@", "roles", "exclude each other"),
        ("[a]\ncreate=publicize_image,context_is_admin\nread=@\nupdate=@\ndelete=@", "policies", "only one"),
        ("[a]\ncreate=nothing\nread=@\nupdate=@\ndelete=@", "policies", "no such policy rule"),
        ("no section", "roles", "cannot be read"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, text, kind, words):
    with pytest.raises(ConfigError, match=words):
        _load(tmp_path, text, kind)
