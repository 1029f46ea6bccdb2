"""Images to upload, and clouds with several stores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clearsky import config, config_sections

IMAGES = "/image/v2/images"
RAW = {"Content-Type": "application/octet-stream"}


@dataclass
class Photos:
    """One client's images, by id."""

    client: Any

    def create(self, **more: Any) -> str:
        body = {"name": "image", "disk_format": "raw", "container_format": "bare"} | more
        answer = self.client.post(IMAGES, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def show(self, id: str) -> dict[str, Any]:
        answer = self.client.get(f"{IMAGES}/{id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, id: str, data: Any, **headers: str) -> Any:
        return self.client.put(f"{IMAGES}/{id}/file", content=data, headers=RAW | headers)

    def stage(self, id: str, data: Any, **headers: str) -> Any:
        return self.client.put(f"{IMAGES}/{id}/stage", content=data, headers=RAW | headers)

    def download(self, id: str, **headers: str) -> Any:
        return self.client.get(f"{IMAGES}/{id}/file", headers=headers)

    def imports(self, id: str, method: str, uri: str | None = None, **more: Any) -> Any:
        wanted = {"name": method} | ({"uri": uri} if uri else {})
        return self.client.post(f"{IMAGES}/{id}/import", json={"method": wanted} | more)


@pytest.fixture
def photos(cloud) -> Photos:
    return Photos(cloud.member)


@pytest.fixture
def settings(settings: config.Config) -> config.Config:
    """Three stores, of which the first is the default."""
    stores = {
        name: config_sections.ImageStore(weight=weight) for name, weight in (("file", 0), ("b", 0), ("c", 0))
    }
    return replace(settings, image=replace(settings.image, stores=stores))


def files(cloud) -> list[str]:
    """Return every file that the image service has anywhere."""
    folders = (cloud.house.config.state / "images", cloud.house.config.image_staging)
    return sorted(str(path.relative_to(folder)) for folder in folders for path in _walk(folder))


def _walk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
