"""Reconcilers of the Compute service."""

from __future__ import annotations

from clearsky.compute.reconcile.server import reconcile_server
from clearsky.work.reconcile import Reconciler

RECONCILERS: dict[str, Reconciler] = {"server": reconcile_server}
