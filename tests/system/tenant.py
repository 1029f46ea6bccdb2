"""A tenant with patience, for the test that kills processes: 20 servers come, half of them go, whatever happens.

Run on the cloud's host as a program of its own; prints as JSON what it has kept and what it has deleted.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import openstack
from keystoneauth1.exceptions import ClientException
from openstack.exceptions import NotFoundException, SDKException

PATIENCE_S = 60.0


def insist(call: Callable[[], Any]) -> Any:
    """Ask again while the cloud is being killed; answers that blame the request are not asked again."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except NotFoundException:
            return None
        except (SDKException, ClientException, OSError) as error:
            code = getattr(error, "status_code", None) or getattr(error, "http_status", None)
            if (code and code < 500) or time.monotonic() > end:
                raise
            time.sleep(0.2)


def main(seed: int, count: int) -> None:
    rng = random.Random(seed)
    cloud = insist(lambda: openstack.connect(cloud="trial"))
    image = insist(lambda: cloud.image.find_image("tiny"))
    flavor = insist(lambda: cloud.compute.find_flavor("m1.nano"))
    network = insist(lambda: cloud.network.find_network("demo"))
    deleted: list[str] = []
    for number in range(count):
        insist(
            lambda number=number: cloud.compute.create_server(
                name=f"chaos-{number}",
                image_id=image.id,
                flavor_id=flavor.id,
                networks=[{"uuid": network.id}],
            )
        )
        time.sleep(rng.uniform(0.1, 1.5))
        if number % 2:
            there = [
                one for one in insist(lambda: list(cloud.compute.servers())) if one.name.startswith("chaos")
            ]
            victim = rng.choice(sorted(there, key=lambda one: one.id))
            insist(lambda victim=victim: cloud.compute.delete_server(victim.id))
            deleted.append(victim.id)
    print(json.dumps({"deleted": deleted}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
