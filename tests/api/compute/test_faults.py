"""Every outside call of the server's reconciler fails in turn, before and after its effect, by exception and by the
death of the process: afterwards the cloud is as if nothing had happened."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from sqlalchemy import func, select, update

from clearsky import app, simulation
from clearsky.compute import service as compute
from clearsky.compute import store as compute_store
from clearsky.errors import Unavailable
from clearsky.image import service as image
from clearsky.network import service as network
from clearsky.network import tables as nt
from clearsky.placement import service as placement
from clearsky.placement import tables as pt
from clearsky.work import queue
from clearsky.work.tables import work
from clearsky.work.worker import run_leased


class Death(BaseException):
    """The process is gone: nobody catches this."""


CALLS = [
    (placement, "candidates"),
    (placement, "claim"),
    (placement, "release"),
    (network, "ensure_server_port"),
    (network, "ports_of_server"),
    (network, "release_server_ports"),
    (compute_store, "change"),
    (compute, "host_has_let_go"),
]


@pytest.fixture
def server(cloud):
    image = cloud.admin.post(
        "/image/v2/images", json={"disk_format": "raw", "container_format": "bare", "visibility": "public"}
    ).json()["id"]
    raw = {"Content-Type": "application/octet-stream"}
    cloud.admin.put(f"/image/v2/images/{image}/file", content=b"\0" * 512, headers=raw)
    flavor = cloud.admin.post(
        "/compute/v2.1/flavors", json={"flavor": {"name": "f", "ram": 64, "vcpus": 1, "disk": 1}}
    ).json()["flavor"]["id"]
    net = cloud.member.post("/network/v2.0/networks", json={"network": {}}).json()["network"]["id"]
    cloud.member.post(
        "/network/v2.0/subnets", json={"subnet": {"network_id": net, "cidr": "10.0.0.0/24", "ip_version": 4}}
    )
    cloud.settle()

    def create():
        body = {"name": "s", "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": net}]}
        return cloud.member.post("/compute/v2.1/servers", json={"server": body}).json()["server"]["id"]

    return create


def _run(cloud):
    """Run the server's reconciler until it is not killed: as workers do after a dead one's lease has lapsed."""
    kinds = app.reconcilers()
    for _ in range(60):
        with cloud.house.db.write() as c:
            c.execute(update(work).where(work.c.kind == "server").values(due_at=time.time(), leased_until=0))
            lease = queue.lease(c, ["server"], 60.0)
        if lease is None:
            return
        try:
            run_leased(cloud.house, kinds["server"], lease)
        except Death:
            continue
        return


def _drive(cloud, done):
    for _ in range(25):
        _run(cloud)
        with cloud.house.db.write() as c:
            c.execute(update(work).values(due_at=time.time(), leased_until=0))
            lease = queue.lease(c, ["network"], 60.0)
        if lease is not None:
            run_leased(cloud.house, app.reconcilers()["network"], lease)
        simulation.step(cloud.house, cloud.agent)
        if done():
            return
    raise AssertionError("it never arrived")


def _fail_once(monkeypatch, module, name, kind, moment):
    real = getattr(module, name)
    left = [1]

    def call(*arguments, **options):
        if not left[0]:
            return real(*arguments, **options)
        if moment == "before":
            left[0] = 0
            raise kind("planted")
        real(*arguments, **options)
        left[0] = 0
        raise kind("planted")

    monkeypatch.setattr(module, name, call)
    return left


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", [Unavailable, Death], ids=["exception", "death"])
@pytest.mark.parametrize(("module", "name"), CALLS, ids=[name for _, name in CALLS])
def test_a_failure_anywhere_leaves_nothing_behind(cloud, server, monkeypatch, module, name, kind, moment):
    with cloud.house.db.read() as c:
        ports_before = c.execute(select(func.count()).select_from(nt.ports)).scalar()
    id = server()
    left = _fail_once(monkeypatch, module, name, kind, moment)

    def status():
        answer = cloud.member.get(f"/compute/v2.1/servers/{id}")
        return answer.json()["server"]["status"] if answer.status_code == 200 else "gone"

    _drive(cloud, lambda: status() == "ACTIVE")
    with cloud.house.db.read() as c:
        assert c.execute(select(func.count()).select_from(nt.ports)).scalar() == ports_before + 1
        assert c.execute(select(func.count()).select_from(pt.consumers)).scalar() == 1
    assert cloud.member.delete(f"/compute/v2.1/servers/{id}").status_code == 204
    _drive(cloud, lambda: status() == "gone")
    assert left == [0], "the planted failure was never reached"
    with cloud.house.db.read() as c:
        assert c.execute(select(func.count()).select_from(nt.ports)).scalar() == ports_before
        assert c.execute(select(func.count()).select_from(pt.allocations)).scalar() == 0


# -- the rest of a server's life ----------------------------------------------------------------------------------

LIVES = {
    "resize": [(placement, "claim"), (placement, "release"), (compute_store, "change")],
    "createImage": [(image, "fill"), (compute_store, "change"), (compute_store, "want")],
    "shelve": [
        (image, "fill"), (image, "discard"), (network, "move_server_ports"), (placement, "release"),
        (placement, "claim"), (placement, "candidates"), (compute_store, "change"), (compute, "host_has_let_go"),
    ],
    "attach": [(network, "release_server_port"), (compute_store, "change")],
    **{life: [(compute_store, "change")] for life in ("stop", "suspend", "rescue", "rebuild", "reboot")},
}  # fmt: skip
STEPS = {
    "stop": [({"os-stop": None}, "SHUTOFF"), ({"os-start": None}, "ACTIVE")],
    "suspend": [({"suspend": None}, "SUSPENDED"), ({"resume": None}, "ACTIVE")],
    "rescue": [({"rescue": None}, "RESCUE"), ({"unrescue": None}, "ACTIVE")],
    "rebuild": [({"rebuild": {}}, "ACTIVE")],
    "reboot": [({"reboot": {"type": "HARD"}}, "ACTIVE")],
}
"""Life -> actions, each with the status that it leads to."""
_LIVES = [(life, module, name) for life, calls in LIVES.items() for module, name in calls]


def _plugged(cloud, id):
    ports = cloud.member.get(f"/network/v2.0/ports?device_id={id}").json()["ports"]
    return [port["status"] for port in ports].count("ACTIVE")


def _live(cloud, id, life):
    """Ask for one change of a server and wait until it is through; returns the function that says so."""
    path, newest = f"/compute/v2.1/servers/{id}", {"OpenStack-API-Version": "compute latest"}

    def ask(body):
        answer = cloud.member.post(f"{path}/action", json=body, headers=newest)
        assert answer.is_success, answer.text
        return answer

    def is_now(status):
        shown = cloud.member.get(path, headers=newest).json()["server"]
        return shown["status"] == status and shown["OS-EXT-STS:task_state"] is None

    if steps := STEPS.get(life):
        same = {"imageRef": cloud.member.get(path).json()["server"]["image"]["id"]}
        for body, status in steps:
            ask({"rebuild": same} if "rebuild" in body else body)
            _drive(cloud, partial(is_now, status))
        return
    if life == "attach":
        net = cloud.member.get("/network/v2.0/networks").json()["networks"][0]["id"]
        made = cloud.member.post(f"{path}/os-interface", json={"interfaceAttachment": {"net_id": net}})
        port = made.json()["interfaceAttachment"]["port_id"]
        _drive(cloud, lambda: _plugged(cloud, id) == 2 and is_now("ACTIVE"))
        assert cloud.member.delete(f"{path}/os-interface/{port}").status_code == 202
        _drive(cloud, lambda: _plugged(cloud, id) == 1 and is_now("ACTIVE"))
        assert cloud.member.get(f"/network/v2.0/ports/{port}").status_code == 404
        return
    if life == "resize":
        body = {"flavor": {"name": "large", "ram": 128, "vcpus": 2, "disk": 2}}
        large = cloud.admin.post("/compute/v2.1/flavors", json=body).json()["flavor"]["id"]
        ask({"resize": {"flavorRef": large}})
        _drive(cloud, lambda: is_now("VERIFY_RESIZE"))
        ask({"revertResize": None})
        _drive(cloud, lambda: is_now("ACTIVE"))
        return
    if life == "createImage":
        made = ask({"createImage": {"name": "copy"}}).json()["image_id"]
        _drive(cloud, lambda: is_now("ACTIVE"))
        assert cloud.member.get(f"/image/v2/images/{made}").json()["status"] == "active"
        return
    ask({"shelve": None})
    _drive(cloud, lambda: is_now("SHELVED_OFFLOADED"))
    with cloud.house.db.read() as c:
        assert c.execute(select(func.count()).select_from(pt.consumers)).scalar() == 0
    ask({"unshelve": None})
    _drive(cloud, lambda: is_now("ACTIVE"))
    cloud.settle()
    assert cloud.member.get("/image/v2/images?name=s-shelved").json()["images"] == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", [Unavailable, Death], ids=["exception", "death"])
@pytest.mark.parametrize(
    ("life", "module", "name"), _LIVES, ids=[f"{life}-{name}" for life, _, name in _LIVES]
)
def test_a_failure_in_a_change_of_a_server_is_made_good(
    cloud, server, monkeypatch, life, module, name, kind, moment
):
    id = server()
    cloud.settle()
    left: list[int] = []

    def plant():
        left[:] = [1]
        real = getattr(module, name)

        def call(*arguments, **options):
            # The route's own call is not the reconciler's: it fails with its request.
            if not left[0] or threading.current_thread() is not threading.main_thread():
                return real(*arguments, **options)
            if moment == "before":
                left[0] = 0
                raise kind("planted")
            real(*arguments, **options)
            left[0] = 0
            raise kind("planted")

        monkeypatch.setattr(module, name, call)

    plant()
    _live(cloud, id, life)
    assert left == [0], "the planted failure was never reached"
    with cloud.house.db.read() as c:
        held = c.execute(select(pt.allocations.c.resource_class, pt.allocations.c.used)).all()
        assert sorted(map(tuple, held)) == [("DISK_GB", 1), ("MEMORY_MB", 64), ("VCPU", 1)]
        assert c.execute(select(func.count()).select_from(pt.consumers)).scalar() == 1
    assert cloud.member.delete(f"/compute/v2.1/servers/{id}").status_code == 204
    _drive(cloud, lambda: cloud.member.get(f"/compute/v2.1/servers/{id}").status_code == 404)
