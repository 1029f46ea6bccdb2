"""`clearsky identity`: the keys of the Identity service."""

from __future__ import annotations

import click

from clearsky.config import Config


@click.group("identity")
def command() -> None:
    """Look after the keys of the Identity service."""


@command.command("rotate-keys")
@click.option(
    "--tokens/--no-tokens",
    default=True,
    help="The keys that seal tokens. Nobody is logged out.",
    show_default=True,
)
@click.option(
    "--credentials/--no-credentials",
    default=True,
    help="The keys that encrypt stored credentials; all of these are encrypted anew.",
    show_default=True,
)
@click.pass_obj
def rotate_keys(config: Config, tokens: bool, credentials: bool) -> None:
    """Take new keys into use now. The worker does it by itself, as often as the settings say."""
    from clearsky import app  # noqa: PLC0415
    from clearsky.cli.which import present  # noqa: PLC0415
    from clearsky.identity import reconcile  # noqa: PLC0415

    house = app.open_house(present(config))
    try:
        if tokens:
            reconcile.rotate_token_keys(house)
            click.echo("Tokens are sealed by a new key; those that live stay good.")
        if credentials:
            reconcile.rotate_credential_keys(house)
            click.echo("Stored credentials are encrypted by a new key.")
    finally:
        house.close()
