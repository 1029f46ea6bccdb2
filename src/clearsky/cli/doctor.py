"""`clearsky doctor`: what is missing on this machine, why it matters, how to mend it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from clearsky.cli.checks import ALL, Finding
from clearsky.config import Config


def examine(config: Config) -> list[Finding]:
    return [finding for check in ALL for finding in check(config)]


def insist(config: Config) -> None:
    """Raise ClickException with everything that keeps the cloud from running here."""
    wrong = [finding for finding in examine(config) if finding.state == "wrong"]
    if wrong:
        told = "\n".join(f"  {one.what}: {one.why}; {one.mend}" for one in wrong)
        raise click.ClickException(f"this machine cannot run the cloud yet:\n{told}")


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def command(config: Config, as_json: bool) -> None:
    """Say what this machine lacks, why it matters and how to mend it.

    It changes nothing. `ok` is as it should be, `note` works with less, `wrong` keeps `clearsky up` from working;
    the exit status is 1 where something is wrong.

    \b
    sudo ./clearsky doctor
    sudo ./clearsky --config blue.toml doctor       may this cloud stand here, beside the others?
    ./clearsky doctor --json | jq '.[] | select(.state == "wrong")'
    """
    found = examine(config)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            click.echo(f"{one.state:5}  {one.what}")
            for name, text in (("why:  ", one.why), ("mend: ", one.mend)):
                if text and one.state != "ok":
                    click.echo(f"         {name}{text}")
    sys.exit(1 if any(one.state == "wrong" for one in found) else 0)
