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
    """Print the last log lines of PROCESSES (all of them by default)."""
    from clearsky.cli.which import present  # noqa: PLC0415

    folder = present(config).state / "logs"
    names = sorted(path.stem for path in folder.glob("*.log"))
    if unknown := [name for name in processes if name not in names]:
        raise click.ClickException(
            f"there is no log of {', '.join(unknown)}; there are: {', '.join(names) or 'none'}"
        )
    chosen = [str(folder / f"{name}.log") for name in processes or names]
    if not chosen:
        raise click.ClickException(f"there are no logs in {folder}: `clearsky up`")
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *chosen])
