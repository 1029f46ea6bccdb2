"""`clearsky status`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from clearsky import __version__
from clearsky.config import Config

REPORT_S = 45.0
"""A joined host whose agent could not report for so long has lost its control plane."""


def gather(config: Config) -> dict[str, Any]:
    """Return what runs and what is wrong."""
    from clearsky import app  # noqa: PLC0415
    from clearsky.compute import scheduling, store  # noqa: PLC0415
    from clearsky.engines import build, definitions, keeper  # noqa: PLC0415
    from clearsky.network import drift  # noqa: PLC0415

    kept = keeper.of(config)
    pids = kept.processes()
    pid = pids.get("api")
    found: dict[str, Any] = {
        "version": __version__,
        "simulated": config.cloud.simulate,
        "endpoint": config.hosts.control or config.endpoint,
        "kept_by": kept.title,
        "processes": pids,
        "hosts": [],
        "wrong": [],
    }
    ours = {"supervisor", *(one.name for one in definitions.own(config, definitions.HOME))}
    found["wrong"] += [
        f"{name} runs an older state of the program: `clearsky up` replaces it"
        for name, one in pids.items()
        if one and name in ours and build.is_old(one)
    ]
    if any(pids.values()):
        found["wrong"] += [
            f"{name} does not run; see `clearsky logs {name}`" for name, one in pids.items() if not one
        ]
    else:
        found["wrong"].append("the cloud does not run: `clearsky up`")
    if config.joined:
        found["wrong"] += _line_to(config)
        return found
    if not (config.state / "clearsky.db").exists() and not config.database.url:
        found["wrong"].append(f"there is no database in {config.state}: `clearsky up`")
        return found
    house = app.open_house(config)
    with house.db.read() as c:
        for host in store.hosts(c):
            up = scheduling.is_up(host, time.time())
            found["hosts"].append(
                {"name": host.name, "up": up, "enabled": host.enabled, "version": host.version}
            )
            if not up and pid is not None:
                found["wrong"].append(
                    f"host {host.name} has not reported for {time.time() - host.seen_at:.0f} s"
                )
    engine = drift.state(house)
    found["network"] = asdict(engine)
    if pid is not None and engine.error:
        found["wrong"].append(f"the networks are not as wanted: {engine.error}; see `clearsky logs worker`")
    elif pid is not None and engine.late:
        found["wrong"].append("the networks have not been compared for minutes; see `clearsky logs worker`")
    house.close()
    return found


def _line_to(config: Config) -> list[str]:
    """Say what is wrong between a joined host and its control plane."""
    try:
        silent_s = time.time() - config.report_file.stat().st_mtime
    except FileNotFoundError:
        return [
            f"the control plane {config.hosts.control} has taken no report yet; see `clearsky logs agent`"
        ]
    if silent_s < REPORT_S:
        return []
    return [
        f"the control plane {config.hosts.control} has taken no report for {silent_s:.0f} s; see `clearsky logs agent`"
    ]


def _network(seen: dict[str, Any] | None) -> Iterator[str]:
    """Say when the networks were compared, and whether somebody had changed them behind our back."""
    if seen is None or seen["compared_at"] is None:
        return
    yield f"networks: compared {time.time() - seen['compared_at']:.0f} s ago"
    if seen["mended"]:
        moment = datetime.fromtimestamp(seen["mended_at"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        yield f"networks: {seen['mended']} rows that somebody else had changed were mended, the last {moment}:"
        yield from (f"  {change}" for change in seen["last"])


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def command(config: Config, as_json: bool) -> None:
    """Say what runs, and what is wrong. The exit status is 1 where something is.

    \b
    sudo ./clearsky status
    sudo ./clearsky status --json | jq -r '.wrong[]'
    """
    from clearsky.cli.which import present  # noqa: PLC0415

    found = gather(present(config))
    if as_json:
        click.echo(json.dumps(found))
    else:
        kind = "SIMULATED cloud" if found["simulated"] else "cloud"
        click.echo(f"Clearsky {found['version']}, {kind} at {found['endpoint']}, kept by {found['kept_by']}")
        for name, pid in found["processes"].items():
            click.echo(f"  {name:15} {'pid ' + str(pid) if pid else 'not running'}")
        for host in found["hosts"]:
            click.echo(
                f"  host {host['name']}: {'up' if host['up'] else 'DOWN'}{'' if host['enabled'] else ', disabled'}"
            )
        for line in _network(found.get("network")):
            click.echo(f"  {line}")
        for wrong in found["wrong"]:
            click.echo(f"  wrong: {wrong}")
    sys.exit(1 if found["wrong"] else 0)
