"""`clearsky`: run the cloud, look into it. Imports what a command needs when it runs, so that --help is instant."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

COMMANDS = {
    "up": "Start the cloud: prepare what is missing, run it, make what a first user needs.",
    "down": "Stop the cloud.",
    "doctor": "Say what this machine lacks, why it matters, how to mend it.",
    "status": "Say what runs, and what is wrong.",
    "trace": "Tell the story of a resource or a request: steps, times, what is wanted and seen.",
    "path": "Follow a packet through the network: where it goes, or which object drops it.",
    "topology": "Show networks, routers and servers, and how they hang together: a tree or a drawing.",
    "logs": "Print the processes' logs.",
    "host": "Let further machines into the cloud, list them, take them out.",
    "identity": "Look after the keys of the Identity service.",
    "image": "Build guest images from Debian packages; bring images into the cloud.",
    "test": "Run the project's tests.",
}


class Lazy(click.Group):
    """A group whose commands live in modules of their own names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"clearsky.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    envvar="CLEARSKY_CONFIG",
    help="Settings file (default: /etc/clearsky/clearsky.toml where it exists).",
)
@click.pass_context
def main(ctx: click.Context, file: Path | None) -> None:
    """Clearsky: an OpenStack-compatible cloud that one can see through.

    Begin with `clearsky up` (as root), or `clearsky up --simulate`; then use the `openstack` command.

    \b
    sudo ./clearsky doctor            what this machine lacks
    sudo ./clearsky up                a cloud, and what to type next
    openstack --os-cloud clearsky server list
    sudo ./clearsky status            what runs, what is wrong
    sudo ./clearsky trace ID          what happened to a server, a port, a request
    sudo ./clearsky path web db --tcp 5432       why does it not connect?
    sudo ./clearsky down              stop; `up` starts again what ran

    Every command says more with --help. Settings are described in docs/settings.md.
    """
    from clearsky import config  # noqa: PLC0415

    try:
        ctx.obj = config.load(file)
    except config.ConfigError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main(prog_name="clearsky")
