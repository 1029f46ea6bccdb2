"""systemd's units of a cloud, as text: pure, but for what looks at those that are there.

A target wants everything. No unit requires another: one that fails or is restarted takes nobody along. What starts
guests leaves them alone when it is stopped (KillMode=process); NAME-guests is what switches them off, when the
machine goes down.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from clearsky.config import FILE_VARIABLE, Config
from clearsky.engines.definitions import HOME, Process

FOLDER = Path("/etc/systemd/system")
HEAD = "# Written by `clearsky up`, which writes it again; put changes into {name}.d/*.conf.\n"
MARK = "# It belongs to the cloud {cloud}.\n"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
STOP_SERVERS_S = 60
CONFINED = """\
NoNewPrivileges=yes
CapabilityBoundingSet={capabilities}
AmbientCapabilities={capabilities}
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome={home}
PrivateTmp={tmp}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0027
"""
PLAIN = re.compile(r"[A-Za-z0-9_=:.,/@{}-]+")
HOMES = (Path("/home"), Path("/root"))
TMPS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - recognised, not used


def prefix(config: Config) -> str:
    """Return the start of the names of a cloud's units."""
    return "clearsky" if config.cloud.name == "clearsky" else f"clearsky-{config.cloud.name}"


def target(config: Config) -> str:
    return f"{prefix(config)}.target"


def service(config: Config, name: str) -> str:
    return f"{prefix(config)}-{name}.service"


def installed(config: Config) -> bool:
    return (FOLDER / target(config)).exists()


def render(config: Config, processes: Iterable[Process]) -> dict[str, str]:
    """Return every unit of a cloud: file name -> text."""
    processes = list(processes)
    names = [service(config, one.name) for one in processes]
    found = {
        service(config, "prepare"): _prepare(config),
        service(config, "guests"): _guests(config),
    }
    found |= {service(config, one.name): _process(config, one) for one in processes}
    wanted = [service(config, "guests"), *names]
    if config.tls or config.serves_hosts:
        timer = f"{prefix(config)}-renew.timer"
        found[service(config, "renew")] = _renew(config)
        found[timer] = _section(
            "Unit",
            f"Description=Clearsky: when the API's certificate is looked at\nPartOf={target(config)}\n",
        ) + _section("Timer", "OnActiveSec=1h\nOnUnitActiveSec=12h\nRandomizedDelaySec=1h\n")
        wanted.append(timer)
    found[target(config)] = _section(
        "Unit",
        f"Description=Clearsky cloud {config.cloud.name}\nDocumentation=file:{HOME / 'README.md'}\n"
        f"Wants={' '.join(wanted)}\nAfter={' '.join(wanted)}\n",
    ) + _section("Install", "WantedBy=multi-user.target\n")
    mark = MARK.format(cloud=config.cloud.name)
    return {name: HEAD.format(name=name) + mark + text for name, text in sorted(found.items())}


def on_the_machine(config: Config) -> set[str]:
    """Return the names of the cloud's units that are there, whichever version of the program wrote them."""
    mark = MARK.format(cloud=config.cloud.name)
    return {
        path.name
        for path in FOLDER.glob(f"{prefix(config)}[-.]*")
        if path.is_file() and mark in path.read_text(encoding="utf-8")
    }


def _process(config: Config, process: Process) -> str:
    after = ["network.target", service(config, "prepare")]
    wants = [service(config, "prepare")]
    if process.name == "api":
        # The address that it listens on must be there.
        after.append("network-online.target")
        wants.append("network-online.target")
    after += [service(config, name) for name in process.after]
    if process.name == "agent":
        after.append(service(config, "guests"))
    unit = (
        f"Description=Clearsky: {process.title or process.name}\nPartOf={target(config)}\n"
        f"Wants={' '.join(wants)}\nAfter={' '.join(after)}\n"
        "StartLimitIntervalSec=0\n"
    )
    body = "Type=exec\n"
    body += _environment({"PATH": PATH, "PYTHONUNBUFFERED": "1"} | process.environment)
    body += f"ExecStart={_command(process.argv)}\n"
    if process.gentle_end:
        body += f"ExecStop={_command(process.gentle_end).replace('{pid}', '$MAINPID')}\n"
    if process.ready or process.then:
        body += f"ExecStartPost=+{_command(_step(config, 'ready', process.name))}\n"
    body += f"SyslogIdentifier={service(config, process.name).removesuffix('.service')}\n"
    body += "Restart=always\nRestartSec=0.5\nTimeoutStartSec=60\nTimeoutStopSec=20\nLimitNOFILE=65536\nTasksMax=infinity\n"
    if process.leaves_children:
        body += "KillMode=process\nDelegate=yes\nOOMPolicy=continue\n"
    if process.user:
        body += f"User={process.user}\nGroup={process.user}\n"
    if process.confined:
        body += _confined(config, " ".join(f"CAP_{name}" for name in process.capabilities))
    return _section("Unit", unit) + _section("Service", body)


def _confined(config: Config, capabilities: str) -> str:
    used = (HOME, config.state, config.run, config.cache)

    def uses(folders: tuple[Path, ...]) -> bool:
        return any(path.is_relative_to(folder) for path in used for folder in folders)

    return CONFINED.format(
        capabilities=capabilities,
        writable=f"{_quoted(str(config.state))} {_quoted(str(config.run))}",
        home="read-only" if uses(HOMES) else "yes",
        tmp="no" if uses(TMPS) else "yes",
    )


def _prepare(config: Config) -> str:
    unit = (
        f"Description=Clearsky: folders, accounts, databases, network namespace\nPartOf={target(config)}\n"
        "After=local-fs.target nftables.service\n"
    )
    body = f"Type=oneshot\nRemainAfterExit=yes\n{_environment(_settings(config) | {'PATH': PATH})}"
    body += f"ExecStart={_command(_step(config, 'prepare'))}\nTimeoutStartSec=120\n"
    return _section("Unit", unit) + _section("Service", body)


def _guests(config: Config) -> str:
    """Return the unit whose end switches the servers off: not part of the target, which may be restarted."""
    others = [service(config, name) for name in ("libvirtd", "ovs-vswitchd", "ovn-controller", "virtlogd")]
    unit = (
        f"Description=Clearsky: servers, switched off when the machine goes down\nAfter={' '.join(others)}\n"
    )
    body = f"Type=oneshot\nRemainAfterExit=yes\n{_environment(_settings(config) | {'PATH': PATH})}"
    body += f"ExecStart=/bin/true\nExecStop={_command(_step(config, 'stop-servers'))}\nTimeoutStopSec={STOP_SERVERS_S}\n"
    return _section("Unit", unit) + _section("Service", body)


def _renew(config: Config) -> str:
    body = f"Type=oneshot\n{_environment(_settings(config) | {'PATH': PATH})}ExecStart={_command(_step(config, 'renew'))}\n"
    return _section("Unit", "Description=Clearsky: renew the API's certificate\n") + _section("Service", body)


def _settings(config: Config) -> dict[str, str]:
    return {FILE_VARIABLE: str(config.file)} if config.file else {}


def _step(config: Config, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "clearsky.engines.steps", *words)


def _environment(values: dict[str, str]) -> str:
    return "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in values.items())


def _command(words: Iterable[str]) -> str:
    """Return an argument list as systemd reads it; the first word has to be a path."""
    first, *rest = words
    quoted = (_quoted(word).replace("$", "$$") for word in (first if "/" in first else _found(first), *rest))
    return " ".join(quoted)


def _found(program: str) -> str:
    for folder in PATH.split(":"):
        if (Path(folder) / program).exists():
            return f"{folder}/{program}"
    return f"/usr/bin/{program}"


def _quoted(text: str) -> str:
    escaped = text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return escaped if PLAIN.fullmatch(text) else f'"{escaped}"'


def _section(name: str, body: str) -> str:
    return f"[{name}]\n{body}\n"
