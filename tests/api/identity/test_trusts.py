"""Trusts: acting for somebody, with some of that one's rights, as long as these are there."""

from __future__ import annotations

import time

import pytest
from tests.api.conftest import PASSWORD, Client

from clearsky.identity import times

V3 = "/identity/v3"


@pytest.fixture
def trust(cloud):
    """Return a function by which member trusts foreign."""

    def make(client=None, status=201, **body):
        client = client or cloud.member
        wanted = {
            "trustor_user_id": client.user_id,
            "trustee_user_id": cloud.foreign.user_id,
            "project_id": cloud.member.project_id,
            "impersonation": True,
            "roles": [{"name": "reader"}],
        }
        answer = client.post(f"{V3}/OS-TRUST/trusts", json={"trust": wanted | body})
        assert answer.status_code == status, answer.text
        return answer.json().get("trust")

    return make


def _use(cloud, trust_id, name="foreign"):
    user = {"name": name, "domain": {"id": "default"}, "password": PASSWORD}
    auth = {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"OS-TRUST:trust": {"id": trust_id}},
    }
    return cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth})


def _client(cloud, trust_id, name="foreign"):
    answer = _use(cloud, trust_id, name)
    assert answer.status_code == 201, answer.text
    token = answer.json()["token"]
    return Client(cloud.http, answer.headers["X-Subject-Token"], token["project"]["id"], token["user"]["id"])


@pytest.mark.parametrize("impersonation", [True, False])
def test_the_trustee_acts_on_the_trustors_project_with_the_trusted_roles(cloud, trust, impersonation):
    made = trust(impersonation=impersonation)
    token = _use(cloud, made["id"]).json()["token"]
    assert token["project"]["id"] == cloud.member.project_id
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["user"]["id"] == (cloud.member if impersonation else cloud.foreign).user_id
    assert token["OS-TRUST:trust"] == {
        "id": made["id"],
        "impersonation": impersonation,
        "trustor_user": {"id": cloud.member.user_id},
        "trustee_user": {"id": cloud.foreign.user_id},
    }
    trustee = _client(cloud, made["id"])
    assert trustee.get("/network/v2.0/networks").status_code == 200
    assert trustee.post("/network/v2.0/networks", json={"network": {}}).status_code == 403


def test_nobody_but_the_trustee_uses_it(cloud, trust):
    made = trust()
    assert _use(cloud, made["id"], "reader").status_code == 403
    assert _use(cloud, "no-such-trust").status_code == 401


def test_nobody_trusts_away_what_is_anothers_or_what_one_lacks(cloud, trust):
    trust(client=cloud.foreign, trustor_user_id=cloud.member.user_id, status=403)
    trust(roles=[{"name": "admin"}], status=404)
    trust(roles=[], status=403)
    trust(trustee_user_id="nobody", status=404)


def test_it_stops_at_once_when_the_trustor_loses_the_role(cloud, trust):
    made = trust(roles=[{"name": "member"}])
    trustee = _client(cloud, made["id"])
    role = cloud.admin.get(f"{V3}/roles?name=member").json()["roles"][0]["id"]
    grant = f"{V3}/projects/{cloud.member.project_id}/users/{cloud.member.user_id}/roles/{role}"
    assert trustee.get("/network/v2.0/networks").status_code == 200
    assert cloud.admin.delete(grant).status_code == 204
    assert trustee.get("/network/v2.0/networks").status_code == 401
    assert _use(cloud, made["id"]).status_code == 403
    assert cloud.admin.put(grant).status_code == 204
    assert _use(cloud, made["id"]).status_code == 201


@pytest.mark.parametrize("who", ["member", "foreign"])
def test_it_stops_at_once_when_either_user_is_disabled(cloud, trust, who):
    made = trust()
    trustee = _client(cloud, made["id"])
    path = f"{V3}/users/{getattr(cloud, who).user_id}"
    assert cloud.admin.patch(path, json={"user": {"enabled": False}}).status_code == 200
    assert trustee.get("/network/v2.0/networks").status_code == 401
    assert _use(cloud, made["id"]).status_code == 401


def test_it_stops_at_once_when_it_is_deleted(cloud, trust):
    made = trust()
    trustee = _client(cloud, made["id"])
    path = f"{V3}/OS-TRUST/trusts/{made['id']}"
    assert cloud.foreign.delete(path).status_code == 403
    assert cloud.member.delete(path).status_code == 204
    assert trustee.get("/network/v2.0/networks").status_code == 401
    assert cloud.member.get(path).status_code == 404
    events = cloud.admin.get(f"{V3}/OS-REVOKE/events").json()["events"]
    assert made["id"] in {event.get("OS-TRUST:trust_id") for event in events}


def test_it_goes_with_its_users_and_its_project(cloud, trust):
    made = trust()
    assert cloud.admin.delete(f"{V3}/users/{cloud.foreign.user_id}").status_code == 204
    assert cloud.member.get(f"{V3}/OS-TRUST/trusts/{made['id']}").status_code == 404


def test_its_tokens_make_no_further_tokens_and_no_lasting_secrets(cloud, trust):
    trustee = _client(cloud, trust()["id"])
    auth = {"identity": {"methods": ["token"], "token": {"id": trustee.token}}}
    assert cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth}).status_code == 403
    path = f"{V3}/users/{trustee.user_id}/application_credentials"
    assert trustee.post(path, json={"application_credential": {"name": "x"}}).status_code == 403


def test_uses_are_counted_and_the_last_token_stays_good(cloud, trust):
    made = trust(remaining_uses=2)
    path = f"{V3}/OS-TRUST/trusts/{made['id']}"
    _client(cloud, made["id"])
    assert cloud.member.get(path).json()["trust"]["remaining_uses"] == 1
    last = _client(cloud, made["id"])
    assert cloud.member.get(path).status_code == 404
    assert _use(cloud, made["id"]).status_code == 401
    assert last.get("/network/v2.0/networks").status_code == 200


def test_a_refused_log_in_uses_nothing_up(cloud, trust):
    made = trust(remaining_uses=1)
    assert _use(cloud, made["id"], "reader").status_code == 403
    assert _use(cloud, made["id"]).status_code == 201


def test_it_ends_when_it_says_and_its_tokens_with_it(cloud, trust, monkeypatch):
    end = times.iso(time.time() + 600)
    made = trust(expires_at=end)
    assert made["expires_at"] == end
    trustee = _client(cloud, made["id"])
    assert _use(cloud, made["id"]).json()["token"]["expires_at"] == end
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 601)
    assert trustee.get("/network/v2.0/networks").status_code == 401
    assert _use(cloud, made["id"]).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"expires_at": "bad.123Z"},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"remaining_uses": 0},
        {"remaining_uses": -1},
        {"redelegation_count": -1},
        {"impersonation": "yes"},
        {"roles": [{"id": "x", "name": "y"}]},
        {"allow_redelegation": True, "remaining_uses": 1},
    ],
)
def test_rubbish_is_refused(trust, wrong):
    trust(**wrong, status=400)


def test_both_users_see_it_and_operators_and_nobody_else(cloud, trust):
    made = trust()
    path = f"{V3}/OS-TRUST/trusts/{made['id']}"
    for client in (cloud.member, cloud.foreign, cloud.admin):
        assert client.get(path).json()["trust"]["roles"][0]["name"] == "reader"
        assert len(client.get(f"{path}/roles").json()["roles"]) == 1
        one = client.get(f"{path}/roles/{made['roles'][0]['id']}")
        assert one.json()["role"]["name"] == "reader"
    assert cloud.member.get(f"{path}/roles/none").status_code == 404
    assert cloud.reader.get(path).status_code == 403
    assert cloud.reader.get(f"{V3}/OS-TRUST/trusts").status_code == 403
    trusts = f"{V3}/OS-TRUST/trusts"
    assert len(cloud.admin.get(trusts).json()["trusts"]) == 1
    assert len(cloud.member.get(f"{trusts}?trustor_user_id={cloud.member.user_id}").json()["trusts"]) == 1
    assert len(cloud.foreign.get(f"{trusts}?trustee_user_id={cloud.foreign.user_id}").json()["trusts"]) == 1
    assert cloud.reader.get(f"{trusts}?trustor_user_id={cloud.member.user_id}").status_code == 403


# -- handing on -------------------------------------------------------------------------------------------------


@pytest.fixture
def chain(cloud, trust):
    """Return the client of a trust that may be handed on, and a function that hands it on to reader."""
    first = trust(allow_redelegation=True, roles=[{"name": "member"}])
    holder = _client(cloud, first["id"])

    def hand_on(status=201, **body):
        return trust(
            client=holder,
            status=status,
            trustee_user_id=cloud.reader.user_id,
            **({"allow_redelegation": True} | body),
        )

    return first, holder, hand_on


def test_a_trust_is_handed_on_with_less_or_the_same(cloud, chain):
    first, _, hand_on = chain
    second = hand_on(roles=[{"name": "member"}])
    assert second["redelegated_trust_id"] == first["id"]
    assert second["redelegation_count"] == first["redelegation_count"] - 1
    reader = _client(cloud, second["id"], "reader")
    assert reader.user_id == cloud.member.user_id
    assert reader.post("/network/v2.0/networks", json={"network": {}}).status_code == 201


@pytest.mark.parametrize(
    "more",
    [
        {"roles": [{"name": "reader"}]},  # not among those that were given, though implied by one
        {"remaining_uses": 1},
        {"redelegation_count": 3},
        {"redelegated_trust_id": "another"},
    ],
)
def test_a_trust_is_not_handed_on_with_more(chain, more):
    chain[2](status=403, **({"roles": [{"name": "member"}]} | more))


def test_deleting_a_trust_ends_those_that_were_handed_on_from_it(cloud, chain):
    first, _, hand_on = chain
    second = hand_on(roles=[{"name": "member"}])
    reader = _client(cloud, second["id"], "reader")
    assert cloud.member.delete(f"{V3}/OS-TRUST/trusts/{first['id']}").status_code == 204
    assert reader.get("/network/v2.0/networks").status_code == 401
    assert cloud.admin.get(f"{V3}/OS-TRUST/trusts/{second['id']}").status_code == 404


def test_a_trust_that_may_not_be_handed_on_is_not(cloud, trust):
    holder = _client(cloud, trust()["id"])
    trust(client=holder, trustee_user_id=cloud.reader.user_id, status=403)


def test_a_chain_is_only_so_long(cloud, trust):
    trust(allow_redelegation=True, redelegation_count=4, status=403)
    first = trust(allow_redelegation=True, redelegation_count=1)
    holder = _client(cloud, first["id"])
    second = trust(client=holder, trustee_user_id=cloud.reader.user_id)
    last = _client(cloud, second["id"], "reader")
    trust(client=last, trustee_user_id=cloud.foreign.user_id, status=403)


def test_impersonation_is_not_gained_by_handing_on(cloud, trust):
    first = trust(allow_redelegation=True, impersonation=False)
    holder = _client(cloud, first["id"])
    wanted = {"client": holder, "trustee_user_id": cloud.reader.user_id}
    trust(**wanted, impersonation=True, status=403)
    trust(**wanted, impersonation=False)


def test_an_end_is_not_pushed_back_by_handing_on(cloud, trust):
    first = trust(allow_redelegation=True, expires_at=times.iso(time.time() + 600))
    holder = _client(cloud, first["id"])
    wanted = {"client": holder, "trustee_user_id": cloud.reader.user_id}
    trust(**wanted, expires_at=times.iso(time.time() + 6000), status=403)
    assert trust(**wanted)["expires_at"] == first["expires_at"]
