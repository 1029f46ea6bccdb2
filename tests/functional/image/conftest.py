"""Every kind of store behind the same fixture."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from clearsky import config_sections
from clearsky.image.driver.files import Files

from .ceph import Ceph, missing


@pytest.fixture(scope="session")
def ceph():
    absent = missing()
    assert not absent, f"install Debian's ceph-mon, ceph-osd and python3-rbd: {absent} are missing"
    folder = Path(tempfile.mkdtemp(prefix="clearsky-ceph-", dir="/tmp"))
    cluster = Ceph(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)


@pytest.fixture(params=["file", pytest.param("rbd", marks=[pytest.mark.functional])])
def store(request, tmp_path):
    if request.param == "file":
        return Files(tmp_path / "images")
    from clearsky.image.driver.rbd import Rbd

    cluster = request.getfixturevalue("ceph")
    return Rbd(
        config_sections.ImageStore(type="rbd", pool="images", ceph_conf=cluster.conf, ceph_user="glance")
    )
