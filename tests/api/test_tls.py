"""The APIs over TLS, as a process of their own and with the real clients."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import websockets
import yaml

from clearsky import certificates, config

pytestmark = pytest.mark.timeout(120)
NAME = "127.0.0.43"
SETTINGS = """
[cloud]
simulate = true
name = "tls"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
clouds_file = "{folder}/clouds.yaml"
[api]
host = "0.0.0.0"
public_name = "{name}"
port = {port}
[identity]
argon2_time_cost = 1
"""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "clearsky.toml"
    file.write_text(SETTINGS.format(folder=folder, name=NAME, port=_free_port()))
    command = [sys.executable, "-m", "clearsky.cli.main", "--config", str(file)]
    subprocess.run([*command, "up"], check=True, capture_output=True, timeout=60)
    yield config.load(file)
    subprocess.run([*command, "down", "--purge"], check=True, capture_output=True, timeout=60)
    assert not (folder / "state").exists()


def openstack(cloud: config.Config, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("openstack"), *words],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OS_CLIENT_CONFIG_FILE": str(cloud.cloud.clouds_file), "OS_CLOUD": "tls"},
    )


def shown_certificate(cloud: config.Config) -> str:
    return ssl.get_server_certificate(
        (NAME, cloud.api.port), ca_certs=str(certificates.authority_file(cloud))
    )


def test_the_openstack_client_needs_nothing_but_clouds_yaml(cloud):
    listed = openstack(cloud, "image", "list", "-f", "value", "-c", "Name")
    assert (listed.stdout, listed.returncode) == ("tiny\n", 0), listed.stderr
    catalog = openstack(cloud, "catalog", "list", "-f", "yaml")
    urls = [one["url"] for service in yaml.safe_load(catalog.stdout) for one in service["Endpoints"]]
    assert urls
    assert all(url.startswith(f"https://{NAME}:{cloud.api.port}/") for url in urls)


def test_a_client_that_does_not_know_the_authority_is_not_served(cloud):
    clouds = yaml.safe_load(cloud.cloud.clouds_file.read_text())
    for entry in clouds["clouds"].values():
        del entry["cacert"]
    other = cloud.cloud.clouds_file.with_name("without.yaml")
    other.write_text(yaml.safe_dump(clouds))
    refused = subprocess.run(
        [Path(sys.executable).with_name("openstack"), "token", "issue"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OS_CLIENT_CONFIG_FILE": str(other), "OS_CLOUD": "tls"},
    )
    assert refused.returncode != 0
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr


def test_nothing_is_said_without_tls(cloud):
    with socket.create_connection((NAME, cloud.api.port), timeout=10) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        try:
            while part := plain.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
    assert b"HTTP/1.1" not in answer


def test_the_consoles_websocket_is_there_over_tls(cloud):
    trusted = ssl.create_default_context(cafile=str(certificates.authority_file(cloud)))

    async def knock() -> int:
        url = f"wss://{NAME}:{cloud.api.port}/console/socket?token=wrong"
        try:
            async with websockets.connect(url, ssl=trusted, proxy=None) as line:
                await line.recv()
        except websockets.exceptions.InvalidStatus as refused:
            return refused.response.status_code
        return 0

    assert asyncio.run(knock()) == 403


def test_a_renewed_certificate_is_shown_without_a_restart(cloud):
    before = shown_certificate(cloud)
    (certificates.folder(cloud) / "api.key").unlink()
    assert certificates.ensure(cloud)
    wanted = (certificates.folder(cloud) / "api.pem").read_text()
    end = time.monotonic() + 20
    while (now := shown_certificate(cloud)) == before:
        assert time.monotonic() < end, "the old certificate is still shown"
        time.sleep(0.5)
    assert now.strip() == wanted.strip()
