"""`clearsky down`."""

from __future__ import annotations

import shutil

import click

from clearsky.config import Config

STOP_S = 90.0


@click.command("down")
@click.option("--purge", is_flag=True, help="Remove all data and everything the cloud made on this host.")
@click.pass_obj
def command(config: Config, purge: bool) -> None:
    """Stop the cloud and its servers. Its data stays, unless purged; `up` starts again what ran."""
    from clearsky.cli import bootstrap, process  # noqa: PLC0415
    from clearsky.cli.which import present, root_only  # noqa: PLC0415

    config = present(config)
    root_only(config)
    stopped = process.stop(config, "api") if config.cloud.simulate else _stop_real(config, purge=purge)
    click.echo("The cloud is down." if stopped else "The cloud was not running.")
    if purge:
        bootstrap.remove_clouds(config)
        for folder in (config.run, config.state):
            shutil.rmtree(folder, ignore_errors=True)
        click.echo(f"Removed {config.state} and its entries in {config.cloud.clouds_file}.")


def _stop_real(config: Config, *, purge: bool) -> bool:
    """End the supervisor, and so all it keeps; what a killed one has left is taken over first."""
    from clearsky.cli import process  # noqa: PLC0415
    from clearsky.cli.progress import Progress  # noqa: PLC0415
    from clearsky.engines import supervisor  # noqa: PLC0415

    if not config.run.exists():
        return False
    if purge:
        (config.run / supervisor.PURGE).touch()
    with Progress(1).step("ending servers, api, worker, agent, engines"):
        watched = process.stop(config, "supervisor", STOP_S)
        left = supervisor.of(config)
        found = bool(left.pids)
        if found or purge:
            left.stop()
    return watched or found
