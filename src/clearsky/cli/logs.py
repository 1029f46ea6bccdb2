"""`clearsky logs`."""

from __future__ import annotations

import os

import click

from clearsky.config import Config


@click.command("logs")
@click.argument("processes", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines.")
@click.pass_obj
def command(config: Config, processes: tuple[str, ...], follow: bool, lines: int) -> None:
    """Print the last log lines of PROCESSES (all of them by default).

    From the journal where systemd keeps the processes, else from files in the state directory's `logs/`. Lines of
    api, worker and agent are JSON; `request_id` is what clients see as x-openstack-request-id.

    \b
    sudo ./clearsky logs -f api worker agent
    sudo ./clearsky logs -n 1000 api | grep req-6d2b...
    """
    from clearsky.cli.which import present  # noqa: PLC0415
    from clearsky.engines import keeper  # noqa: PLC0415

    config = present(config)
    kept = keeper.of(config)
    names = kept.names()
    if not names:
        raise click.ClickException(f"there are no logs in {config.state / 'logs'}: `clearsky up`")
    if unknown := [name for name in processes if name not in names]:
        raise click.ClickException(f"there is no log of {', '.join(unknown)}; there are: {', '.join(names)}")
    argv = kept.log_command(processes, lines, follow=follow)
    os.execvp(argv[0], argv)
