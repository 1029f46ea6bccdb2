"""A shelved server is an image and a row: it has no host and claims nothing; unshelved, it is built from the image."""

from __future__ import annotations

import time
from typing import Any

from clearsky.compute import store
from clearsky.compute.reconcile import snapshot
from clearsky.compute.reconcile.place import LOOK_AGAIN_S, gone_from_host
from clearsky.errors import Conflict, NotFound
from clearsky.image import service as image
from clearsky.network import service as network
from clearsky.placement import service as placement
from clearsky.work.queue import bump_host
from clearsky.work.reconcile import Again, Done, Outcome, Run


def follow(run: Run, row: Any) -> Outcome:
    """Move a server onto its shelf: copy, image, away from the host."""
    if row.vm_state == "shelved_offloaded":
        return Done()
    if row.snapshot:
        return _pack(run, row)
    if row.ready:
        with run.step("remove_from_host", row.host), run.house.db.write() as c:
            row = store.change(c, row.id, {"ready": False})
            bump_host(c, row.host)
    if row.host is None or gone_from_host(run, row):
        with run.step("remove_bindings"):
            network.move_server_ports(run.house, row.id, "")
        with run.step("remove_claim"), run.house.db.write() as c:
            placement.release(c, row.id)
            values = {"host": None, "vm_state": "shelved_offloaded", "power": "absent", "console_path": ""}
            store.change(c, row.id, values | {"task_state": None, "deadline_at": None, "reached": ""})
            store.end_action(c, row)
        return Done()
    return Again(LOOK_AGAIN_S)


def stay(run: Run, row: Any, reason: str) -> Outcome:
    """Leave a server on its shelf that no host takes."""
    run.journal.add("fail", time.time(), 0.0, "failed", reason)
    with run.house.db.write() as c:
        back = {"desired": "shelved", "vm_state": "shelved_offloaded", "task_state": None}
        store.change(c, row.id, back | {"deadline_at": None})
        store.end_action(c, row, "Error")
    return Done()


def _pack(run: Run, row: Any) -> Outcome:
    if row.observed_error:
        return snapshot.give_up(run, row, f"Host {row.host} could not do it: {row.observed_error}")
    if row.reached != row.wish or row.power != "shutdown":
        return Again(LOOK_AGAIN_S)
    try:
        snapshot.upload(run, row)
    except (Conflict, NotFound) as error:
        return snapshot.give_up(run, row, error.message)
    with run.house.db.write() as c:
        now = store.server(c, None, row.id)
        if now.snapshot == row.snapshot:
            kept = {"shelf": {"image_id": row.snapshot["image_id"]}, "snapshot": None, "vm_state": "shelved"}
            store.change(c, row.id, kept | {"task_state": "shelving_offloading"})
    return Again(0.0)


def forget_shelf(run: Run, row: Any) -> None:
    """Delete the image that a server was shelved in, once it runs again."""
    if row.shelf and row.desired != "shelved":
        with run.step("remove_image", row.shelf["image_id"]):
            image.discard(run.house, row.shelf["image_id"])
        with run.house.db.write() as c:
            store.change(c, row.id, {"shelf": None})
