"""What is deleted while something new is made that refers to it: nothing is left that refers to nothing."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest
from sqlalchemy import event, select

from clearsky.identity import tables as t

V3 = "/identity/v3"
REFERENCES = (
    (t.assignments.c.role_id, t.roles),
    (t.memberships.c.user_id, t.users),
    (t.memberships.c.group_id, t.groups),
    (t.credentials.c.user_id, t.users),
    (t.trusts.c.trustee_user_id, t.users),
    (t.users.c.domain_id, t.projects),
    (t.groups.c.domain_id, t.projects),
    (t.endpoints.c.service_id, t.services),
    (t.implied_roles.c.implied_role_id, t.roles),
)


def _orphans(cloud):
    with cloud.house.db.read() as c:
        found = {
            str(column): set(c.execute(select(column)).scalars())
            - set(c.execute(select(table.c.id)).scalars())
            for column, table in REFERENCES
        }
        a = t.assignments.c
        for kind, table in {"user": t.users, "group": t.groups}.items():
            given = select(a.actor_id).where(a.actor_type == kind, a.actor_id.not_in(select(table.c.id)))
            found[kind] = set(c.execute(given).scalars())
        places = select(a.target_id).where(
            a.target_type != "system", a.target_id.not_in(select(t.projects.c.id))
        )
        found["place"] = set(c.execute(places).scalars())
    return {name: ids for name, ids in found.items() if ids}


class Pause:
    """Stops the first INSERT into a table, until what is done meanwhile has ended, or has been seen to wait."""

    def __init__(self, table):
        self.begin, self.reached, self.meanwhile = f"INSERT INTO {table.name} ", threading.Event(), Future()

    def __call__(self, _connection, _cursor, statement, *_):
        if statement.startswith(self.begin) and not self.reached.is_set():
            self.reached.set()
            wait_for([self.meanwhile], timeout=1)


GRANT = "projects/{project}/users/{user}/roles/{role}"
CASES = {
    "a grant and its user": ("PUT", GRANT, None, t.assignments, "users/{user}"),
    "a grant and its role": ("PUT", GRANT, None, t.assignments, "roles/{role}"),
    "a grant and its project": ("PUT", GRANT, None, t.assignments, "projects/{project}"),
    "a grant and its group": ("PUT", "system/groups/{group}/roles/{role}", None, t.assignments, "groups/{group}"),
    "a grant and its domain": (
        "PUT", "domains/{domain}/users/{user}/roles/{role}", None, t.assignments, "domains/{domain}",
    ),
    "a membership and its user": ("PUT", "groups/{group}/users/{user}", None, t.memberships, "users/{user}"),
    "a membership and its group": ("PUT", "groups/{group}/users/{user}", None, t.memberships, "groups/{group}"),
    "a credential and its user": (
        "POST", "credentials", {"credential": {"user_id": "{user}", "type": "cert", "blob": "b"}}, t.credentials, "users/{user}",
    ),
    "a trust and its trustee": (
        "POST", "OS-TRUST/trusts",
        {"trust": {"trustor_user_id": "{admin}", "trustee_user_id": "{user}", "impersonation": False}}, t.trusts, "users/{user}",
    ),
    "a user and its domain": ("POST", "users", {"user": {"name": "n", "domain_id": "{domain}"}}, t.users, "domains/{domain}"),
    "a group and its domain": ("POST", "groups", {"group": {"name": "n", "domain_id": "{domain}"}}, t.groups, "domains/{domain}"),
    "an endpoint and its service": (
        "POST", "endpoints", {"endpoint": {"service_id": "{service}", "interface": "public", "url": "http://x"}},
        t.endpoints, "services/{service}",
    ),
    "an implication and its role": ("PUT", "roles/{prior}/implies/{role}", None, t.implied_roles, "roles/{role}"),
}  # fmt: skip
"""What is made (method, path, body, table), and what is deleted meanwhile."""


@pytest.fixture
def ids(cloud, make):
    kinds = ("user", "group", "project", "domain", "role")
    made = {kind: getattr(make, kind)()["id"] for kind in kinds}
    cloud.admin.patch(f"{V3}/domains/{made['domain']}", json={"domain": {"enabled": False}})
    made |= {"prior": make.role()["id"], "admin": cloud.admin.user_id}
    return made | {"service": make.make("service", type="odd")["id"]}


def _filled(value, ids):
    if isinstance(value, dict):
        return {name: _filled(inner, ids) for name, inner in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize("name", CASES)
def test_what_is_deleted_meanwhile_leaves_nothing_that_refers_to_it(cloud, ids, name):
    method, path, body, table, deleted = CASES[name]
    pause = Pause(table)
    event.listen(cloud.house.db.engine, "before_cursor_execute", pause)
    with ThreadPoolExecutor(2) as pool:
        made = pool.submit(cloud.admin.request, method, f"{V3}/{_filled(path, ids)}", json=_filled(body, ids))
        assert pause.reached.wait(30)
        gone = pool.submit(cloud.admin.delete, f"{V3}/{_filled(deleted, ids)}")
        gone.add_done_callback(lambda _: pause.meanwhile.set_result(None))
        answers = made.result(), gone.result()
    event.remove(cloud.house.db.engine, "before_cursor_execute", pause)
    statuses = tuple(answer.status_code for answer in answers)
    assert statuses in ((201, 204), (204, 204)), [answer.text for answer in answers]
    assert _orphans(cloud) == {}
