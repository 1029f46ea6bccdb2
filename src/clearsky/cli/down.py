"""`clearsky down`."""

from __future__ import annotations

import shutil

import click

from clearsky.config import Config


@click.command("down")
@click.option("--purge", is_flag=True, help="Remove all data and everything the cloud made on this host.")
@click.pass_obj
def command(config: Config, purge: bool) -> None:
    """Stop the cloud and its servers. Its data stays, unless purged; `up` starts again what ran.

    Servers get the power button and 20 seconds. A boot of the machine does not start the cloud until the next `up`.

    \b
    sudo ./clearsky down                  until the next `up`
    sudo ./clearsky down --purge          for good: servers, images, networks, accounts of the cloud
    """
    from clearsky.cli import bootstrap  # noqa: PLC0415
    from clearsky.cli.progress import Progress  # noqa: PLC0415
    from clearsky.cli.which import present, root_only  # noqa: PLC0415
    from clearsky.engines import keeper  # noqa: PLC0415

    config = present(config)
    root_only(config)
    with Progress(1).step(
        "ending the cloud's process"
        if config.cloud.simulate
        else "ending servers, api, worker, agent, engines"
    ):
        stopped = keeper.of(config).stop(purge=purge)
    click.echo("The cloud is down." if stopped else "The cloud was not running.")
    if purge:
        bootstrap.remove_clouds(config)
        for folder in (config.run, config.state):
            shutil.rmtree(folder, ignore_errors=True)
        click.echo(f"Removed {config.state} and its entries in {config.cloud.clouds_file}.")
