"""What is Ceph's own: the snapshot that clones stand on, a cluster that goes away, a pool that is full."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from clearsky import config_sections
from clearsky.errors import Conflict, Unavailable
from clearsky.image.driver import rbd
from clearsky.image.driver.interface import StorageFull

pytestmark = [pytest.mark.functional]


@pytest.fixture
def store(ceph):
    return rbd.Rbd(
        config_sections.ImageStore(type="rbd", pool="images", ceph_conf=ceph.conf, ceph_user="glance")
    )


def _put(store, data=b"data" * 1000):
    name = f"{uuid.uuid4()}-12345678"
    writer = store.create(name)
    writer.write(memoryview(data))
    writer.finish()
    return name


def test_servers_and_volumes_can_clone_an_image(ceph, store):
    name = _put(store)
    snapshots = json.loads(ceph.run("rbd", "snap", "ls", "--format", "json", f"images/{name}"))
    assert [(one["name"], one["protected"]) for one in snapshots] == [("snap", "true")]
    ceph.run("rbd", "clone", "--rbd-default-clone-format", "1", f"images/{name}@snap", "images/clone")
    with pytest.raises(Conflict, match="in use"):
        store.remove(name)
    ceph.run("rbd", "rm", "--no-progress", "images/clone")
    store.remove(name)


def test_data_that_is_being_read_stays(store):
    name = _put(store)
    reader = store.open(name)
    assert reader.read(0, 4) == b"data"
    reader.close()
    store.remove(name)


def test_a_full_cluster_is_refused_and_not_waited_for(ceph, store, monkeypatch):
    monkeypatch.setattr(rbd, "_TIMEOUT_S", "5")
    name = f"{uuid.uuid4()}-12345678"
    writer = store.create(name)
    ceph.ceph("osd", "set-full-ratio", "0.001")
    ceph.ceph("osd", "set-backfillfull-ratio", "0.0009")
    ceph.ceph("osd", "set-nearfull-ratio", "0.0008")

    def fill():
        for _ in range(100):
            writer.write(memoryview(b"x" * (4 << 20)))
            time.sleep(0.2)

    try:
        with pytest.raises((StorageFull, Unavailable)):
            fill()
    finally:
        for kind, ratio in (("full", "0.95"), ("backfillfull", "0.9"), ("nearfull", "0.85")):
            ceph.ceph("osd", f"set-{kind}-ratio", ratio)
        _patiently(writer.abandon)
    assert name not in list(store.names())


def _patiently(act, timeout_s=60.0):
    """Repeat what a cluster that is coming back refuses at first."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            return act()
        except (Unavailable, Conflict):
            if time.monotonic() > end:
                raise
            time.sleep(1)


def test_a_cluster_that_is_away_is_unavailable_and_comes_back(ceph, store, monkeypatch):
    monkeypatch.setattr(rbd, "_TIMEOUT_S", "3")
    name = _put(store)
    ceph.lose_osd()
    with pytest.raises(Unavailable):
        store.open(name).read(0, 4)
    ceph.start_osd()
    reader = _patiently(lambda: store.open(name))
    assert reader.read(0, 4) == b"data"
    reader.close()
    _patiently(lambda: store.remove(name))


def test_wrong_settings_say_what_is_wrong(ceph, tmp_path):
    for settings in (
        config_sections.ImageStore(type="rbd", pool="nowhere", ceph_conf=ceph.conf, ceph_user="glance"),
        config_sections.ImageStore(type="rbd", pool="images", ceph_conf=ceph.conf, ceph_user="nobody"),
        config_sections.ImageStore(type="rbd", pool="images", ceph_conf=tmp_path / "none.conf"),
    ):
        with pytest.raises(Exception, match=r"nowhere|images|none\.conf"):
            list(rbd.Rbd(settings).names())


def test_without_the_bindings_the_store_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(rbd, "BINDINGS", tmp_path)
    for name in ("rados", "rbd"):
        monkeypatch.delitem(rbd.sys.modules, name, raising=False)
    with pytest.raises(Unavailable, match="python3-rados"):
        rbd.bindings()
