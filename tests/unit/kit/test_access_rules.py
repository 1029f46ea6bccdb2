"""The language of access rules' paths."""

from __future__ import annotations

import pytest

from clearsky.api.access_rules import allowed
from clearsky.caller import AccessRule


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/v2.1/servers", "/v2.1/servers", True),
        ("/v2.1/servers", "/v2.1/servers/1", False),
        ("/v2.1/servers", "/v2x1/servers", False),
        ("/v2.1/servers/*", "/v2.1/servers/1", True),
        ("/v2.1/servers/*", "/v2.1/servers/1/ips", False),
        ("/v2.1/servers/*", "/v2.1/servers/", False),
        ("/v2.1/servers/*/ips", "/v2.1/servers/1/ips", True),
        ("/v2.1/**", "/v2.1/servers/1/ips", True),
        ("/v2.1/servers/{server_id}", "/v2.1/servers/1", True),
        ("/v2.1/servers/{server_id}", "/v2.1/servers/1/ips", False),
        ("/v2.1/{a}-{b}", "/v2.1/x-y", True),
        ("/v2.1/(.*)", "/v2.1/servers", False),
        ("/v2.1/{open", "/v2.1/{open", True),
        ("**", "/anything/at/all", True),
    ],
)
def test_a_path_fits_a_pattern_or_not(pattern, path, fits):
    rules = (AccessRule("compute", "GET", pattern),)
    assert allowed(rules, ("compute",), "GET", (path,)) is fits


def test_service_and_method_must_be_those_of_the_rule():
    rules = (AccessRule("compute", "GET", "**"),)
    assert not allowed(rules, ("network",), "GET", ("/x",))
    assert not allowed(rules, ("compute",), "HEAD", ("/x",))
    assert allowed((*rules, AccessRule("network", "HEAD", "/x")), ("network",), "HEAD", ("/y", "/x"))
