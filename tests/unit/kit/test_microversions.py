from __future__ import annotations

import pytest

from clearsky.api.microversions import Microversions
from clearsky.errors import Invalid, NotAcceptable

COMPUTE = Microversions("compute", (2, 1), (2, 104), "X-OpenStack-Nova-API-Version")


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ({}, (2, 1)),
        ({"openstack-api-version": "compute 2.53"}, (2, 53)),
        ({"openstack-api-version": "volume 3.1, compute 2.9"}, (2, 9)),
        ({"openstack-api-version": "compute latest"}, (2, 104)),
        ({"x-openstack-nova-api-version": "2.30"}, (2, 30)),
        ({"openstack-api-version": "compute 2.4", "x-openstack-nova-api-version": "2.30"}, (2, 4)),
        ({"openstack-api-version": "volume 3.1"}, (2, 1)),
    ],
)
def test_what_is_asked_for_is_used(headers, version):
    assert COMPUTE.negotiate(headers) == version


@pytest.mark.parametrize("asked", ["compute 2.105", "compute 2.0", "compute 3.1", "compute 1.9"])
def test_a_version_out_of_range_is_not_acceptable(asked):
    with pytest.raises(NotAcceptable, match=r"Minimum is 2\.1 and maximum is 2\.104"):
        COMPUTE.negotiate({"openstack-api-version": asked})


@pytest.mark.parametrize(
    "asked", ["compute 2", "compute 2.1.1", "compute two", "compute 2.01", "compute -2.1"]
)
def test_rubbish_is_invalid(asked):
    with pytest.raises(Invalid):
        COMPUTE.negotiate({"openstack-api-version": asked})


def test_both_headers_come_back():
    headers = COMPUTE.headers((2, 9))
    assert headers["OpenStack-API-Version"] == "compute 2.9"
    assert headers["X-OpenStack-Nova-API-Version"] == "2.9"
    assert "X-OpenStack-Nova-API-Version" in headers["Vary"]
