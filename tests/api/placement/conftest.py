"""A client of Placement, and providers to ask for."""

from __future__ import annotations

import uuid

import pytest


class Placement:
    """Speaks one microversion: `placement("1.39").put(...)`."""

    def __init__(self, client, version="1.39"):
        self._client = client
        self._headers = {"OpenStack-API-Version": f"placement {version}"}

    def __call__(self, version):
        return Placement(self._client, version)

    def ask(self, method, path, status, body=None):
        answer = self._client.request(method, f"/placement{path}", json=body, headers=self._headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else answer

    def get(self, path, status=200):
        return self.ask("GET", path, status)

    def put(self, path, body=None, status=200):
        return self.ask("PUT", path, status, body)

    def post(self, path, body, status=200):
        return self.ask("POST", path, status, body)

    def delete(self, path, status=204):
        return self.ask("DELETE", path, status)

    # -- shorthands

    def provider(self, name, parent=None, inventories=None, traits=(), aggregates=()):
        """Make a provider with what it has; returns its id."""
        body = {"name": name} | ({"parent_provider_uuid": parent} if parent else {})
        id = self.post("/resource_providers", body)["uuid"]
        if inventories:
            wanted = {kind: {"total": total} for kind, total in inventories.items()}
            self.put(
                f"/resource_providers/{id}/inventories",
                {"resource_provider_generation": self.generation(id), "inventories": wanted},
            )
        if traits:
            self.put(
                f"/resource_providers/{id}/traits",
                {"resource_provider_generation": self.generation(id), "traits": list(traits)},
            )
        if aggregates:
            self.put(
                f"/resource_providers/{id}/aggregates",
                {"resource_provider_generation": self.generation(id), "aggregates": list(aggregates)},
            )
        return id

    def generation(self, id):
        return self.get(f"/resource_providers/{id}")["generation"]

    def claim(self, allocations, consumer=None, generation=None, status=204, **more):
        """Let a consumer hold something; returns its id."""
        consumer = consumer or str(uuid.uuid4())
        body = {
            "allocations": {id: {"resources": resources} for id, resources in allocations.items()},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": generation,
            "consumer_type": "INSTANCE",
        }
        self.put(f"/allocations/{consumer}", body | more, status)
        return consumer


@pytest.fixture
def placement(cloud):
    """Return an administrator's Placement without the simulated host in it."""
    found = Placement(cloud.admin)
    for one in found.get("/resource_providers")["resource_providers"]:
        found.delete(f"/resource_providers/{one['uuid']}")
    return found
