"""The microversions of the Placement API that are served.

Everything here follows 1.39, whose bodies older versions shared for these routes in most parts: an older version
is answered only where the shape is the same, so the minimum is the first one with today's allocation format.
"""

from __future__ import annotations

from clearsky.api.microversions import Microversions

MICROVERSIONS = Microversions("placement", (1, 0), (1, 39))
