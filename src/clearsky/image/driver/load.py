"""Which stores there are, by the settings."""

from __future__ import annotations

from clearsky.config import Config, ConfigError
from clearsky.config_sections import ImageStore
from clearsky.image.driver.files import Files
from clearsky.image.driver.interface import Store

STAGING = "os_glance_staging_store"
"""Reserved, as in Glance: where imports keep what has not been looked at yet."""


class Stores:
    """The configured stores in order of preference (weight, then the file's order), and the staging area."""

    def __init__(self, config: Config) -> None:
        described = config.image.stores or {"file": ImageStore()}
        self.settings = dict(sorted(described.items(), key=lambda item: -item[1].weight))
        self.default = config.image.default_store or next(iter(described))
        if self.default not in self.settings:
            known = ", ".join(self.settings)
            raise ConfigError(f"[image] default_store = {self.default!r} is no store; there are: {known}")
        if STAGING in self.settings:
            raise ConfigError(f"[image.stores.{STAGING}]: this name is reserved for the staging area")
        self._stores: dict[str, Store] = {
            name: _open(config, name, settings) for name, settings in described.items()
        }
        self.staging = self._stores[STAGING] = Files(config.image_staging)

    def __contains__(self, name: str) -> bool:
        return name in self.settings

    def __getitem__(self, name: str) -> Store:
        return self._stores[name]

    @property
    def names(self) -> list[str]:
        """Return the stores that clients may name, most preferred first."""
        return list(self.settings)

    @property
    def all_names(self) -> list[str]:
        return list(self._stores)

    def holds(self, name: str) -> bool:
        """Say whether the store is there, the staging area included."""
        return name in self._stores

    def ordered(self, names: list[str]) -> list[str]:
        """Sort store names by preference; stores that are no longer configured come last."""
        return sorted(names, key=lambda name: self.names.index(name) if name in self.settings else 9999)


def load(config: Config) -> Stores:
    return Stores(config)


def _open(config: Config, name: str, settings: ImageStore) -> Store:
    if settings.type == "file":
        usual = config.state / "images" if name == "file" else config.state / "images" / name
        return Files(usual if settings.folder == settings.__class__().folder else settings.folder)
    if settings.type == "rbd":
        from clearsky.image.driver.rbd import Rbd  # noqa: PLC0415 - only where it is used

        return Rbd(settings)
    raise ConfigError(f"[image.stores.{name}] type = {settings.type!r}: there are file and rbd")
