"""Every command of the client's image family that is about what images are, not about their data's ways."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request

import pytest

DATA = bytes(range(256)) * 64


@pytest.fixture(scope="module")
def other(cloud):
    """A second project, with a user of its own: the name of its entry."""
    cloud.run("project", "create", "other")
    cloud.run("user", "create", "--password", "a-secret", "other")
    cloud.run("role", "add", "--project", "other", "--user", "other", "member")
    return cloud.entry("other", username="other", password="a-secret", project_name="other")


@pytest.fixture
def image(cloud):
    """An image of the user demo with data; deleted afterwards."""
    file = cloud.folder / "data.raw"
    file.write_bytes(DATA)
    made = cloud.json(
        "image", "create", "--disk-format", "raw", "--container-format", "bare", "--file", str(file),
        "--property", "os_distro=debian", "--tag", "one", "--min-ram", "64", "--private", "mine", user="trial",
    )  # fmt: skip
    yield made["id"]
    cloud.openstack("image", "set", "--unprotected", made["id"])
    cloud.run("image", "delete", made["id"])


def _names(cloud, *words, user="trial"):
    return {one["Name"] for one in cloud.json("image", "list", *words, user=user)}


def test_create_show_save_delete(cloud, image):
    shown = cloud.json("image", "show", "mine", user="trial")
    assert (shown["id"], shown["status"], shown["size"]) == (image, "active", len(DATA))
    assert (shown["min_ram"], shown["visibility"], shown["tags"]) == (64, "private", ["one"])
    assert shown["properties"]["os_distro"] == "debian"
    assert shown["properties"]["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    saved = cloud.folder / "saved.raw"
    cloud.run("image", "save", "--file", str(saved), image, user="trial")
    assert saved.read_bytes() == DATA
    assert "No Image found" in cloud.fails("image", "show", "nothing", user="trial")


def test_set_and_unset(cloud, image):
    cloud.run(
        "image", "set", "--name", "renamed", "--min-disk", "2", "--protected", "--community", "--property", "a=1",
        "--property", "b=2", "--tag", "two", "--architecture", "x86_64", "--os-version", "12", image, user="trial",
    )  # fmt: skip
    shown = cloud.json("image", "show", image, user="trial")
    assert (shown["name"], shown["min_disk"], shown["protected"]) == ("renamed", 2, True)
    assert shown["visibility"] == "community"
    assert sorted(shown["tags"]) == ["one", "two"]
    assert (
        shown["properties"].items()
        >= {"a": "1", "b": "2", "architecture": "x86_64", "os_version": "12"}.items()
    )
    assert "protected" in cloud.fails("image", "delete", image, user="trial")
    cloud.run("image", "unset", "--tag", "one", "--property", "a", image, user="trial")
    cloud.run("image", "set", "--unprotected", "--private", image, user="trial")
    shown = cloud.json("image", "show", image, user="trial")
    assert (shown["tags"], "a" in shown["properties"], shown["properties"]["b"]) == (["two"], False, "2")
    assert "publicize_image" in cloud.fails("image", "set", "--public", image, user="trial")
    cloud.run("image", "set", "--public", image)
    assert cloud.json("image", "show", image, user="trial")["visibility"] == "public"
    project = cloud.json("project", "show", "admin")["id"]
    cloud.run("image", "set", "--project", "admin", image)
    assert cloud.json("image", "show", image)["owner"] == project


def test_deactivate_and_activate(cloud, image):
    cloud.run("image", "set", "--deactivate", image, user="trial")
    assert cloud.json("image", "show", image, user="trial")["status"] == "deactivated"
    cloud.fails("image", "save", "--file", str(cloud.folder / "no"), image, user="trial")
    cloud.run("image", "set", "--activate", image, user="trial")
    assert cloud.json("image", "show", image, user="trial")["status"] == "active"


def test_list(cloud, image):
    assert {"mine", "tiny"} <= _names(cloud)
    for words in (
        ("--private",),
        ("--name", "mine"),
        ("--status", "active", "--private"),
        ("--tag", "one"),
        ("--property", "os_distro=debian", "--private"),
        ("--project", "demo"),
    ):
        user = "trial-admin" if "--project" in words else "trial"
        assert _names(cloud, *words, user=user) == {"mine"}, words
    assert _names(cloud, "--public") == {"tiny"}
    assert _names(cloud, "--community") == set()
    assert "mine" in _names(cloud, "--all")
    cloud.run("image", "set", "--hidden", image, user="trial")
    assert "mine" not in _names(cloud)
    assert _names(cloud, "--hidden") == {"mine"}
    cloud.run("image", "set", "--unhidden", image, user="trial")
    ordered = cloud.json("image", "list", "--sort", "name:asc", user="trial")
    assert [one["Name"] for one in ordered] == ["mine", "tiny"]
    assert len(cloud.json("image", "list", "--limit", "1", "--max-items", "1", user="trial")) == 1
    after = cloud.json("image", "list", "--sort", "name:asc", "--marker", "mine", user="trial")
    assert [one["Name"] for one in after] == ["tiny"]
    long = cloud.json("image", "list", "--long", "--private", user="trial")[0]
    assert (long["Disk Format"], long["Size"], long["Checksum"]) == (
        "raw",
        len(DATA),
        hashlib.md5(DATA).hexdigest(),
    )


def test_members(cloud, image, other):
    cloud.run("image", "set", "--shared", image, user="trial")
    project = cloud.json("project", "show", "other")["id"]
    added = cloud.json("image", "add", "project", image, project, user="trial")
    assert (added["member_id"], added["status"]) == (project, "pending")
    assert [one["Status"] for one in cloud.json("image", "member", "list", image, user="trial")] == [
        "pending"
    ]
    assert "mine" in _names(cloud, "--shared", "--member-status", "pending", user=other)
    assert "mine" not in _names(cloud, user=other)
    for word, status in (("--accept", "accepted"), ("--reject", "rejected"), ("--pending", "pending")):
        cloud.run("image", "set", word, image, user=other)
        assert cloud.json("image", "member", "get", image, project, user="trial")["status"] == status
    cloud.run("image", "set", "--accept", image, user=other)
    assert "mine" in _names(cloud, user=other)
    assert "403" in cloud.fails("image", "delete", image, user=other)
    cloud.run("image", "remove", "project", image, project, user="trial")
    assert cloud.json("image", "member", "list", image, user="trial") == []
    assert "No Image found" in cloud.fails("image", "show", image, user=other)


@pytest.fixture
def namespace(cloud):
    name = "Trial::Namespace"
    cloud.run("image", "metadef", "namespace", "create", "--public", "--description", "For a trial", name)
    yield name
    cloud.run("image", "metadef", "namespace", "set", "--unprotected", name)
    cloud.run("image", "metadef", "namespace", "delete", name)


def test_metadata_namespaces(cloud, namespace):
    shown = cloud.json("image", "metadef", "namespace", "show", namespace, user="trial")
    assert (shown["namespace"], shown["visibility"], shown["protected"]) == (namespace, "public", False)
    listed = {one["namespace"] for one in cloud.json("image", "metadef", "namespace", "list", user="trial")}
    assert {namespace, "OS::Compute::LibvirtImage", "OS::Glance::CommonImageProperties"} <= listed
    limited = cloud.json(
        "image",
        "metadef",
        "namespace",
        "list",
        "--resource-types",
        "OS::Nova::Aggregate",
        "--visibility",
        "public",
    )
    assert "OS::Compute::AggregateNumInstancesFilter" in {one["namespace"] for one in limited}
    assert namespace not in {one["namespace"] for one in limited}
    cloud.run(
        "image",
        "metadef",
        "namespace",
        "set",
        "--private",
        "--display-name",
        "Trial",
        "--protected",
        namespace,
    )
    shown = cloud.json("image", "metadef", "namespace", "show", namespace)
    assert (shown["visibility"], shown["display_name"], shown["protected"]) == ("private", "Trial", True)
    assert "No MetadefNamespace" in cloud.fails(
        "image", "metadef", "namespace", "show", namespace, user="trial"
    )
    assert "403" in cloud.fails("image", "metadef", "namespace", "create", "not-mine", user="trial")
    cloud.fails("image", "metadef", "namespace", "delete", namespace)
    cloud.run("image", "metadef", "namespace", "set", "--unprotected", "--tag", "a", "--tag", "b", namespace)
    tags = cloud.json("image", "metadef", "namespace", "show", namespace)["tags"]
    assert {one["name"] if isinstance(one, dict) else one for one in tags} == {"a", "b"}
    cloud.run("image", "metadef", "namespace", "unset", "--tag", "a", namespace)
    cloud.run("image", "metadef", "namespace", "unset", "--all-tags", namespace)
    assert not cloud.json("image", "metadef", "namespace", "show", namespace).get("tags")


def test_metadata_objects(cloud, namespace):
    made = cloud.json("image", "metadef", "object", "create", "--namespace", namespace, "thing")
    assert made["name"] == "thing"
    assert (
        cloud.json("image", "metadef", "object", "show", namespace, "thing", user="trial")["name"] == "thing"
    )
    cloud.run("image", "metadef", "object", "update", "--name", "other-thing", namespace, "thing")
    listed = cloud.json("image", "metadef", "object", "list", namespace, user="trial")
    assert [one["name"] for one in listed] == ["other-thing"]
    shares = cloud.json(
        "image", "metadef", "object", "property", "show", "OS::Compute::Quota", "CPU Limits", "quota:cpu_shares",
        user="trial",
    )  # fmt: skip
    assert (shares["name"], shares["type"]) == ("quota:cpu_shares", "integer")
    cloud.run("image", "metadef", "object", "delete", namespace, "other-thing")
    assert cloud.json("image", "metadef", "object", "list", namespace) == []


def test_metadata_properties(cloud, namespace):
    schema = json.dumps({"enum": ["a", "b"], "description": "One of two", "default": "a"})
    made = cloud.json(
        "image", "metadef", "property", "create", "--name", "one_of", "--title", "One", "--type", "string",
        "--schema", schema, namespace,
    )  # fmt: skip
    assert (made["name"], made["enum"]) == ("one_of", ["a", "b"])
    cloud.run("image", "metadef", "property", "set", "--title", "Other", namespace, "one_of")
    shown = cloud.json("image", "metadef", "property", "show", namespace, "one_of", user="trial")
    assert (shown["title"], shown["enum"], shown["default"]) == ("Other", ["a", "b"], "a")
    listed = cloud.json("image", "metadef", "property", "list", namespace, user="trial")
    assert listed == [{"name": "one_of", "title": "Other", "type": "string"}]
    cloud.run("image", "metadef", "property", "delete", namespace, "one_of")
    cloud.fails("image", "metadef", "property", "show", namespace, "one_of")
    cloud.run("image", "metadef", "property", "delete", namespace)
    assert cloud.json("image", "metadef", "property", "list", namespace) == []


def test_metadata_resource_types(cloud, namespace):
    types = cloud.json("image", "metadef", "resource", "type", "list", user="trial")
    assert {"OS::Glance::Image", "OS::Nova::Flavor"} <= {one["Name"] for one in types}
    association = ("image", "metadef", "resource", "type", "association")
    made = cloud.json(*association, "create", "--properties-target", "image", namespace, "OS::Glance::Image")
    assert (made["name"], made["properties_target"]) == ("OS::Glance::Image", "image")
    listed = cloud.json(*association, "list", namespace, user="trial")
    assert [one["Name"] if "Name" in one else one["name"] for one in listed] == ["OS::Glance::Image"]
    cloud.run(*association, "delete", namespace, "OS::Glance::Image")
    assert cloud.json(*association, "list", namespace) == []


def _imported(cloud, image):
    """Wait until an import has ended; return the image."""
    for _ in range(100):
        shown = cloud.json("image", "show", image, user="trial")
        if shown["status"] not in ("queued", "uploading", "importing"):
            return shown
        time.sleep(0.2)
    raise AssertionError(shown)


def _queued(cloud, name):
    """Make an image without data: the command itself would take what is on its standard input."""
    token = cloud.run("token", "issue", "-f", "value", "-c", "id", user="trial").strip()
    body = json.dumps({"name": name, "disk_format": "raw", "container_format": "bare"}).encode()
    asked = urllib.request.Request(f"{cloud.root}/image/v2/images", body)
    asked.add_header("X-Auth-Token", token)
    with urllib.request.urlopen(asked) as answer:
        return json.load(answer)["id"]


def test_stage_import_and_the_task_of_it(cloud):
    info = cloud.json("image", "import", "info", user="trial")
    assert "glance-direct" in str(info["import-methods"])
    file = cloud.folder / "staged.raw"
    file.write_bytes(DATA)
    made = _queued(cloud, "staged")
    cloud.run("image", "stage", "--file", str(file), made, user="trial")
    assert cloud.json("image", "show", made, user="trial")["status"] == "uploading"
    cloud.run("image", "import", "--method", "glance-direct", made, user="trial")
    shown = _imported(cloud, made)
    assert (shown["status"], shown["size"]) == ("active", len(DATA))
    assert shown["properties"]["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    tasks = cloud.json("image", "task", "list", "--status", "success")
    assert len(tasks) == 1
    assert cloud.json("image", "task", "list", "--type", "import") == []
    task = cloud.json("image", "task", "show", tasks[0]["ID"])
    assert (task["status"], task["type"]) == ("success", "api_image_import")
    assert "403" in cloud.fails("image", "task", "list", user="trial")
    cloud.run("image", "delete", made, user="trial")


def test_create_by_import(cloud):
    file = cloud.folder / "import.raw"
    file.write_bytes(DATA)
    cloud.run(
        "image", "create", "--disk-format", "raw", "--container-format", "bare", "--import", "--file", str(file),
        "imported", user="trial",
    )  # fmt: skip
    assert _imported(cloud, "imported")["size"] == len(DATA)
    cloud.run("image", "delete", "imported", user="trial")


def test_what_is_not_on_the_public_internet_is_not_fetched(cloud):
    made = _queued(cloud, "inner")
    address = f"{cloud.root}/healthz"
    cloud.run("image", "import", "--method", "web-download", "--uri", address, made, user="trial")
    # The client does not look at the answer, which is 400: no import has begun.
    assert cloud.json("image", "task", "list", "--status", "failure") == []
    assert cloud.json("image", "show", made, user="trial")["status"] == "queued"
    cloud.run("image", "delete", made, user="trial")


def test_stores(cloud):
    stores = cloud.json("image", "stores", "list", user="trial")
    assert [(one["ID"], one["Default"]) for one in stores] == [("file", True)]
    detail = cloud.json("image", "stores", "list", "--detail")
    assert "file" in str(detail[0])
    assert "403" in cloud.fails("image", "stores", "list", "--detail", user="trial")


def _cached(cloud):
    """Return id -> state, as the client shows it."""
    return {one["ID"]: one["State"] for one in cloud.json("cached", "image", "list")}


def _until(condition):
    for _ in range(100):
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError("it does not come about")


def test_the_cache_of_hosts(cloud, image):
    assert image not in _cached(cloud)
    cloud.run("cached", "image", "queue", image)
    _until(lambda: _cached(cloud).get(image) == "cached")
    shown = next(one for one in cloud.json("cached", "image", "list") if one["ID"] == image)
    assert (shown["Size"], shown["Hits"]) == (len(DATA), 0)
    assert shown["Last Accessed (UTC)"] > "2026"
    cloud.run("cached", "image", "delete", image)
    assert image not in _cached(cloud)
    assert "Failed to delete" in cloud.fails("cached", "image", "delete", "no-such-image")
    cloud.run("cached", "image", "queue", image)
    _until(lambda: _cached(cloud).get(image) == "cached")
    cloud.run("cached", "image", "clear", "--queue")
    assert image in _cached(cloud)
    cloud.run("cached", "image", "clear", "--cache")
    assert image not in _cached(cloud)
    cloud.run("cached", "image", "queue", image)
    cloud.run("cached", "image", "clear")
    assert image not in _cached(cloud)
    assert "cache_list" in cloud.fails("cached", "image", "list", user="trial")
    assert "Failed to queue" in cloud.fails("cached", "image", "queue", image, user="trial")


def test_an_image_of_another_region_is_fetched_from_there(cloud, image):
    """The region is this cloud's own: what is asked is the real service all the same."""
    cloud.run("image", "set", "--property", "hw_disk_bus=scsi", image, user="trial")
    made = _queued(cloud, "from-afar")
    words = ["image", "import", "--method", "glance-download", "--remote-image", image, made]
    words += ["--remote-service-interface", "public"]  # without it the client sends nothing of where from
    assert "--remote-region" in cloud.fails(*words, user="trial")
    cloud.run(*words, "--remote-region", "RegionOne", user="trial")
    shown = _imported(cloud, made)
    assert (shown["status"], shown["size"]) == ("active", len(DATA))
    assert shown["properties"]["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert shown["properties"]["hw_disk_bus"] == "scsi"
    cloud.run("image", "delete", made, user="trial")
