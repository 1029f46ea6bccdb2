"""QoS policies, as others use them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from clearsky.api.call import Call
from clearsky.network import bandwidth, store
from clearsky.network import tables as t

USERS = {
    "network": t.networks,
    "port": t.ports,
    "floating IP": t.floating_ips,
    "router": t.routers,
}
"""Tables whose rows have a policy, by what the rows are."""


def usable(
    c: Connection, call: Call, id: str | None, what: str, physical_network: str | None = None
) -> str | None:
    """Return the policy's id where the caller's project may use it for `what`; raises NotFound and Conflict."""
    if not id:
        return None
    bandwidth.check_place(c, id, physical_network, what)
    return str(store.get(c, t.qos_policies, call.scope, id).id)


def default_of(c: Connection, project_id: str) -> str | None:
    """Return the policy that a project's networks get where nobody chose one."""
    q = t.qos_policies.c
    found = c.execute(select(q.id).where(q.project_id == project_id, q.is_default)).scalar()
    return None if found is None else str(found)
