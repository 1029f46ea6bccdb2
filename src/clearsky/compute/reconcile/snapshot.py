"""A server's disk becomes an image: the host copies it, the image service takes the copy, the host forgets it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clearsky.compute import store
from clearsky.compute.reconcile.place import settled_state
from clearsky.errors import Conflict, NotFound, Unavailable
from clearsky.image import service as image
from clearsky.work.reconcile import Again, Done, Outcome, Run


def take(run: Run, row: Any) -> Outcome:
    """Hand the host's copy to the image service; the server is otherwise as it should be."""
    try:
        upload(run, row)
    except (Conflict, NotFound) as error:
        return give_up(run, row, error.message)
    if "rotate" in row.snapshot:
        kind, keep = row.snapshot["rotate"]
        for old in image.backups(run.house, row.project_id, row.id, kind)[keep:]:
            with run.step("remove_image", f"backup {old}"):
                image.discard(run.house, old)
    with run.house.db.write() as c:
        now = store.server(c, None, row.id)
        if now.snapshot != row.snapshot:
            return Again(0.0)
        row = store.want(c, now, {"snapshot": None, "task_state": None, "deadline_at": None})
        store.end_action(c, row)
    return Again(0.0)


def upload(run: Run, row: Any) -> None:
    """Fill the reserved image from the host's copy; raises NotFound where the image was deleted meanwhile."""
    token, _, path = row.snapshot_done.partition(" ")
    if token != row.snapshot["token"]:
        raise Unavailable(f"host {row.host} has not finished the copy of {row.id}'s disk")
    with run.house.db.write() as c:
        store.change(c, row.id, {"task_state": "image_uploading"} if row.snapshot["then"] == "stay" else {})
    with run.step("ensure_image", row.snapshot["image_id"]):
        image.fill(run.house, row.snapshot["image_id"], Path(path))


def give_up(run: Run, row: Any, reason: str) -> Outcome:
    """End a snapshot that cannot be made: the server goes on as before, the image goes."""
    with run.house.db.read() as c:
        if store.server(c, None, row.id).snapshot != row.snapshot:
            return Again(0.0)  # another run has ended it
    with run.step("remove_image", reason):
        image.discard(run.house, row.snapshot["image_id"])
    with run.house.db.write() as c:
        now = store.server(c, None, row.id)
        if now.snapshot == row.snapshot:
            back = {"snapshot": None, "task_state": None, "deadline_at": None}
            if row.desired == "shelved":
                back["desired"] = row.snapshot["before"]
            row = store.want(c, now, back)
            if row.desired != "shelved" and row.power == row.desired:
                store.change(c, row.id, {"vm_state": settled_state(row)})
            store.end_action(c, row, "Error")
    return Done()


def discard_of(run: Run, row: Any) -> None:
    """Remove the images of a server that goes: one that was never finished, and the one it was shelved in."""
    left = [kept["image_id"] for kept in (row.snapshot, row.shelf) if kept]
    for image_id in left:
        with run.step("remove_image", image_id):
            if row.snapshot and row.snapshot["image_id"] == image_id and row.snapshot["then"] == "stay":
                image.discard_unfinished(run.house, image_id)
            else:
                image.discard(run.house, image_id)
