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
    ],
)
def test_what_is_not_understood_is_refused(data, words):
    with pytest.raises(config.ConfigError, match=words):
        config.parse(data)


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(config.ConfigError, match="does not exist"):
        config.load(tmp_path / "none.toml")
