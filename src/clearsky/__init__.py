"""Clearsky: an OpenStack-compatible cloud that one can see through."""

import sys

__version__ = "0.1.0"

# structlog loads rich where it is installed, for colours that JSON logs do not have: 12 MB in each process.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
