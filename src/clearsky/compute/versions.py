"""The microversions of the Compute API that are served. What each of them changed stands where it is done."""

from __future__ import annotations

from clearsky.api.microversions import Microversions

MICROVERSIONS = Microversions("compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version")
