"""`clearsky up`."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearsky.cli import member
from clearsky.cli.progress import Progress
from clearsky.cli.which import root_only, simulated
from clearsky.config import Config, ConfigError

if TYPE_CHECKING:
    from clearsky.cli.client import Client
    from clearsky.engines.keeper import Keeper

HOST_S = 60.0


@click.command("up")
@click.option(
    "--simulate", is_flag=True, help="Fake engines: no root, no guests, no packets; for developing clients."
)
@click.option(
    "--fetch-only", is_flag=True, help="Only install, download and build what `up` needs; start nothing."
)
@click.pass_obj
def command(config: Config, simulate: bool, fetch_only: bool) -> None:
    """Start the cloud, and make what a first user needs. Running it again changes nothing; after an update of the
    program it replaces the APIs, the worker and the agent, while guests and networks go on.

    It looks at the machine (as `doctor` does), installs Debian packages that are missing, builds the image `tiny`, starts
    engines and APIs (as systemd's units where systemd runs the machine), and makes flavors, a provider network and the
    project `demo`. Entries for the `openstack` command go into clouds.yaml.

    \b
    sudo ./clearsky up                          the cloud of /etc/clearsky/clearsky.toml
    sudo ./clearsky --config blue.toml up       another one beside it
    ./clearsky up --simulate                    only the APIs, as any user
    sudo ./clearsky up --fetch-only             before the network goes away
    """
    if fetch_only:
        root_only(config)
        _fetch(config)
    elif config.joined:
        root_only(config)
        _joined(config)
    elif simulate or config.cloud.simulate:
        _simulated(simulated(config))
    else:
        root_only(config)
        _real(config)


def _write(config: Config) -> None:
    """Keep the settings of a simulated cloud in its own file, for its processes and later commands."""
    assert config.file is not None
    cloud = config.cloud
    text = (
        "[cloud]\nsimulate = true\n"
        f'name = "{cloud.name}"\nstate_dir = "{cloud.state_dir}"\nrun_dir = "{cloud.run_dir}"\nclouds_file = "{cloud.clouds_file}"\n'
    )
    config.file.parent.mkdir(parents=True, exist_ok=True)
    if not config.file.exists():
        config.file.write_text(text, encoding="utf-8")


def _simulated(config: Config) -> None:
    from clearsky.cli import bootstrap  # noqa: PLC0415
    from clearsky.engines import keeper  # noqa: PLC0415

    kept = keeper.of(config)
    progress = Progress(4)
    with progress.step(f"folders in {config.state}"):
        for folder in (config.state, config.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(config)
        _certificates(config)
    with progress.step("database and first accounts"):
        bootstrap.prepare(config)
    with progress.step(f"the cloud's process at {config.endpoint}"):
        kept.start()
        bootstrap.wait_until_it_answers(config, kept)
    with progress.step("image, flavors, networks, demo project"):
        admin = bootstrap.admin(config)
        bootstrap.image(admin, None)
        bootstrap.first_resources(config, admin)
    click.echo(
        f"\nUp in {progress.elapsed_s:.1f} s. This cloud is SIMULATED: no guest runs, no packet flows."
    )
    _next_lines(config)


def _fetch(config: Config) -> None:
    from clearsky.console import assets  # noqa: PLC0415

    progress = Progress(3)
    member.install(progress)
    with progress.step(f"files of noVNC in {config.cache}"):
        assets.ensure(config)
    with progress.step(f"image tiny in {config.cache}"):
        _build_tiny(config)


def _joined(config: Config) -> None:
    from clearsky.cli import doctor  # noqa: PLC0415

    progress = Progress(5)
    with progress.step("looking at this machine"):
        doctor.insist(config)
    member.install(progress)
    member.start(config, progress)
    click.echo(
        f"\nUp in {progress.elapsed_s:.1f} s: {config.host}, a host of the cloud at {config.hosts.control}."
    )


def _real(config: Config) -> None:
    from clearsky.cli import bootstrap, doctor  # noqa: PLC0415
    from clearsky.console import assets  # noqa: PLC0415
    from clearsky.engines import keeper, prepare  # noqa: PLC0415

    kept = keeper.of(config)
    progress = Progress(8)
    with progress.step("looking at this machine"):
        doctor.insist(config)
    member.install(progress)
    with ThreadPoolExecutor(1) as pool:
        with progress.step(f"accounts, folders in {config.state}, engines' databases"):
            prepare.ensure_accounts(config)
            prepare.ensure_folders(config)
            _certificates(config)
            prepare.ensure_databases(config)
            prepare.ensure_libvirt(config)
            building = None if _uploaded(config).exists() else pool.submit(_build_tiny, config)
        with progress.step("database and first accounts"):
            bootstrap.prepare(config)
            prepare.give_state(config)
            assets.ensure(config)
        with progress.step(f"engines: OVN, Open vSwitch, libvirt; api, worker, agent; kept by {kept.title}"):
            _start(kept)
            bootstrap.wait_until_it_answers(config, kept)
        with progress.step(f"this host, {config.host}"):
            admin = bootstrap.admin(config)
            _wait_for_host(config, admin, kept)
        with progress.step("flavors, networks, demo project"):
            bootstrap.first_resources(config, admin)
        with progress.step("image tiny"):
            _upload_tiny(config, admin, building)
    click.echo(f"\nUp in {progress.elapsed_s:.1f} s.")
    _next_lines(config)


def _start(kept: Keeper) -> None:
    try:
        kept.start()
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error


def _certificates(config: Config) -> None:
    if not config.tls and not config.serves_hosts:
        return
    from clearsky import certificates  # noqa: PLC0415
    from clearsky.hosts import registry  # noqa: PLC0415

    try:
        certificates.ensure(config)
        if config.serves_hosts:
            registry.ensure(config)
    except (ConfigError, registry.Refused) as error:
        raise click.ClickException(str(error)) from error


def _uploaded(config: Config) -> Path:
    """Return the file that says that the image was uploaded: who deletes the image does not get it again."""
    return config.state / "tiny-uploaded"


def _build_tiny(config: Config) -> Path:
    from clearsky.image.build import tiny  # noqa: PLC0415

    target = config.cache / f"{tiny.NAME}.qcow2"
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not target.exists():
        tiny.build(target, lambda _message: None)
    return target


def _upload_tiny(config: Config, admin: Client, building: Future[Path] | None) -> None:
    from clearsky.cli import bootstrap  # noqa: PLC0415
    from clearsky.image.build.packages import BuildError  # noqa: PLC0415

    if building is None:
        return
    try:
        built = building.result()
    except BuildError as error:
        raise click.ClickException(f"the image could not be built: {error}") from error
    bootstrap.image(admin, built)
    _uploaded(config).touch()


def _wait_for_host(config: Config, admin: Client, kept: Keeper) -> None:
    end = time.monotonic() + HOST_S
    while True:
        found, _ = admin.ask("GET", "/compute/v2.1/os-services")
        if any(one["state"] == "up" and one["host"] == config.host for one in found["services"]):
            return
        if time.monotonic() > end:
            raise click.ClickException(
                f"the agent of this host does not report; see {kept.place('agent')} and `clearsky status`"
            )
        time.sleep(0.05)


def _next_lines(config: Config) -> None:
    from clearsky.cli import bootstrap  # noqa: PLC0415

    click.echo("Try:")
    if config.cloud.clouds_file not in bootstrap.found_by_clients():
        click.echo(f"  export OS_CLIENT_CONFIG_FILE={config.cloud.clouds_file}")
    click.echo(f"  export OS_CLOUD={config.cloud.name}")
    click.echo("  openstack keypair create --private-key first.pem first")
    click.echo(
        "  openstack server create --image tiny --flavor m1.tiny --network demo --key-name first"
        " --security-group ssh-and-ping --wait first"
    )
    if not config.cloud.simulate:
        click.echo("  openstack floating ip create public")
        click.echo("  openstack server add floating ip first ADDRESS")
        click.echo("  chmod 600 first.pem; ssh -i first.pem clear@ADDRESS")
