"""`clearsky down`."""

from __future__ import annotations

import shutil

import click

from clearsky.config import Config


@click.command("down")
@click.option("--purge", is_flag=True, help="Remove everything the cloud has made, its data too.")
@click.pass_obj
def command(config: Config, purge: bool) -> None:
    """Stop the cloud; its data stays, unless purged."""
    from clearsky.cli import bootstrap, process  # noqa: PLC0415
    from clearsky.cli.up import simulated  # noqa: PLC0415

    config = simulated(config)
    stopped = process.stop(config, "api")
    click.echo("The cloud is down." if stopped else "The cloud was not running.")
    if purge:
        bootstrap.remove_clouds(config)
        for folder in (config.run, config.state):
            shutil.rmtree(folder, ignore_errors=True)
        click.echo(f"Removed {config.state} and its entries in {config.cloud.clouds_file}.")
