"""`clearsky trace`: the story of a resource or a request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from clearsky.config import Config
from clearsky.terminal import plain


@click.command("trace")
@click.argument("what", metavar="ID")
@click.pass_obj
def command(config: Config, what: str) -> None:
    """Print the steps that were taken for a server, a port or a request (req-...), and what is wanted and seen.

    \b
    sudo ./clearsky trace $(openstack server show first -f value -c id)
    sudo ./clearsky trace req-6d2b0a5e-...       as in a response's x-openstack-request-id
    sudo ./clearsky trace network                what was done to the network engine, and what was mended there
    """
    from clearsky import app  # noqa: PLC0415
    from clearsky.cli.which import present  # noqa: PLC0415
    from clearsky.compute import service as compute  # noqa: PLC0415
    from clearsky.engines import holdings  # noqa: PLC0415
    from clearsky.network import service as network  # noqa: PLC0415
    from clearsky.work import journal  # noqa: PLC0415

    config = present(config)
    house = app.open_house(config)
    try:
        facts: list[tuple[str, dict[str, Any]]]
        if what == "network":
            steps, facts = journal.of(house.db, "all", kind="network"), [network.engine_facts(house)]
        else:
            steps = journal.of(house.db, what)
            facts = [*compute.trace_facts(house, what), *network.trace_facts(house, what)]
        if facts and what != "network" and not config.cloud.simulate:
            ports = [port.id for port in network.ports_of_server(house, what)]
            facts += holdings.of_server(config, what) if facts[0][0].startswith("server") else []
            facts += holdings.of_ports(config, ports or [what])
        if not steps and not facts:
            raise click.ClickException(
                f"nothing is known of {what}: give the id of a server or a port, a request id, or `network`"
            )
        for title, values in facts:
            click.echo(plain(title))
            for name, value in values.items():
                click.echo(f"  {name:16} {plain(str(value))}")
        if steps:
            click.echo("steps")
        for one in steps:
            moment = datetime.fromtimestamp(one.started_at, UTC).strftime("%H:%M:%S.%f")[:-3]
            told = f"  {moment} {one.duration_s * 1000:9.1f} ms  {one.outcome:6} {one.step}"
            click.echo(
                " ".join(
                    part for part in (told, f"({one.host})" if one.host else "", plain(one.detail)) if part
                )
            )
    finally:
        house.close()
