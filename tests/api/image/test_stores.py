"""Stores: several places for image data."""

from __future__ import annotations

from .conftest import files

S = "/image/v2/stores"


def _copy(cloud, photos, id):
    """Put a second copy where an import would."""
    from clearsky.image import service, store
    from clearsky.image.store import locations

    with cloud.house.db.write() as c:
        name = locations.begin(c, id, "b", "test")
    writer = service.stores(cloud.house)["b"].create(name)
    writer.write(photos.download(id).content)
    writer.finish()
    with cloud.house.db.write() as c:
        assert locations.complete(c, name, 1)
        store.change(c, id, {"stores": ["file", "b"]})


def test_stores_are_listed_with_the_default_marked(cloud):
    stores = cloud.member.get("/image/v2/info/stores").json()["stores"]
    assert [(one["id"], one.get("default")) for one in stores] == [
        ("file", "true"),
        ("b", None),
        ("c", None),
    ]


def test_only_administrators_see_what_stores_stand_on(cloud):
    assert cloud.member.get("/image/v2/info/stores/detail").status_code == 403
    stores = cloud.admin.get("/image/v2/info/stores/detail").json()["stores"]
    assert {one["type"] for one in stores} == {"file"}
    assert all("data_dir" in one["properties"] for one in stores)


def test_one_of_two_copies_can_go_and_the_last_one_cannot(cloud, photos):
    id = photos.create()
    photos.upload(id, b"data")
    assert cloud.admin.delete(f"{S}/b/{id}").status_code == 404
    assert cloud.admin.delete(f"{S}/file/{id}").status_code == 403
    _copy(cloud, photos, id)
    for client in (cloud.member, cloud.reader, cloud.foreign):
        assert client.delete(f"{S}/file/{id}").status_code == 403
    assert cloud.admin.delete(f"{S}/nowhere/{id}").status_code == 404
    assert cloud.admin.delete(f"{S}/file/{id}").status_code == 204
    assert photos.show(id)["stores"] == "b"
    cloud.settle()
    assert [name.split("/")[0] for name in files(cloud)] == ["b"]
    assert photos.download(id).content == b"data"
    assert cloud.admin.delete(f"{S}/b/{id}").status_code == 403


def test_a_queued_image_is_in_no_store(cloud, photos):
    id = photos.create()
    assert "stores" not in photos.show(id)
    assert cloud.admin.delete(f"{S}/file/{id}").status_code == 409


def test_a_download_prefers_the_store_that_is_asked_for_and_falls_back(cloud, photos):
    id = photos.create()
    photos.upload(id, b"data")
    _copy(cloud, photos, id)
    (cloud.house.config.state / "images" / next(n for n in files(cloud) if "/" not in n)).unlink()
    assert photos.download(id).content == b"data"
    assert cloud.member.get(f"/image/v2/images/{id}/file?prefer=b,c,nowhere").content == b"data"
