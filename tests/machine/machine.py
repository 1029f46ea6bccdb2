"""A Debian 12 machine that has nothing yet, in namespaces of this one: its own root, processes, network, host name.

With systemd it is booted by it as PID 1; without, PID 1 is a shell that waits, as in a container. Its network is a
veth pair with masquerading, so it downloads what it needs as a machine behind this one would.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BOOT = Path(__file__).with_name("boot.sh")
PACKAGES = "ca-certificates,git,sudo"
SYSTEMD = ("systemd", "systemd-sysv", "dbus", "udev")
PASSED_ON = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TABLE = "clearsky_machine"


def base(cache: Path) -> Path:
    """Return a tar file with what `mmdebstrap --variant=minbase` makes, from this machine's own apt sources."""
    made = cache / "minbase.tar"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        sources = [str(path) for path in sorted(Path("/etc/apt/sources.list.d").glob("debian.*"))]
        sources += ["/etc/apt/sources.list"] if Path("/etc/apt/sources.list").exists() else []
        unfinished = made.with_name("minbase.new.tar")
        _do(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--include={PACKAGES}",
            "bookworm",
            unfinished,
            *sources,
        )
        unfinished.rename(made)
    return made


@dataclass
class Machine:
    folder: Path
    number: int
    systemd: bool
    process: subprocess.Popen[bytes] | None = None
    init: int = 0

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def device(self) -> str:
        return f"cstm{self.number}"

    def boot(self) -> None:
        """Switch it on; returns when its PID 1 has done so."""
        init = (
            "/sbin/init"
            if self.systemd
            else "/bin/bash -c 'trap exit TERM; while :; do sleep 3600 & wait; done'"
        )
        log = (self.folder / "console.log").open("ab")
        self.process = subprocess.Popen(
            [BOOT, self.root, f"machine{self.number}", init], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        log.close()
        self.init = _until(self._find_init, 20)
        self._connect()
        if self.systemd:
            _until(
                lambda: (
                    self.run("systemctl", "is-system-running", check=False).stdout.strip()
                    in {"running", "degraded"}
                ),
                60,
            )

    def _find_init(self) -> int:
        """Return the pid of the machine's PID 1, once it has its own root."""
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "console.log").read_text(errors="replace")[-2000:]
        with suppress(OSError, ValueError):
            (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if Path(f"/proc/{child}/root/booted").exists():
                return int(child)
        return 0

    def shut_down(self, timeout: float = 120) -> float:
        """Switch it off in order; returns how long that took."""
        assert self.process is not None
        started = time.monotonic()
        if self.systemd:
            # What SIGRTMIN+4 says to systemd: power off.
            os.kill(self.init, signal.SIGRTMIN + 4)
        else:
            os.kill(self.init, signal.SIGKILL)
        self.process.wait(timeout)
        self.process = None
        return time.monotonic() - started

    def _connect(self) -> None:
        outer, inner = f"10.213.{self.number}.1", f"10.213.{self.number}.2"
        subprocess.run(["ip", "link", "delete", self.device], check=False, capture_output=True)
        _do("ip", "link", "add", self.device, "type", "veth", "peer", "name", "eth0", "netns", str(self.init))
        _do("ip", "address", "add", f"{outer}/30", "dev", self.device)
        _do("ip", "link", "set", self.device, "up")
        enter = ("nsenter", f"--net=/proc/{self.init}/ns/net")
        # A namespace has it from this machine; a machine begins without.
        _do(*enter, "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
        for words in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{inner}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", outer),
        ):
            _do(*enter, "ip", *words)

    def run(
        self,
        *command: str | Path,
        check: bool = True,
        timeout: float = 600,
        user: str = "",
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the machine, as root in /root or as another user in their home."""
        passed = {
            name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("PIP_")
        }
        if Path(CERTIFICATES).exists():
            passed["SSL_CERT_FILE"] = CERTIFICATES
        variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
        }
        variables |= {"HOME": "/root", "TERM": "dumb"} | passed | environment
        words = [f"{name}={value}" for name, value in variables.items()]
        done = subprocess.run(
            [
                "nsenter",
                "--all",
                f"--target={self.init}",
                "env",
                "-i",
                "-C",
                "/root",
                *words,
                *map(str, command),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if check:
            assert done.returncode == 0, (
                f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}{done.stderr[-4000:]}"
            )
        return done

    def sh(self, script: str, *, check: bool = True, timeout: float = 600, **environment: str) -> str:
        return self.run("bash", "-c", script, check=check, timeout=timeout, **environment).stdout


@contextmanager
def machine(
    cache: Path, *, number: int, systemd: bool, checkout: str = "/root/clearsky"
) -> Iterator[Machine]:
    """Give a machine that is switched on, with a clone of this checkout and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="cst-machine", dir="/var/tmp"))
    made = Machine(folder, number, systemd)
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    before = forwarding.read_text()
    try:
        made.root.mkdir()
        _do("tar", "-C", made.root, "-xf", base(cache))
        _pass_on(made.root)
        _do("git", "clone", "-q", "--no-hardlinks", ROOT, f"{made.root}{checkout}")
        forwarding.write_text("1")
        rules = (
            f"table ip {TABLE}{number} {{ chain postrouting {{ type nat hook postrouting priority srcnat;"
            f' ip saddr 10.213.{number}.0/30 oifname != "{made.device}" masquerade; }}; }}'
        )
        _do("nft", rules)
        if systemd:
            made.systemd = False
            made.boot()
            made.sh(
                f"apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends {' '.join(SYSTEMD)}"
            )
            made.shut_down()
            made.systemd = True
        made.boot()
        yield made
    finally:
        if made.process is not None:
            with suppress(ProcessLookupError):
                os.kill(made.init or made.process.pid, signal.SIGKILL)
            made.process.wait()
        subprocess.run(["ip", "link", "delete", made.device], check=False, capture_output=True)
        subprocess.run(["nft", "delete", "table", "ip", f"{TABLE}{number}"], check=False, capture_output=True)
        forwarding.write_text(before)
        with suppress(OSError):
            Path(f"/sys/fs/cgroup/unified/machine{number}").rmdir()
        shutil.rmtree(folder, ignore_errors=True)


def _pass_on(root: Path) -> None:
    """Let it find packages as this machine does: name servers, authorities, pip's settings."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    for authority in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(authority, root / "usr/local/share/ca-certificates")
    _do("chroot", root, "update-ca-certificates")
    for file in Path("/etc/apt/apt.conf.d").glob("*proxy*"):
        shutil.copy(file, root / "etc/apt/apt.conf.d")
    if Path("/etc/pip.conf").exists():
        shutil.copy("/etc/pip.conf", root / "etc/pip.conf")


def _do(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}"


def _until(holds, seconds: float):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "the machine does not start"
        time.sleep(0.1)
    return found
