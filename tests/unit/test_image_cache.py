"""The host's cache of images: linked or fetched once, verified, within bounds."""

from __future__ import annotations

import hashlib
import os
import threading
import time

import pytest

from clearsky.agent.host import HostError
from clearsky.agent.image_cache import ImageCache
from clearsky.agent.prefetch import Prefetch
from clearsky.agent.protocol import DesiredDisk

DATA = b"clear sky" * 1000


DIGEST = hashlib.sha512(DATA).hexdigest()


def _disk(id="one", path="", digest=DIGEST):
    return DesiredDisk(id, path, "raw", 1, len(DATA), image_hash=digest)


def _cache(folder, data=DATA, limit=1 << 30, pause_s=0.0):
    asked = []

    def fetch(id):
        asked.append(id)
        time.sleep(pause_s)
        yield data[:100]
        yield data[100:]

    return ImageCache(folder, os.getgid(), limit, fetch), asked


def test_a_file_of_this_machine_is_linked_and_survives_its_image(tmp_path):
    cache, asked = _cache(tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    source = tmp_path / "stored"
    source.write_bytes(DATA)
    found = cache.ensure(_disk(path=str(source)))
    assert found.stat().st_ino == source.stat().st_ino
    source.unlink()
    assert cache.ensure(_disk()).read_bytes() == DATA
    assert asked == []


def test_servers_that_start_together_fetch_an_image_once(tmp_path):
    cache, asked = _cache(tmp_path, pause_s=0.2)
    threads = [threading.Thread(target=cache.ensure, args=(_disk(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ((tmp_path / "one").read_bytes(), asked) == (DATA, ["one"])


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", b""])
def test_what_arrives_damaged_is_not_kept(tmp_path, data):
    cache, _ = _cache(tmp_path, data)
    with pytest.raises(HostError, match="SHA-512"):
        cache.ensure(_disk())
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing_and_can_be_repeated(tmp_path):
    def broken(_id):
        yield DATA[:10]
        raise HostError("broke off")

    with pytest.raises(HostError, match="broke off"):
        ImageCache(tmp_path, os.getgid(), 0, broken).ensure(_disk())
    assert list(tmp_path.iterdir()) == []
    assert _cache(tmp_path)[0].ensure(_disk()).read_bytes() == DATA


def test_an_image_that_is_gone_is_said_to_be_gone(tmp_path):
    cache, asked = _cache(tmp_path)
    with pytest.raises(HostError, match="not there any more"):
        cache.ensure(_disk(digest=""))
    with pytest.raises(HostError, match="are not at"):
        cache.ensure(_disk(path=str(tmp_path / "nowhere")))
    assert asked == []


def test_unused_images_are_kept_up_to_the_limit_the_last_used_longest(tmp_path):
    cache, _ = _cache(tmp_path, b"x" * 40_960, limit=100_000)
    digest = hashlib.sha512(b"x" * 40_960).hexdigest()
    for number, id in enumerate("abcd"):
        os.utime(cache.use(_disk(id, digest=digest)), (number, number))
    linked = tmp_path.parent / f"{tmp_path.name}-link"
    linked.write_bytes(b"x")
    os.link(linked, tmp_path / "linked")
    (tmp_path / "under-way.new").write_bytes(b"x")
    cache.use(_disk("a", digest=digest))  # the oldest, used again now
    cache.sweep(used={"c"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d", "under-way.new"]


def test_what_is_evicted_goes_at_once_unless_it_is_used(tmp_path):
    cache, _ = _cache(tmp_path)
    for id in "abc":
        cache.use(_disk(id))
    cache.sweep(used={"a"}, evicted=frozenset("ab"))
    assert sorted(cache.contents()) == ["a", "c"]


def test_contents_say_how_large_and_how_used_an_image_is(tmp_path):
    cache, _ = _cache(tmp_path)
    (tmp_path / "under-way.new").write_bytes(b"x")
    before = time.time()
    cache.ensure(_disk("fetched"))
    cache.use(_disk("used"))
    cache.use(_disk("used"))
    found = cache.contents()
    assert {id: (one.size_bytes, one.hits) for id, one in found.items()} == {
        "fetched": (len(DATA), 0),
        "used": (len(DATA), 2),
    }
    assert all(one.used_at >= before - 1 for one in found.values())


def test_wished_images_are_fetched_before_a_server_needs_them_and_tried_again(tmp_path):
    failing, came = {"b"}, threading.Event()

    def fetch(id):
        if id in failing:
            raise HostError("not now")
        yield DATA

    cache = ImageCache(tmp_path, os.getgid(), 0, fetch)
    prefetch = Prefetch(cache, came.set)
    wanted = tuple(_disk(id) for id in "abc")
    prefetch.look(wanted)
    prefetch._thread.join(30)
    assert came.is_set()
    assert sorted(cache.contents()) == ["a", "c"]
    failing.clear()
    prefetch.look(wanted)
    assert sorted(cache.contents()) == ["a", "c"], "not before its time"
    prefetch._again_at.clear()
    prefetch.look(wanted)
    prefetch._thread.join(30)
    assert sorted(cache.contents()) == ["a", "b", "c"]
