"""Metadata definitions: which keys mean what on which kind of resource."""

from __future__ import annotations

from clearsky.api.routing import Routes
from clearsky.image.api.metadefs import namespaces, objects, properties, resource_types, tags

_ROOMS = (namespaces, objects, properties, resource_types, tags)
routes = Routes([route for room in _ROOMS for route in room.routes.all])
