"""What `host join` and `up` do on a joined host."""

from __future__ import annotations

import time

import click

from clearsky.cli.progress import Progress
from clearsky.config import Config

REPORT_S = 60.0


def install(progress: Progress) -> None:
    """Install the Debian packages that are missing."""
    from clearsky.engines import prepare  # noqa: PLC0415

    missing = prepare.missing_packages()
    with progress.step(f"Debian packages: {' '.join(missing) if missing else 'all there'}"):
        if missing:
            prepare.install(missing)


def start(config: Config, progress: Progress) -> None:
    """Start this host's engines and its agent; returns when the control plane has its first report."""
    from clearsky.engines import keeper, prepare  # noqa: PLC0415

    kept = keeper.of(config)
    with progress.step(f"accounts, folders in {config.state}, the switch's database"):
        prepare.ensure_accounts(config)
        prepare.ensure_folders(config)
        prepare.ensure_databases(config)
        prepare.ensure_libvirt(config)
    with progress.step(f"engines: Open vSwitch, OVN controller, libvirt; agent; kept by {kept.title}"):
        try:
            kept.start()
        except RuntimeError as error:
            raise click.ClickException(str(error)) from error
    with progress.step(f"this host's first report to {config.hosts.control}"):
        end = time.monotonic() + REPORT_S
        while not config.report_file.exists():
            if time.monotonic() > end:
                raise click.ClickException(
                    f"the agent could not report; see {kept.place('agent')} and `clearsky status`"
                )
            time.sleep(0.1)
