from __future__ import annotations

import pytest

from clearsky.api.schema import Schema
from clearsky.errors import Invalid

SERVER = Schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "tags": {"type": "array", "since": (2, 52)},
            "adminPass": {"type": "string", "until": (2, 13)},
        },
        "required": ["name", "tags"],
        "additionalProperties": False,
    }
)


@pytest.mark.parametrize(
    ("body", "version", "fits"),
    [
        ({"name": "a"}, (2, 1), True),
        ({"name": "a", "tags": []}, (2, 1), False),
        ({"name": "a", "tags": []}, (2, 52), True),
        ({"name": "a"}, (2, 52), False),
        ({"name": "a", "adminPass": "x"}, (2, 13), True),
        ({"name": "a", "adminPass": "x", "tags": []}, (2, 60), False),
    ],
)
def test_properties_live_from_since_to_until(body, version, fits):
    assert (SERVER.problem(body, version) == "") is fits


def test_a_refusal_names_field_and_value():
    with pytest.raises(Invalid, match=r"field/attribute name\. Value: ''"):
        SERVER.check({"name": ""}, (2, 1))


def test_lifetimes_are_not_part_of_the_resolved_schema():
    assert "since" not in SERVER.resolve((2, 60))["properties"]["tags"]
