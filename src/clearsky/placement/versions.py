"""The microversions of the Placement API that are served. What each of them changed stands where it is done."""

from __future__ import annotations

from clearsky.api.microversions import Microversions

MICROVERSIONS = Microversions("placement", (1, 0), (1, 39))
