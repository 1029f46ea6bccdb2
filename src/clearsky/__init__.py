"""Clearsky: an OpenStack-compatible cloud that one can see through."""

__version__ = "0.1.0"
