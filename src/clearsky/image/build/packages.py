"""Debian packages, fetched and unpacked through the package sources that this machine already trusts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

MIRROR, SECURITY_MIRROR = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
SOURCE_FORMAT = "$(CREATED_BY)|$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"


class BuildError(Exception):
    """An image could not be built; says which program failed and what it printed."""


def run(*arguments: str | Path, stdin: bytes | None = None, cwd: Path | None = None) -> bytes:
    """Run a program and return what it printed; raises BuildError with the end of its errors."""
    words = [str(word) for word in arguments]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, check=False, cwd=cwd)
    except FileNotFoundError as error:
        raise BuildError(f"the program {words[0]} is missing: run `clearsky doctor`") from error
    if done.returncode != 0:
        told = (done.stderr or done.stdout).decode(errors="replace").strip()[-800:]
        raise BuildError(f"{' '.join(words[:4])} ... failed with status {done.returncode}: {told}")
    return done.stdout


def sources(suite: str) -> str:
    """Return sources.list lines for a Debian suite: this machine's mirrors where it has some for the suite."""
    lines = []
    for line in run("apt-get", "indextargets", "--format", SOURCE_FORMAT).decode().splitlines():
        kind, origin, codename, uri, release, component = line.split("|")
        if kind == "Packages" and origin == "Debian" and codename.split("-")[0] == suite:
            lines.append(f"deb {uri} {release} {component}")
    if lines:
        return "\n".join(dict.fromkeys(lines)) + "\n"
    return (
        f"deb {MIRROR} {suite} main\ndeb {MIRROR} {suite}-updates main\n"
        f"deb {SECURITY_MIRROR} {suite}-security main\n"
    )


def bootstrap(
    suite: str,
    target: Path,
    packages: Iterable[str],
    variant: str,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill `target` with packages and what they depend on; variant as of mmdebstrap (`extract`: only unpacked).

    `progress` is called with each stage that mmdebstrap begins. Raises BuildError with the end of what it printed.
    """
    words = ["mmdebstrap", f"--variant={variant}", f"--include={','.join(packages)}", suite, str(target), "-"]
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError as error:
        raise BuildError("the program mmdebstrap is missing: run `clearsky doctor`") from error
    assert process.stdin is not None
    assert process.stderr is not None
    with process:
        process.stdin.write(sources(suite))
        process.stdin.close()
        told: list[str] = []
        for line in process.stderr:
            told.append(line.rstrip())
            if line.startswith("I: ") and line.rstrip().endswith("..."):
                progress(line[3:].strip().removesuffix("..."))
    if process.returncode != 0:
        raise BuildError(
            f"mmdebstrap of {suite} failed with status {process.returncode}: {' '.join(told[-8:])}"
        )
