"""JSON Schemas of the Image API."""

from __future__ import annotations

from clearsky.image.schema.documents import DOCUMENT
from clearsky.image.schema.images import CREATE, CUSTOM, IMAGE, INDEX, PATCH, SETTABLE, SHOW
from clearsky.image.schema.members import MEMBER, MEMBER_CREATE, MEMBER_UPDATE, MEMBERS

__all__ = [
    "CREATE",
    "CUSTOM",
    "DOCUMENT",
    "IMAGE",
    "INDEX",
    "MEMBER",
    "MEMBERS",
    "MEMBER_CREATE",
    "MEMBER_UPDATE",
    "PATCH",
    "SETTABLE",
    "SHOW",
]
