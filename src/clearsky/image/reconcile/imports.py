"""Moves an import: get the data, look at it, convert it where a setting asks, put it into each store, finish.

Everything that is made is written down before (`image_locations`), so a run that dies at any point costs a repetition
of the step that it died in, and what it left is removed. The task's row says how far it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from clearsky.errors import ClearskyError, Conflict, Unavailable
from clearsky.image import convert, download, inspect, other_service, service, signature, store
from clearsky.image.driver.interface import CHUNK_BYTES, StorageFull
from clearsky.image.driver.load import STAGING
from clearsky.image.intake import Facts, Intake
from clearsky.image.store import locations, tasks
from clearsky.image.tables import images
from clearsky.image.tables import tasks as task_table
from clearsky.work.reconcile import Done, Outcome, Run, Superseded

ATTEMPTS = 6
"""Runs without progress after which a store that fails, or a download that breaks off, is given up."""
_BEAT_S = 5.0
_ALIVE = ("importing", "active", "deactivated")
_STAGED = "staged"
_CONVERTED = "converted"


@dataclass(slots=True)
class _Import:
    run: Run
    task: Any
    image: Any
    found: inspect.Format | None = None
    """What the data is, once it has been looked at; None: a container hides it."""
    beat_at: float = 0.0

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.task.plan
        return plan

    @property
    def copying(self) -> bool:
        """The image is in use already; only stores are added."""
        return bool(self.plan["method"] == "copy-image")

    @property
    def limit_bytes(self) -> int:
        return self.run.house.config.image.size_limit_gib << 30

    @property
    def adopted(self) -> dict[str, Any]:
        """What another image service says of the image that is fetched from it; empty where it comes otherwise."""
        adopted: dict[str, Any] = self.plan.get("adopted", {})
        return adopted

    def format_of(self, name: str) -> str:
        """Return disk_format or container_format as it will be."""
        return str(self.adopted.get(name) or getattr(self.image, name))

    def writer(self, part: str) -> str:
        return f"{self.task.id}/{part}"

    def beat(self, name: str, done: int, what: str) -> None:
        """Say that this goes on; raises where it must not: another run has it, the image is gone, time is up."""
        now = time.monotonic()
        if now - self.beat_at < _BEAT_S:
            return
        self.beat_at = now
        self.run.keep()
        if time.time() > self.task.deadline_at:
            raise _Failed(f"It was not done within {self.run.house.config.image.import_timeout_s:.0f} s.")
        with self.run.house.db.write() as c:
            if not locations.still_writing(c, name, done):
                raise _Failed(f"Image {self.task.image_id} was deleted during its import")
            tasks.change(c, self.task.id, message=f"{what}: {done >> 20} MiB")


class _Failed(Conflict):
    """The import cannot succeed any more."""


def reconcile_import(run: Run) -> Outcome:
    """Bring one task to success or failure."""
    with run.house.db.read() as c:
        task = c.execute(select(task_table).where(task_table.c.id == run.resource_id)).first()
        image = task and c.execute(select(images).where(images.c.id == task.image_id)).first()
    if task is None or task.status in tasks.FINISHED:
        return Done()
    one = _Import(run, task, image)
    if image is None or image.status == "deleting":
        _fail(one, f"Image {task.image_id} was deleted during its import")
        return Done()
    try:
        _move(one)
    except Superseded:
        raise
    except Unavailable as error:
        if run.attempt < ATTEMPTS and time.time() < task.deadline_at:
            raise
        _fail(one, error.message)
    except ClearskyError as error:
        _fail(one, error.message)
    return Done()


def _move(one: _Import) -> None:
    if time.time() > one.task.deadline_at:
        raise _Failed(f"It was not done within {one.run.house.config.image.import_timeout_s:.0f} s.")
    if one.run.attempt > 3 * ATTEMPTS:
        raise _Failed("It was interrupted too often.")
    _clean(one)
    source = _source(one)
    if not one.copying:
        with one.run.step("inspect"):
            one.found = _look(one, source)
        _verify(one, source)
        source = _converted(one, source)
    for name in _left(one):
        with one.run.step("ensure_copy", name):
            _copy_or_note(one, source, name)
    with one.run.step("finish"):
        _finish(one)


def _clean(one: _Import) -> None:
    """Begin: give up what runs before this one have left half done."""
    with one.run.house.db.write() as c:
        tasks.change(c, one.task.id, status="processing")
        for part in (_STAGED, _CONVERTED, "copy"):
            mine = (locations.loc.writer == one.writer(part), locations.loc.status == "writing")
            locations.give_up(c, *mine)


# -- the data -----------------------------------------------------------------------------------------------------


def _source(one: _Import) -> Any:
    """Return the location to import from."""
    house = one.run.house
    with house.db.read() as c:
        if one.copying:
            copies = service.preferred(house, locations.active(c, [one.image.id]))
            mine = {row.name for row in locations.written_by(c, one.writer("copy"))}
            found = next((copy for copy in copies if copy.name not in mine), None)
        else:
            found = locations.staged(c, one.image.id)
    if found is None and one.plan["method"] == "web-download":
        with one.run.step("ensure_staged", one.plan["uri"][:200]):
            rules = house.config.image
            found = _download(
                one, download.open_url(one.plan["uri"], rules, one.limit_bytes, one.task.deadline_at)
            )
    if found is None and one.plan["method"] == "glance-download":
        with one.run.step(
            "ensure_staged", f"image {one.plan['image_id']} of region {one.plan['region']}"[:200]
        ):
            source = other_service.Source(house, one.task.owner, one.plan, one.task.deadline_at)
            _adopt(one, source.describe())
            found = _download(one, source.open_data(one.limit_bytes))
    if found is None:
        raise _Failed(f"The data of image {one.image.id} that is to be imported is not there any more")
    return found


def _begin(one: _Import, where: str, part: str) -> str:
    """Write down that bytes are about to be made for this import."""
    with one.run.house.db.write() as c:
        row = tasks.locked_image(c, one.image.id)
        if row is None or row.status not in _ALIVE:
            raise _Failed(f"Image {one.image.id} was deleted during its import")
        return locations.begin(c, one.image.id, where, one.writer(part))


def _adopt(one: _Import, adopted: dict[str, Any]) -> None:
    """Write down what the image will be, so that a later run knows it."""
    with one.run.house.db.write() as c:
        tasks.change(c, one.task.id, plan=one.plan | {"adopted": adopted})
        one.task = tasks.get(c, None, one.task.id)


def _download(one: _Import, found: download.Download) -> Any:
    house = one.run.house
    try:
        name = _begin(one, STAGING, _STAGED)
        intake = Intake(
            service.stores(house)[STAGING].create(name, found.size), one.limit_bytes, hashed=False
        )
        _pour(one, found.chunks(), intake, name, "Downloaded")
    finally:
        found.close()
    return _keep(one, name, intake.size)


def _pour(one: _Import, chunks: Any, intake: Intake, name: str, what: str) -> Facts:
    try:
        for chunk in chunks:
            intake.add(chunk)
            one.beat(name, intake.size, what)
        return intake.finish()
    except BaseException:
        intake.abandon()
        raise


def _keep(one: _Import, name: str, size: int) -> Any:
    """Make a staged location count."""
    with one.run.house.db.write() as c:
        row = tasks.locked_image(c, one.image.id)
        if row is None or not locations.complete(c, name, size):
            raise _Failed(f"Image {one.image.id} was deleted during its import")
        return locations.one(c, name)


def _look(one: _Import, source: Any) -> inspect.Format | None:
    """Inspect staged data; None where a container hides it."""
    reader = service.stores(one.run.house)[source.store].open(source.name)
    try:
        declared = one.format_of("disk_format")
        if source.writer == one.writer(_CONVERTED):
            declared = one.run.house.config.image.convert_to
        return inspect.check(declared, one.format_of("container_format"), reader, one.limit_bytes)
    finally:
        reader.close()


def _verify(one: _Import, source: Any) -> None:
    """Check what came against its signature, where the image's properties ask for it. Raises Invalid."""
    house = one.run.house
    found = signature.wanted(one.image.properties, house.config.image.certificates_dir)
    if found is None or source.writer == one.writer(_CONVERTED):
        return
    with one.run.step("verify_signature"):
        reader = service.stores(house)[source.store].open(source.name)
        try:
            for at in range(0, reader.size, CHUNK_BYTES):
                found.update(reader.read(at, CHUNK_BYTES))
                one.run.keep()
        finally:
            reader.close()
        found.check()


def _converted(one: _Import, source: Any) -> Any:
    """Return the location with the data in the format that the setting asks for."""
    house, found = one.run.house, one.found
    wanted = house.config.image.convert_to
    if found is None or not wanted or found.name == wanted or found.name not in convert.SOURCES:
        return source
    staging = service.stores(house).staging
    with one.run.step("ensure_converted", f"{found.name} to {wanted}"):
        name = _begin(one, STAGING, _CONVERTED)
        job = convert.Job(
            staging.file(source.name), staging.file(name), found.name, wanted, one.limit_bytes,
            one.task.deadline_at, house.config.cloud.user,
        )  # fmt: skip
        try:
            size = convert.convert(job, lambda done: one.beat(name, done, "Converted"))
        except BaseException:
            staging.remove(name)
            raise
        source = _keep(one, name, size)
        one.found = _look(one, source)
    return source


# -- the stores ---------------------------------------------------------------------------------------------------


def _left(one: _Import) -> list[str]:
    with one.run.house.db.read() as c:
        row = c.execute(select(images.c.import_state).where(images.c.id == one.image.id)).scalar()
    return list(row["left"]) if row else []


def _copy_or_note(one: _Import, source: Any, target: str) -> None:
    """Copy to one store; one that fails for good is noted where others may do without it."""
    try:
        _copy(one, source, target)
    except Superseded:
        raise
    except (Unavailable, StorageFull) as error:
        final = isinstance(error, StorageFull) or one.run.attempt >= ATTEMPTS
        if not final:
            raise
        with one.run.house.db.write() as c:
            state = _state(c, one)
            state = {
                "left": [name for name in state["left"] if name != target],
                "failed": [*state["failed"], target],
            }
            store.change(c, one.image.id, {"import_state": state})
            tasks.change(c, one.task.id, message=f"Store {target}: {error.message}"[:1000])
        if one.plan["all_must_succeed"]:
            raise _Failed(f"Store {target}: {error.message}") from error


def _state(c: Connection, one: _Import) -> dict[str, list[str]]:
    row = tasks.locked_image(c, one.image.id)
    if row is None or row.import_state is None:
        raise _Failed(f"Image {one.image.id} was deleted during its import")
    state: dict[str, list[str]] = row.import_state
    return state


def _copy(one: _Import, source: Any, target: str) -> None:
    house = one.run.house
    known = service.stores(house)
    if target not in known:
        raise Unavailable(f"the store {target!r} is not in the settings any more")
    reader = known[source.store].open(source.name)
    try:
        name = _begin(one, target, "copy")
        intake = Intake(known[target].create(name, reader.size), one.limit_bytes)
        chunks = (reader.read(at, CHUNK_BYTES) for at in range(0, reader.size, CHUNK_BYTES))
        facts = _pour(one, chunks, intake, name, f"Copied to {target}")
        try:
            _count(one, source, target, name, facts)
        except BaseException:
            intake.abandon()
            raise
    finally:
        reader.close()


def _count(one: _Import, source: Any, target: str, name: str, facts: Facts) -> None:
    """Make one store's copy count, together with what it says of the image."""
    found = one.found
    with one.run.house.db.write() as c:
        row = tasks.locked_image(c, one.image.id)
        if row is None or row.status not in _ALIVE:
            raise _Failed(f"Image {one.image.id} was deleted during its import")
        right = {row.os_hash_value}
        if source.writer == one.writer(_STAGED):
            right.add(one.adopted.get("os_hash_value"))
        if right - {None, facts.os_hash_value}:
            raise _Failed(f"The data in store {source.store} is not what it was: its SHA-512 differs")
        if not locations.complete(c, name, facts.size):
            raise _Failed(f"Image {one.image.id} was deleted during its import")
        state = row.import_state or {"left": [], "failed": []}
        values: dict[str, Any] = {
            "import_state": state | {"left": [other for other in state["left"] if other != target]},
            "size": facts.size,
            "checksum": facts.checksum,
            "os_hash_value": facts.os_hash_value,
        }
        if one.adopted:
            values |= {name: one.adopted[name] for name in ("disk_format", "container_format")}
            values["properties"] = row.properties | one.adopted["properties"]
        if not one.copying:
            values["virtual_size"] = found.virtual_size if found else None
            if found and source.writer == one.writer(_CONVERTED):
                values["disk_format"] = found.name
        if not one.plan["all_must_succeed"]:
            values["stores"] = service.stores(one.run.house).ordered([*row.stores, target])
            if row.status == "importing":
                values["status"] = "active"
        store.change(c, row.id, values)


def _finish(one: _Import) -> None:
    with one.run.house.db.write() as c:
        row = tasks.locked_image(c, one.image.id)
        if row is None:
            raise _Failed(f"Image {one.image.id} was deleted during its import")
        mine = locations.written_by(c, one.writer("copy"))
        made = [copy for copy in mine if copy.status == "active"]
        for copy in mine:
            if copy.status != "active":
                locations.give_up(c, locations.loc.name == copy.name)
        if not made and one.plan["stores"]:
            raise _Failed("No store has taken the data: " + ", ".join(row.import_state["failed"]))
        stores = service.stores(one.run.house).ordered(list({*row.stores, *(copy.store for copy in made)}))
        values: dict[str, Any] = {"stores": stores, "import_state": row.import_state | {"left": []}}
        if row.status == "importing":
            values["status"] = "active"
        store.change(c, row.id, values)
        _drop_staged(c, one)
        failed = row.import_state["failed"]
        _end(c, one, "success", f"Not in: {', '.join(failed)}" if failed else "")


def _drop_staged(c: Connection, one: _Import) -> None:
    if not one.copying:
        locations.give_up(c, locations.loc.image_id == one.task.image_id, locations.loc.store == STAGING)


def _end(c: Connection, one: _Import, status: str, message: str) -> None:
    lifetime_s = one.run.house.config.image.task_lifetime_s
    result = {"image_id": one.task.image_id} if status == "success" else None
    tasks.change(
        c,
        one.task.id,
        status=status,
        message=message[:2000],
        plan={name: value for name, value in one.plan.items() if name != "token"},
        result=result,
        expires_at=time.time() + lifetime_s,
    )


def _fail(one: _Import, message: str) -> None:
    """End the task and put everything back: a queued image without data, or the active one as it was."""
    with one.run.house.db.write() as c:
        row = tasks.locked_image(c, one.task.image_id)
        _drop_staged(c, one)
        if row is not None:
            kept = [] if one.plan["all_must_succeed"] or row.status == "importing" else row.stores
            for copy in locations.written_by(c, one.writer("copy")):
                if copy.store not in kept or copy.status != "active":
                    locations.give_up(c, locations.loc.name == copy.name)
            state = row.import_state or {"left": [], "failed": []}
            failed = list(dict.fromkeys([*state["failed"], *state["left"]])) or one.plan["stores"]
            values: dict[str, Any] = {"import_state": {"left": [], "failed": failed}}
            if row.status == "importing":
                nothing = dict.fromkeys(("size", "virtual_size", "checksum", "os_hash_value"))
                values |= nothing | {"status": "queued", "stores": []}
            store.change(c, row.id, values)
        _end(c, one, "failure", message)
