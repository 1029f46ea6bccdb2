"""Times as Identity writes and reads them."""

from __future__ import annotations

from datetime import UTC, datetime

from clearsky.errors import Invalid


def iso(seconds: float | None) -> str | None:
    """Render a time as Identity does: microseconds and a Z."""
    return None if seconds is None else plain(seconds) + "Z"


def plain(seconds: float) -> str:
    """Render a time without its zone, as application credentials have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def parse(text: str, where: str) -> float:
    """Read a time (ISO 8601; UTC where no zone is named); raises Invalid that names `where`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"{where} = {text!r:.60} is not a time; it should be like 2027-01-31T23:59:59.000000Z."
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def parse_future(text: str | None, where: str, now: float) -> float | None:
    """Read when something is to end: None for never; raises Invalid for a time that is past."""
    if text is None:
        return None
    moment = parse(text, where)
    if moment <= now:
        raise Invalid(f"{where} = {text!r:.60} is past already.")
    return moment
