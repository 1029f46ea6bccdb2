"""JSON patches of images in both dialects: the rules that need no image service."""

from __future__ import annotations

from typing import ClassVar

import pytest

from clearsky.errors import Conflict, Forbidden, Invalid
from clearsky.image import patch

V1, V0 = patch.DRAFT_10, patch.DRAFT_4


class Allowing:
    def owner(self): ...

    def visibility(self, wanted): ...

    def custom(self, name, action): ...

    def location(self, rule): ...


class Refusing(Allowing):
    refused: ClassVar = ["custom a create"]

    def custom(self, name, action):
        if f"custom {name} {action}" in self.refused:
            raise Forbidden("no")


def _draft(**custom):
    columns = {"name": "n", "disk_format": "raw", "tags": [], "visibility": "private", "owner": "me"}
    return patch.Draft("queued", columns, custom)


def _apply(kind, body, draft=None, guard=None):
    draft = draft or _draft(a="1", b="2")
    patch.apply(patch.parse(kind, body), draft, guard or Allowing())
    return draft


def test_both_dialects_say_the_same():
    new = _apply(V1, [{"op": "replace", "path": "/a", "value": "x"}, {"op": "remove", "path": "/b"}])
    old = _apply(V0, [{"replace": "/a", "value": "x"}, {"remove": "/b"}])
    assert new.custom == old.custom == {"a": "x"}


def test_adding_what_is_there_overwrites_in_the_new_dialect_and_conflicts_in_the_old():
    assert _apply(V1, [{"op": "add", "path": "/a", "value": "x"}]).custom["a"] == "x"
    assert _apply(V1, [{"op": "add", "path": "/name", "value": "x"}]).columns["name"] == "x"
    for name in ("/a", "/name"):
        with pytest.raises(Conflict, match="already present"):
            _apply(V0, [{"add": name, "value": "x"}])


@pytest.mark.parametrize(
    ("pointer", "name"), [("/a~1b", "a/b"), ("/a~0b", "a~b"), ("/~01", "~1"), ("/ x ", "x")]
)
def test_names_are_escaped_as_in_json_pointers(pointer, name):
    assert _apply(V1, [{"op": "add", "path": pointer, "value": "v"}]).custom[name] == "v"


@pytest.mark.parametrize(
    ("operation", "error", "words"),
    [
        ({"op": "move", "path": "/a"}, Invalid, "must be one of"),
        ({"path": "/a"}, Invalid, "must be one of"),
        ({"op": "add", "value": "x"}, Invalid, "does not start"),
        ({"op": "add", "path": 7, "value": "x"}, Invalid, "does not start"),
        ({"op": "add", "path": "a", "value": "x"}, Invalid, "does not start"),
        ({"op": "add", "path": "/", "value": "x"}, Invalid, "empty part"),
        ({"op": "add", "path": "/a//b", "value": "x"}, Invalid, "empty part"),
        ({"op": "add", "path": "/a/", "value": "x"}, Invalid, "empty part"),
        ({"op": "add", "path": "/a~2", "value": "x"}, Invalid, "'~'"),
        ({"op": "add", "path": "/a~", "value": "x"}, Invalid, "'~'"),
        ({"op": "add", "path": "/tags/-", "value": "x"}, Invalid, "one attribute"),
        ({"op": "add", "path": "/" + "n" * 256, "value": "x"}, Invalid, "255"),
        ({"op": "add", "path": "/a"}, Invalid, "'value'"),
        ({"op": "add", "path": "/a", "value": None}, Invalid, "string"),
        ({"op": "add", "path": "/a", "value": 5}, Invalid, "string"),
        ({"op": "replace", "path": "/name", "value": 5}, Invalid, "name"),
        ({"op": "replace", "path": "/min_ram", "value": -1}, Invalid, "min_ram"),
        ({"op": "replace", "path": "/protected", "value": "yes"}, Invalid, "protected"),
        ({"op": "replace", "path": "/disk_format", "value": "tar"}, Invalid, "disk_format"),
        ({"op": "replace", "path": "/kernel_id", "value": "tar"}, Invalid, "kernel_id"),
        ({"op": "replace", "path": "/missing", "value": "x"}, Conflict, "does not exist"),
        ({"op": "remove", "path": "/missing"}, Conflict, "does not exist"),
        ({"op": "remove", "path": "/name"}, Forbidden, "may not be removed"),
        (
            {"op": "add", "path": "/locations/-", "value": {"url": "x", "metadata": {}}},
            Forbidden,
            "Locations",
        ),
        ({"op": "replace", "path": "/locations", "value": []}, Forbidden, "Locations"),
        ({"op": "remove", "path": "/locations/0"}, Forbidden, "Locations"),
        ({"op": "remove", "path": "/locations"}, Invalid, "one attribute"),
        *(
            ({"op": "replace", "path": f"/{name}", "value": "x"}, Forbidden, "read-only")
            for name in (
                "id",
                "status",
                "size",
                "checksum",
                "os_hash_value",
                "created_at",
                "self",
                "direct_url",
            )
        ),
        *(
            ({"op": "add", "path": f"/{name}", "value": "x"}, Forbidden, "reserved")
            for name in ("location", "deleted", "deleted_at", "os_glance_import_task")
        ),
    ],
)
def test_what_is_not_possible_is_refused_in_words(operation, error, words):
    with pytest.raises(error, match=words):
        _apply(V1, [operation])


@pytest.mark.parametrize("operation", [{}, {"add": "/a", "remove": "/b"}, {"op": "add", "path": "/a"}])
def test_the_old_dialect_has_exactly_one_operation(operation):
    with pytest.raises(Invalid, match="exactly one"):
        _apply(V0, [operation])


def test_formats_belong_to_queued_images():
    draft = _draft()
    draft.status = "active"
    with pytest.raises(Forbidden, match="queued"):
        _apply(V1, [{"op": "replace", "path": "/disk_format", "value": "raw"}], draft)


def test_a_property_that_one_may_not_see_is_not_there():
    draft = _draft(secret="1")
    draft.hidden = frozenset({"secret"})
    for operation in ("replace", "remove"):
        with pytest.raises(Conflict, match="does not exist"):
            _apply(V1, [{"op": operation, "path": "/secret", "value": "x"}], draft)
    with pytest.raises(Forbidden, match="protected"):
        _apply(V1, [{"op": "add", "path": "/secret", "value": "x"}], draft)
    assert draft.custom == {"secret": "1"}


def test_the_guard_is_asked_for_the_right_action():
    with pytest.raises(Forbidden):
        _apply(V1, [{"op": "add", "path": "/a", "value": "x"}], _draft(), Refusing())
    assert _apply(V1, [{"op": "add", "path": "/a", "value": "x"}], _draft(a="1"), Refusing()).custom == {
        "a": "x"
    }


def _locate(operation, *, status="active", locations=("file:///a", "file:///b")):
    draft = _draft()
    draft.status, draft.locations = status, list(locations)
    return _apply(V1, [operation], draft).locations


def _value(*urls):
    return [{"url": url, "metadata": {}} for url in urls]


def test_copies_are_taken_away_by_place_or_by_leaving_them_out():
    assert _locate({"op": "remove", "path": "/locations/0"}) == ["file:///b"]
    assert _locate({"op": "remove", "path": "/locations/-"}) == ["file:///a"]
    assert _locate({"op": "replace", "path": "/locations", "value": _value("file:///b")}) == ["file:///b"]


@pytest.mark.parametrize(
    ("operation", "more", "error", "words"),
    [
        ({"op": "remove", "path": "/locations/2"}, {}, Invalid, "2 locations"),
        ({"op": "remove", "path": "/locations/x"}, {}, Invalid, "2 locations"),
        ({"op": "remove", "path": "/locations/0"}, {"locations": ["file:///a"]}, Forbidden, "last"),
        ({"op": "remove", "path": "/locations/0"}, {"status": "queued"}, Conflict, "queued"),
        ({"op": "replace", "path": "/locations", "value": []}, {}, Forbidden, "empty"),
        ({"op": "replace", "path": "/locations", "value": "x"}, {}, Invalid, "locations"),
        ({"op": "replace", "path": "/locations", "value": _value("http://a")}, {}, Invalid, "http://a"),
        (
            {"op": "replace", "path": "/locations", "value": _value("file:///a", "file:///a")},
            {},
            Invalid,
            "twice",
        ),
        (
            {"op": "replace", "path": "/locations", "value": _value("x")},
            {"status": "saving"},
            Conflict,
            "saving",
        ),
        ({"op": "add", "path": "/locations/-", "value": _value("http://a")[0]}, {}, Invalid, "elsewhere"),
        ({"op": "add", "path": "/locations/-", "value": {"url": 7}}, {}, Invalid, "locations"),
    ],
)
def test_data_never_comes_by_a_location(operation, more, error, words):
    with pytest.raises(error, match=words):
        _locate(operation, **more)
