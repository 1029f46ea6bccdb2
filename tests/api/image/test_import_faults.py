"""Every outside call of an import fails in turn, before and after its effect, by exception and by the death of the
process: afterwards there is one whole image, or none, and no byte or row too many."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from clearsky import app
from clearsky.errors import Unavailable
from clearsky.image import convert, download
from clearsky.image import tables as t
from clearsky.image.driver.files import Files, FileWriter
from clearsky.image.intake import Intake
from clearsky.image.store import locations, tasks
from clearsky.work import queue
from clearsky.work.tables import work
from clearsky.work.worker import run_leased

from .conftest import files
from .web import Page, serving

DATA = bytes(range(256)) * 20_000


class Death(BaseException):
    """The process is gone: nobody catches this, nobody cleans up."""


CALLS = [
    (tasks, "locked_image"),
    (tasks, "change"),
    (locations, "begin"),
    (locations, "complete"),
    (locations, "give_up"),
    (download, "open_url"),
    (convert, "convert"),
    (Files, "create"),
    (Files, "open"),
    (Files, "remove"),
    (FileWriter, "write"),
    (FileWriter, "finish"),
    (Intake, "flush"),
]


@pytest.fixture
def settings(settings):
    image = replace(settings.image, download_networks=("127.0.0.0/8",), download_ports=(), convert_to="qcow2")
    return replace(settings, image=image)


def _fail(monkeypatch, owner, name, kind, moment, number):
    """Let the `number`th call fail."""
    real, left = getattr(owner, name), [number]

    def call(*arguments, **options):
        left[0] -= 1
        if left[0] == 0 and moment == "before":
            raise kind("planted")
        result = real(*arguments, **options)
        if left[0] == 0:
            raise kind("planted")
        return result

    monkeypatch.setattr(owner, name, call)
    return left


def _dead(monkeypatch):
    """A process that dies does not abandon what it writes."""
    monkeypatch.setattr(Intake, "abandon", lambda self: None)


def _run(cloud):
    """Run what is due as workers do: after a dead one's lease has lapsed, again."""
    kinds = app.reconcilers()
    for _ in range(80):
        with cloud.house.db.write() as c:
            c.execute(
                update(work).where(work.c.kind != "image_sweep").values(due_at=time.time(), leased_until=0)
            )
            lease = queue.lease(c, ["image_import", "image_location", "image"], 60.0)
        if lease is None:
            return
        try:
            run_leased(cloud.house, kinds[lease.kind], lease)
        except Death:
            continue
    raise AssertionError("it never ended")


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", [Unavailable, Death], ids=["exception", "death"])
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=[f"{o.__name__}.{n}" for o, n in CALLS])
def test_a_failure_anywhere_costs_a_repetition_only(cloud, photos, monkeypatch, owner, name, kind, moment):
    with serving() as web:
        web.pages["/image"] = Page(DATA)
        reached = [_one(cloud, photos, monkeypatch, web, owner, name, kind, moment, n) for n in (1, 2, 3)]
    assert reached[0], "the planted failure was never reached"


def _one(cloud, photos, monkeypatch, web, owner, name, kind, moment, number):
    id = photos.create()
    assert photos.imports(id, "web-download", f"{web.url}/image", all_stores=True).status_code == 202
    with monkeypatch.context() as planted:
        if kind is Death:
            _dead(planted)
        left = _fail(planted, owner, name, kind, moment, number)
        _run(cloud)
    _run(cloud)
    shown = photos.show(id)
    assert (shown["status"], shown["stores"]) == ("active", "file,b,c"), number
    assert (shown["disk_format"], shown["virtual_size"]) == ("qcow2", len(DATA))
    assert (len(files(cloud)), _count(cloud)) == (3, 3), files(cloud)
    assert cloud.member.delete(f"/image/v2/images/{id}").status_code == 204
    _run(cloud)
    assert (files(cloud), _count(cloud)) == ([], 0)
    return left[0] <= 0


def _count(cloud):
    with cloud.house.db.read() as c:
        return c.execute(select(func.count()).select_from(t.locations)).scalar()
