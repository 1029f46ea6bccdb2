from __future__ import annotations

from pathlib import Path

import pytest

from clearsky import config


def test_defaults_stand_where_nothing_is_said():
    assert config.parse({}) == config.Config()


def test_a_path_and_a_number_are_converted():
    settings = config.parse({"cloud": {"state_dir": "/x"}, "work": {"lease_s": 5}})
    assert settings.state == Path("/x")
    assert settings.work.lease_s == 5.0
    assert settings.database_url == "sqlite:////x/clearsky.db"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"cluod": {}}, "no section \\[cluod\\]"),
        ({"api": {"prot": 1}}, "no setting 'prot'"),
        ({"api": {"port": "eighty"}}, "expected int"),
        ({"api": {"port": True}}, "expected int"),
        ({"api": 3}, "no section"),
        ({"cloud": {"namespace": "Blue Room"}}, "namespace = 'Blue Room': at most 12"),
        ({"cloud": {"name": "a/b"}}, "name = 'a/b': letters"),
        ({"cloud": {"keeper": "cron"}}, "keeper = 'cron': auto, systemd, supervisor"),
        ({"api": {"host": "0.0.0.0"}}, "public_name must say"),
        ({"api": {"host": "::", "public_name": "::"}}, "nobody can connect"),
        ({"api": {"tls": "off"}}, "auto or always"),
        ({"api": {"certificate": "/a.pem"}}, "belong together"),
    ],
)
def test_what_is_not_understood_is_refused(data, words):
    with pytest.raises(config.ConfigError, match=words):
        config.parse(data)


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(config.ConfigError, match="does not exist"):
        config.load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("api", "endpoint", "address"),
    [
        ({}, "http://127.0.0.1:8800", ("127.0.0.1", 8800)),
        ({"host": "::1"}, "http://[::1]:8800", ("::1", 8800)),
        ({"host": "localhost", "tls": "always"}, "https://localhost:8800", ("localhost", 8800)),
        ({"host": "192.0.2.1", "port": 443}, "https://192.0.2.1:443", ("192.0.2.1", 443)),
        ({"host": "0.0.0.0", "public_name": "c.example"}, "https://c.example:8800", ("127.0.0.1", 8800)),
        ({"host": "::", "public_name": "2001:db8::1"}, "https://[2001:db8::1]:8800", ("::1", 8800)),
        ({"host": "cloud.example"}, "https://cloud.example:8800", ("cloud.example", 8800)),
    ],
)
def test_only_loopback_is_plain_http_and_clients_are_told_the_public_name(api, endpoint, address):
    settings = config.parse({"api": api})
    assert settings.endpoint == endpoint
    assert settings.api_address == address
