"""Where the data is: shown to the owner, and changed by administrators, where settings say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from .test_stores import _copy

V1 = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
I = "/image/v2/images"  # noqa: E741


@pytest.fixture
def located(cloud, photos):
    """An image with two copies, in a cloud that shows where they are."""
    settings = cloud.house.config
    image = replace(settings.image, show_multiple_locations=True, show_image_direct_url=True)
    cloud.house.config = replace(settings, image=image)
    id = photos.create(visibility="community")
    photos.upload(id, b"data")
    _copy(cloud, photos, id)
    return id


def _patch(client, id, *operations):
    return client.patch(f"{I}/{id}", json=list(operations), headers=V1)


def test_nobody_sees_locations_where_no_setting_says_so(cloud, photos):
    id = photos.create()
    photos.upload(id, b"data")
    assert {"locations", "direct_url"} & cloud.admin.get(f"{I}/{id}").json().keys() == set()
    assert _patch(cloud.admin, id, {"op": "remove", "path": "/locations/0"}).status_code == 403


def test_the_owner_sees_where_the_data_is_and_others_do_not(cloud, located):
    shown = cloud.member.get(f"{I}/{located}").json()
    assert [one["metadata"]["store"] for one in shown["locations"]] == ["file", "b"]
    assert shown["direct_url"] == shown["locations"][0]["url"]
    assert shown["direct_url"].startswith("file:///")
    for client in (cloud.member, cloud.reader, cloud.admin):
        listed = client.get(f"{I}?visibility=community").json()["images"][0]
        assert listed["locations"] == shown["locations"]
    for other in (
        cloud.foreign.get(f"{I}/{located}").json(),
        cloud.foreign.get(f"{I}?visibility=community").json()["images"][0],
    ):
        assert (other["locations"], "direct_url" in other) == ([], False)


def test_a_deactivated_image_is_located_by_administrators_only(cloud, located):
    assert cloud.admin.post(f"{I}/{located}/actions/deactivate").status_code == 204
    assert cloud.member.get(f"{I}/{located}").json()["locations"] == []
    assert len(cloud.admin.get(f"{I}/{located}").json()["locations"]) == 2


def test_a_queued_image_has_no_location(cloud, located, photos):
    shown = cloud.member.get(f"{I}/{photos.create()}").json()
    assert (shown["locations"], "direct_url" in shown) == ([], False)


def test_administrators_take_copies_away(cloud, located, photos):
    remove = {"op": "remove", "path": "/locations/0"}
    assert _patch(cloud.member, located, remove).status_code == 403
    answer = _patch(cloud.admin, located, remove, {"op": "replace", "path": "/name", "value": "less"})
    assert answer.status_code == 200, answer.text
    assert [one["metadata"]["store"] for one in answer.json()["locations"]] == ["b"]
    assert (answer.json()["stores"], answer.json()["name"]) == ("b", "less")
    cloud.settle()
    assert photos.download(located).content == b"data"
    assert _patch(cloud.admin, located, remove).status_code == 403


def test_what_fails_takes_nothing_away(cloud, located):
    answer = _patch(
        cloud.admin, located, {"op": "remove", "path": "/locations/0"}, {"op": "remove", "path": "/nothing"}
    )
    assert answer.status_code == 409
    assert len(cloud.member.get(f"{I}/{located}").json()["locations"]) == 2


def test_data_does_not_come_by_a_url(cloud, located, photos):
    add = {"op": "add", "path": "/locations/-", "value": {"url": "file:///etc/passwd", "metadata": {}}}
    for id in (located, photos.create()):
        assert _patch(cloud.admin, id, add).status_code == 400
        assert _patch(cloud.member, id, add).status_code == 400
    assert _patch(cloud.foreign, located, add).status_code == 403
