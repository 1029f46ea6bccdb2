"""JSON Schemas of the Image API."""

from __future__ import annotations

from clearsky.image.schema.documents import DOCUMENT, NAMED
from clearsky.image.schema.images import CREATE, FIXED, IMAGE, INDEX, PATCH, SETTABLE, SHOW, VISIBILITIES
from clearsky.image.schema.info import USAGE
from clearsky.image.schema.members import MEMBER, MEMBER_CREATE, MEMBER_UPDATE, MEMBERS

__all__ = [
    "CREATE",
    "DOCUMENT",
    "FIXED",
    "IMAGE",
    "INDEX",
    "MEMBER",
    "MEMBERS",
    "MEMBER_CREATE",
    "MEMBER_UPDATE",
    "NAMED",
    "PATCH",
    "SETTABLE",
    "SHOW",
    "USAGE",
    "VISIBILITIES",
]
