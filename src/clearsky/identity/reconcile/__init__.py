"""Keeps the keys of Identity young: those of tokens, and those that encrypt stored credentials."""

from __future__ import annotations

import math

from clearsky.house import House
from clearsky.identity import service
from clearsky.identity.store import encrypted
from clearsky.work.reconcile import Again, Outcome, Reconciler, Run

LOOK_S = 300.0
CREDENTIAL_KEYS = 2
"""How many are kept besides the staged one: nothing is encrypted by an older one."""


def token_keys_to_keep(house: House) -> int:
    """Return how many keys of tokens there must be, so that each token can be read as long as it may be asked about."""
    period_s = house.config.identity.key_rotation_s
    return 2 + (math.ceil(service.remember_s(house) / period_s) if period_s else 1)


def rotate_token_keys(house: House, *, if_older_than_s: float = 0.0) -> bool:
    """Make a new key the one that seals tokens; tokens that live stay readable. Returns whether it did."""
    keys = service.keys(house)
    # A rotation by hand must not push out a key before the tokens that it has sealed have ended.
    return keys.rotate(
        token_keys_to_keep(house), if_older_than_s=if_older_than_s, young_s=service.remember_s(house)
    )


def rotate_credential_keys(house: House, *, if_older_than_s: float = 0.0) -> bool:
    """Make a new key the one that encrypts stored credentials, and encrypt all that they have made anew."""
    keys = service.credential_keys(house)

    def encrypt_anew() -> None:
        for column in encrypted.COLUMNS:
            with house.db.read() as c:
                pages = list(encrypted.batches(c, column))
            for ids in pages:
                with house.db.write() as c:
                    for id in ids:
                        encrypted.reencrypt(c, keys, column, id)

    return keys.rotate(1 + CREDENTIAL_KEYS, if_older_than_s=if_older_than_s, before_forgetting=encrypt_anew)


def keep_keys_young(run: Run) -> Outcome:
    """Rotate what has become old enough."""
    settings = run.house.config.identity
    if settings.key_rotation_s:
        with run.step("ensure_young_token_keys"):
            rotate_token_keys(run.house, if_older_than_s=settings.key_rotation_s)
    if settings.credential_key_rotation_s:
        with run.step("ensure_young_credential_keys"):
            rotate_credential_keys(run.house, if_older_than_s=settings.credential_key_rotation_s)
    return Again(LOOK_S)


RECONCILERS: dict[str, Reconciler] = {"identity_keys": keep_keys_young}
PERIODIC = ("identity_keys",)
