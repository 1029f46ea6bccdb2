"""`clearsky up`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from clearsky.config import Config


@contextmanager
def step(number: int, total: int, what: str) -> Iterator[None]:
    """Print one numbered step, and how long it took."""
    click.echo(f"[{number}/{total}] {what} ...", nl=False)
    started = time.perf_counter()
    try:
        yield
    except BaseException:
        click.echo(" failed")
        raise
    click.echo(f" {time.perf_counter() - started:.2f} s")


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


def _write(config: Config) -> None:
    """Keep the settings of a simulated cloud in its own file, for its processes and later commands."""
    assert config.file is not None
    cloud = config.cloud
    text = (
        "[cloud]\nsimulate = true\n"
        f'name = "{cloud.name}"\nstate_dir = "{cloud.state_dir}"\nrun_dir = "{cloud.run_dir}"\nclouds_file = "{cloud.clouds_file}"\n'
    )
    config.file.parent.mkdir(parents=True, exist_ok=True)
    if not config.file.exists():
        config.file.write_text(text, encoding="utf-8")


@click.command("up")
@click.option(
    "--simulate", is_flag=True, help="Fake engines: no root, no guests, no packets; for developing clients."
)
@click.pass_obj
def command(config: Config, simulate: bool) -> None:
    """Start the cloud. Running it again changes nothing."""
    from clearsky.cli import bootstrap, process  # noqa: PLC0415

    if not simulate and not config.cloud.simulate:
        raise click.ClickException("this version runs simulated clouds only: say `clearsky up --simulate`")
    config = simulated(config)
    started = time.perf_counter()
    total = 4
    with step(1, total, f"folders in {config.state}"):
        for folder in (config.state, config.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(config)
    with step(2, total, "database and first accounts"):
        bootstrap.prepare(config)
    with step(3, total, f"the cloud's process at {config.endpoint}"):
        if process.running(config, "api") is None:
            process.start(config, "api", "clearsky.api")
        bootstrap.wait_until_it_answers(config)
    with step(4, total, "image, flavors, networks, demo project"):
        bootstrap.first_resources(config)
    click.echo(
        f"\nUp in {time.perf_counter() - started:.1f} s. This cloud is SIMULATED: no guest runs, no packet flows."
    )
    click.echo("Try:")
    if config.cloud.clouds_file not in bootstrap.found_by_clients():
        click.echo(f"  export OS_CLIENT_CONFIG_FILE={config.cloud.clouds_file}")
    click.echo(f"  export OS_CLOUD={config.cloud.name}")
    click.echo("  openstack server create --image tiny --flavor m1.tiny --network demo --wait first")
    click.echo("  openstack server list")
