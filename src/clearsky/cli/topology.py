"""`clearsky topology`: the networks of the cloud, or of one project, as a tree or a drawing."""

from __future__ import annotations

import json

import click

from clearsky.config import Config
from clearsky.house import House


@click.command("topology")
@click.option("--project", metavar="P", help="Only what this project sees (id or name). Default: everything.")
@click.option(
    "--format", "form", type=click.Choice(["text", "svg", "json"]), default="text", show_default=True
)
@click.pass_obj
def command(config: Config, project: str | None, form: str) -> None:
    """Show networks, subnets, routers, servers, ports and floating IPs, and how they hang together.

    \b
    sudo ./clearsky topology
    sudo ./clearsky topology --project demo --format svg > demo.svg     open it in a browser
    sudo ./clearsky topology --format json | jq '.topology.networks[].name'

    From outside inward: an external network, the routers at it, the networks behind them, who is on each.

    Tenants ask the Network API: GET /v2.0/clearsky/topology?format=svg (docs/guide/seeing-the-network.md).
    """
    from clearsky import app  # noqa: PLC0415
    from clearsky.cli.which import present  # noqa: PLC0415
    from clearsky.compute import service as _compute  # noqa: F401, PLC0415 - tells the network of servers
    from clearsky.network.drawing import picture, svg, text  # noqa: PLC0415

    house = app.open_house(present(config))
    try:
        scope = _project(house, project) if project else None
        with house.db.read() as c:
            found = picture.load(c, scope)
    finally:
        house.close()
    if form == "svg":
        click.echo(svg.draw(found, f"Networks of {project or config.cloud.name}"), nl=False)
    elif form == "json":
        click.echo(json.dumps({"topology": found.as_json()}))
    else:
        click.echo(text.draw(found))


def _project(house: House, word: str) -> str:
    """Return a project's id; raises ClickException for a word that none or several have."""
    from sqlalchemy import or_, select  # noqa: PLC0415

    from clearsky.identity.tables import projects  # noqa: PLC0415

    p = projects.c
    query = select(p.id).where(or_(p.id == word, p.name == word), p.is_domain.is_(False))
    with house.db.read() as c:
        found = [str(id) for id in c.execute(query).scalars()]
    if word in found:
        return word
    if len(found) != 1:
        several = f"several projects have this name: {', '.join(found)}"
        raise click.ClickException(f"--project {word}: {several if found else 'there is no such project'}")
    return found[0]
