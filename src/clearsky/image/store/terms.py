"""What images are found by, other than their columns: tags and custom properties, as an inverted index.

The values themselves are JSON in the image's row. Beside it stands one short digest for each tag and each property,
so that a search is an indexed comparison on every database, however long a value is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from clearsky.image import tables as t

x = t.terms.c


def of_tag(tag: str) -> str:
    return _digest("tag", tag)


def of_property(name: str, value: str) -> str:
    return _digest("property", name, value)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=20).hexdigest()


def of(tags: Iterable[str], properties: Mapping[str, Any]) -> set[str]:
    """Return every term of an image; a property without a value is found by nothing."""
    found = {of_tag(tag) for tag in tags}
    return found | {of_property(name, value) for name, value in properties.items() if isinstance(value, str)}


def keep(c: Connection, image_id: str, tags: Iterable[str], properties: Mapping[str, Any]) -> None:
    """Make the index say what the image's row says."""
    wanted = of(tags, properties)
    have = set(c.execute(select(x.term).where(x.image_id == image_id)).scalars())
    if gone := have - wanted:
        c.execute(delete(t.terms).where(x.image_id == image_id, x.term.in_(gone)))
    if new := wanted - have:
        c.execute(insert(t.terms), [{"term": term, "image_id": image_id} for term in sorted(new)])


def forget(c: Connection, image_id: str) -> None:
    c.execute(delete(t.terms).where(x.image_id == image_id))


def has(image_id: ColumnElement[str], term: str) -> ColumnElement[bool]:
    """The images with this term."""
    return image_id.in_(select(x.image_id).where(x.term == term))
