"""Which cloud a command is about."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from clearsky import config as settings
from clearsky.config import Config


def simulated(config: Config) -> Config:
    """Return the settings of a simulated cloud: in the user's own folders, unless a file says where."""
    if config.file is not None:
        if not config.cloud.simulate:
            raise click.ClickException(
                f"{config.file} describes a real cloud; a simulated one has `simulate = true` in [cloud]"
            )
        return config
    home = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state")) / "clearsky-simulated"
    clouds = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "openstack" / "clouds.yaml"
    cloud = replace(config.cloud, state_dir=home, run_dir=home / "run", clouds_file=clouds, simulate=True)
    return replace(config, cloud=cloud, file=home / "clearsky.toml")


def present(config: Config) -> Config:
    """Return the cloud that is there: the one of the settings file, else the real one, else the simulated one."""
    if config.file is not None or config.state.exists():
        return config
    own = simulated(config).file
    return settings.load(own) if own is not None and own.exists() else config


def root_only(config: Config) -> None:
    """Refuse what needs root to anybody else."""
    if os.geteuid() != 0 and not config.cloud.simulate:
        raise click.ClickException(
            "a real cloud needs root: `sudo ./clearsky ...`; `./clearsky up --simulate` does not"
        )
