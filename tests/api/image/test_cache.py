"""The cache API: what hosts keep of images, what they are to keep, and what they are to give up."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import update

from clearsky import simulation
from clearsky.agent.protocol import CachedImage, Observed
from clearsky.compute import service as compute
from clearsky.compute.desired import may_have_image
from clearsky.image.tables import caches

CACHE = "/image/v2/cache"
DATA = b"clear sky" * 1000
COPY = CachedImage(len(DATA), 3, 1000.5, 900.0)


@pytest.fixture
def image(photos):
    id = photos.create()
    assert photos.upload(id, DATA).status_code == 204
    return id


def _shown(cloud):
    answer = cloud.admin.get(CACHE)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return {one["image_id"]: one for one in found["cached_images"]}, found["queued_images"]


def _names(cloud):
    cached, queued = _shown(cloud)
    return list(cached), queued


def _report(cloud, host, *images, revision=None, **more):
    """Report as a host that has copies of these images."""
    current = compute.desired(cloud.house, host)
    report = Observed(host, revision or current.revision, cached=dict.fromkeys(images, COPY), **more)
    compute.observe(cloud.house, report)


def _queue(cloud, image):
    answer = cloud.admin.put(f"{CACHE}/{image}")
    assert (answer.status_code, answer.content) == (202, b"")


def test_a_queued_image_comes_to_the_hosts_and_goes_when_it_is_deleted_there(cloud, image):
    _queue(cloud, image)
    assert _names(cloud) == ([], [image])
    _queue(cloud, image)
    simulation.step(cloud.house, cloud.agent)
    cached, queued = _shown(cloud)
    assert queued == []
    assert cached[image]["size"] == len(DATA)
    assert cached[image]["last_accessed"] == pytest.approx(time.time(), abs=600)
    assert cloud.admin.delete(f"{CACHE}/{image}").status_code == 204
    assert _names(cloud) == ([], [])
    assert compute.desired(cloud.house, "host1").evicted == (image,)
    simulation.step(cloud.house, cloud.agent)
    assert _names(cloud) == ([], [])
    assert compute.desired(cloud.house, "host1").evicted == (), "what is done is not asked for for ever"
    assert cloud.admin.delete(f"{CACHE}/{image}").status_code == 404


def test_the_host_is_told_what_it_needs_to_fetch_a_queued_image(cloud, image, photos):
    assert not may_have_image(cloud.house, "host1", image)
    _queue(cloud, image)
    (disk,) = compute.desired(cloud.house, "host1").cached
    assert (disk.image_id, disk.image_format) == (image, "raw")
    assert disk.image_hash == photos.show(image)["os_hash_value"]
    assert may_have_image(cloud.house, "host1", image)


def test_several_hosts_an_image_is_queued_until_all_have_it(cloud, image):
    _report(cloud, "host2")
    _queue(cloud, image)
    simulation.step(cloud.house, cloud.agent)
    assert _names(cloud) == ([image], [image])
    _report(cloud, "host2", image)
    cached, queued = _shown(cloud)
    assert queued == []
    assert (cached[image]["hits"], cached[image]["size"]) == (3, len(DATA))


def test_a_host_that_is_silent_does_not_count(cloud, image):
    _report(cloud, "host2")
    with cloud.house.db.write() as c:
        c.execute(update(caches).where(caches.c.host == "host2").values(seen_at=time.time() - 3600))
    _queue(cloud, image)
    simulation.step(cloud.house, cloud.agent)
    assert _names(cloud) == ([image], [])
    _report(cloud, "host2", image, capacity=simulation.CAPACITY)
    assert _shown(cloud)[0][image]["hits"] == 3


def test_a_report_from_before_the_eviction_does_not_bring_the_image_back(cloud, image):
    _report(cloud, "host1", image)
    old = compute.desired(cloud.house, "host1").revision
    assert cloud.admin.delete(f"{CACHE}/{image}").status_code == 204
    _report(cloud, "host1", image, revision=str(int(old)) if int(old) else "0")
    assert _names(cloud) == ([], [])


def test_a_copy_that_a_server_stands_on_stays_and_is_shown(cloud, image):
    _report(cloud, "host1", image)
    assert cloud.admin.delete(f"{CACHE}/{image}").status_code == 204
    _report(cloud, "host1", image)
    assert _names(cloud) == ([image], [])
    assert compute.desired(cloud.house, "host1").evicted == (image,), "and goes when the server has gone"


def test_clearing_takes_the_cache_the_queue_or_both(cloud, image, photos):
    other = photos.create()
    photos.upload(other, DATA)
    for target, left in (("cache", ([], [other])), ("queue", ([image], [])), ("", ([], []))):
        _report(cloud, "host1", image)
        _queue(cloud, other)
        headers = {"x-image-cache-clear-target": target} if target else {}
        assert cloud.admin.delete(CACHE, headers=headers).status_code == 204
        assert _names(cloud) == left, target
        cloud.admin.delete(CACHE)
        _report(cloud, "host1")
    answer = cloud.admin.delete(CACHE, headers={"x-image-cache-clear-target": "all"})
    assert answer.status_code == 400
    assert "neither cache nor queue" in answer.text


def test_only_an_active_image_can_be_cached(cloud, photos):
    empty = photos.create()
    answer = cloud.admin.put(f"{CACHE}/{empty}")
    assert answer.status_code == 400
    assert "only an active image" in answer.text
    assert cloud.admin.put(f"{CACHE}/no-such-image").status_code == 404
    assert cloud.admin.delete(f"{CACHE}/{empty}").status_code == 404
    assert _names(cloud) == ([], [])


def test_a_deleted_image_is_no_longer_wished_for(cloud, image):
    _queue(cloud, image)
    simulation.step(cloud.house, cloud.agent)
    assert cloud.member.delete(f"/image/v2/images/{image}").status_code == 204
    assert _names(cloud) == ([], [])
    cloud.settle()
    assert compute.desired(cloud.house, "host1").cached == ()


def test_others_than_administrators_may_not(cloud, image):
    for method, path in (
        ("GET", CACHE),
        ("PUT", f"{CACHE}/{image}"),
        ("DELETE", f"{CACHE}/{image}"),
        ("DELETE", CACHE),
    ):
        assert cloud.member.request(method, path).status_code == 403, (method, path)


def test_the_image_of_a_server_is_cached_as_long_as_the_server_is_there(cloud, image):
    flavor = {"name": "small", "vcpus": 1, "ram": 64, "disk": 1}
    flavor_id = cloud.admin.post("/compute/v2.1/flavors", json={"flavor": flavor}).json()["flavor"]["id"]
    body = {"name": "one", "imageRef": image, "flavorRef": flavor_id, "networks": "none"}
    headers = {"OpenStack-API-Version": "compute 2.37"}
    answer = cloud.member.post("/compute/v2.1/servers", json={"server": body}, headers=headers)
    assert answer.status_code == 202, answer.text
    cloud.settle()
    assert _names(cloud) == ([image], [])
    assert cloud.admin.delete(CACHE).status_code == 204
    cloud.settle()
    assert _names(cloud) == ([image], []), "a server stands on it"
    cloud.member.delete(f"/compute/v2.1/servers/{answer.json()['server']['id']}")
    cloud.settle()
    assert _names(cloud) == ([], [])
    assert compute.desired(cloud.house, "host1").evicted == ()
