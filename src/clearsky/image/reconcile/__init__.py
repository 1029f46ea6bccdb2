"""Moves images toward their desired state: bytes of deleted ones go, half uploads go."""

from __future__ import annotations

import time

from sqlalchemy import select

from clearsky.image import service, store
from clearsky.image.tables import images
from clearsky.work.reconcile import Again, Done, Outcome, Reconciler, Run

STALE_UPLOAD_S = 24 * 3600
SWEEP_S = 600.0


def reconcile_image(run: Run) -> Outcome:
    """Remove the bytes of an image that is to be deleted, then the row."""
    with run.house.db.read() as c:
        row = c.execute(select(images).where(images.c.id == run.resource_id)).first()
    if row is None or row.status != "deleting":
        return Done()
    with run.step("remove_bytes"):
        service.files(run.house).remove(row.id)
    with run.house.db.write() as c:
        store.forget(c, row.id)
    return Done()


def sweep(run: Run) -> Outcome:
    """Put uploads that died back to queued, and remove what they left."""
    now = time.time()
    for image_id, path in service.files(run.house).unfinished():
        if path.exists() and now - path.stat().st_mtime > STALE_UPLOAD_S:
            with run.step("remove_unfinished_upload", image_id):
                path.unlink(missing_ok=True)
    with run.house.db.write() as c:
        stale = select(images.c.id).where(
            images.c.status == "saving", images.c.updated_at < now - STALE_UPLOAD_S
        )
        for image_id in c.execute(stale).scalars().all():
            store.move(c, image_id, ("saving",), "queued")
    return Again(SWEEP_S)


RECONCILERS: dict[str, Reconciler] = {"image": reconcile_image, "image_sweep": sweep}
PERIODIC = ("image_sweep",)
