"""Moves images and the locations of their bytes toward what is wanted; gives up what nobody writes any more."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select

from clearsky.errors import Unavailable
from clearsky.image import service, store
from clearsky.image.driver.load import STAGING
from clearsky.image.store import locations, tasks
from clearsky.image.tables import images
from clearsky.work.reconcile import Again, Done, Outcome, Run

SWEEP_S = 60.0
ORPHAN_S = 3600.0
"""What began to be written so long ago and belongs to no location is removed."""


def reconcile_image(run: Run) -> Outcome:
    """Remove the bytes of an image that is to be deleted, in every store, then the row."""
    with run.house.db.read() as c:
        row = c.execute(select(images).where(images.c.id == run.resource_id)).first()
        copies = locations.of(c, run.resource_id)
    if row is None or row.status != "deleting":
        return Done()
    for copy in copies:
        with run.step("remove_bytes", f"{copy.store} {copy.name}"):
            remove_bytes(run, copy)
    with run.house.db.write() as c:
        if locations.of(c, row.id):
            return Again(0.0)  # one came between
        store.forget(c, row.id)
    return Done()


def reconcile_location(run: Run) -> Outcome:
    """Remove one copy that is to go."""
    with run.house.db.read() as c:
        copy = locations.one(c, run.resource_id)
    if copy is not None and copy.status == "deleting":
        with run.step("remove_bytes", f"{copy.store} {copy.name}"):
            remove_bytes(run, copy)
    return Done()


def remove_bytes(run: Run, copy: Any) -> None:
    """Remove the bytes of a location, then what says that there are any."""
    known = service.stores(run.house)
    if not known.holds(copy.store):
        raise Unavailable(f"the store {copy.store!r} holds {copy.name} but is not in the settings any more")
    known[copy.store].remove(copy.name)
    with run.house.db.write() as c:
        locations.forget(c, copy.name)


def sweep(run: Run) -> Outcome:
    """Put uploads whose process died back to queued, and remove what they left."""
    idle_s = run.house.config.image.upload_idle_s
    with run.house.db.write() as c:
        tasks.prune(c)
        for copy in locations.silent(c, time.time() - idle_s):
            with run.step("give_up_upload", copy.name):
                locations.give_up(c, locations.loc.name == copy.name)
                store.move(c, copy.image_id, ("saving",), "queued")
                if copy.store == STAGING:
                    store.move(c, copy.image_id, ("uploading",), "queued")
    known = service.stores(run.house)
    for name in known.all_names:
        for found in list(known[name].unfinished(ORPHAN_S)):
            with run.house.db.read() as c:
                belongs = locations.one(c, found) is not None
            if not belongs:
                with run.step("remove_orphan", f"{name} {found}"):
                    known[name].remove(found)
    return Again(SWEEP_S)
