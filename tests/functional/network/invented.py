"""Requests made up from a service's own routes and schemas: what is added to the API is tried without a word here."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

Pick = Callable[[str], str]
"""From a collection (`ports`) the id of one of it; of everything for an unknown one."""
WORDS: dict[str, tuple[Any, ...]] = {
    "cidr": ("10.7.0.0/24", "10.8.0.0/28", "fd00:7::/64"),
    "ip_address": ("10.7.0.9", "10.8.0.3", "fd00:7::9", "10.1.1.1"),
    "addresses": ("10.9.0.0/24", "fd00:9::/64"),
    "destination": ("10.20.0.0/16", "10.21.0.0/24"),
    "nexthop": ("10.7.0.9", "10.8.0.3"),
    "dns_nameservers": ("9.9.9.9", "2620:fe::fe"),
    "dns_domain": ("example.org.", ""),
    "prefixes": ("10.64.0.0/12", "fd64::/48"),
    "mac_address": ("fa:16:3e:77:00:01", "fa:16:3e:77:00:02"),
    "protocol": ("tcp", "udp", "icmp"),
    "object_type": ("network", "security_group", "address_group", "qos_policy"),
    "action": ("access_as_shared", "access_as_external"),
    "target_tenant": ("*",),
    "host": ("host1", "host2"),
    "binding:host_id": ("host1", ""),
    "segmentation_type": ("vlan",),
    "opt_name": ("mtu", "bootfile-name"),
    "opt_value": ("1400", "boot"),
    "direction": ("ingress", "egress"),
    "ip_version": (4, 6),
}
"""Values that have a chance, by the names of properties."""


class Inventor:
    def __init__(self, routes: Any, rng: random.Random, pick: Pick) -> None:
        self.routes = [route for route in routes if route.method in ("POST", "PUT", "DELETE")]
        self.rng, self.pick = rng, pick
        self.taken: Counter[str] = Counter()
        """Answers by route; to be filled in by the caller."""

    def request(self) -> tuple[Any, str, Any]:
        """Return (route, path below the service, body)."""
        route = self.rng.choice(self.routes)
        parts = route.path.strip("/").split("/")
        collection, filled = "", []
        for number, part in enumerate(parts):
            if not part.startswith("{"):
                collection = part
                filled.append(part)
                continue
            whole = "/".join(parts[1:number])
            filled.append(self._segment(part, whole if whole == "qos/policies" else collection))
        body = None
        if route.request is not None:
            body = self.body(route.request.resolve(None))
        return route, "/".join(filled), body

    def _segment(self, part: str, collection: str) -> str:
        if part in ("{tag}", "{host}", "{project_id}"):
            return {"{tag}": "red", "{host}": "host1", "{project_id}": "p"}[part]
        return self.pick(collection)

    def body(self, schema: dict[str, Any], name: str = "") -> Any:
        """Make up something that fits a schema, more or less."""
        rng = self.rng
        for word in ("oneOf", "anyOf"):
            if word in schema and "properties" not in schema:
                return self.body(rng.choice(schema[word]), name)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = rng.choice(kind)
        if kind == "object":
            required = schema.get("required", ())
            return {
                key: self.body(inner, key)
                for key, inner in schema.get("properties", {}).items()
                if key in required or rng.random() < 0.35
            }
        if kind == "array":
            return [self.body(schema.get("items", {}), name) for _ in range(rng.choice((0, 1, 1, 2)))]
        if kind == "boolean":
            return rng.random() < 0.5
        if kind in ("integer", "number"):
            low = int(schema.get("minimum", 1))
            return rng.randint(low, min(int(schema.get("maximum", low + 100)), low + 100))
        return None if kind == "null" else self._word(name)

    def _word(self, name: str) -> Any:
        if name in WORDS:
            return self.rng.choice(WORDS[name])
        if name.endswith("_id") or name in ("security_groups", "id"):
            kind = name.removesuffix("_id").removeprefix("remote_").removeprefix("floating_")
            return self.pick(
                f"{kind.replace('_', '-')}s" if not kind.endswith("s") else kind.replace("_", "-")
            )
        return self.rng.choice(("", "word", str(uuid.UUID(int=self.rng.getrandbits(128)))))
