"""The language of access rules' paths."""

from __future__ import annotations

import time

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
        ("/v2/**/ips/**", "/v2/a/b/ips/", True),
        ("/v2/**/ips/**", "/v2/ips/", False),
        ("/v2/****x", "/v2/abcx", True),
        ("/v2/*a*", "/v2/xaay", True),
        ("/v2/*a*", "/v2/xa", False),
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


@pytest.mark.parametrize("part", ["a**", "*a", "{x}a"])
def test_a_hostile_pattern_takes_no_longer_than_the_path_is_long(part):
    rules = (AccessRule("compute", "GET", "/" + part * 50 + "b"),)
    begin = time.perf_counter()
    assert not allowed(rules, ("compute",), "GET", ("/" + "a" * 20_000,))
    assert time.perf_counter() - begin < 2
