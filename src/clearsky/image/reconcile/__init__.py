"""Moves images toward their desired state: deleted ones go with all bytes, dead uploads are given up."""

from __future__ import annotations

from clearsky.image.reconcile.images import reconcile_image, reconcile_location, sweep
from clearsky.image.reconcile.imports import reconcile_import
from clearsky.work.reconcile import Reconciler

RECONCILERS: dict[str, Reconciler] = {
    "image": reconcile_image,
    "image_import": reconcile_import,
    "image_location": reconcile_location,
    "image_sweep": sweep,
}
PERIODIC = ("image_sweep",)
SLOW = ("image_import",)
