"""The ways to log in, alone and together: passwords, one-time passwords, receipts, OAuth 2.0."""

from __future__ import annotations

import base64
import time
from dataclasses import replace

import bcrypt
import pytest
from sqlalchemy import select, update
from tests.api.conftest import PASSWORD

from clearsky.identity import passwords
from clearsky.identity import tables as t
from clearsky.identity.auth import totp

V3 = "/identity/v3"
SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def _log_in(cloud, *methods, headers=None, **given):
    auth = {"identity": {"methods": list(methods)} | given}
    return cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth}, headers=headers or {})


def _password(cloud, password=PASSWORD, **user):
    user = user or {"id": cloud.member.user_id}
    return {"password": {"user": user | {"password": password}}}


def _totp(cloud, code):
    return {"totp": {"user": {"id": cloud.member.user_id, "passcode": code}}}


def _options(cloud, **options):
    path = f"{V3}/users/{cloud.member.user_id}"
    answer = cloud.admin.patch(path, json={"user": {"options": options}})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def code(cloud):
    """Return a function that gives the one-time password of now plus some steps."""
    body = {"credential": {"type": "totp", "blob": SEED, "user_id": cloud.member.user_id}}
    assert cloud.member.post(f"{V3}/credentials", json=body).status_code == 201
    return lambda steps=0: totp.password(SEED, int(time.time()) // totp.STEP_S + steps)


def _settings(cloud, **changed):
    identity = replace(cloud.house.config.identity, **changed)
    cloud.house.config = replace(cloud.house.config, identity=identity)


# -- passwords --------------------------------------------------------------------------------------------------


class Work:
    """What log-ins cost, counted and not timed: hashes, one-time passwords, write transactions."""

    def __init__(self, cloud, monkeypatch):
        self.done = []
        verify, password, write = passwords.PasswordHasher.verify, totp.password, cloud.house.db.write

        def counted(what, real):
            def call(*given):
                self.done.append(what)
                return real(*given)

            return call

        monkeypatch.setattr(passwords.PasswordHasher, "verify", counted("hash", verify))
        monkeypatch.setattr(totp, "password", counted("one-time password", password))
        monkeypatch.setattr(cloud.house.db, "write", counted("write", write))

    def of(self, ask):
        """Return the answer, and what it has cost."""
        self.done.clear()
        answer = ask()
        return answer, list(self.done)


@pytest.fixture
def work(cloud, monkeypatch):
    return Work(cloud, monkeypatch)


NOBODY = [
    {"id": "nobody"},
    {"name": "nobody", "domain": {"id": "default"}},
    {"name": "nobody", "domain": {"name": "Default"}},
    {"name": "member", "domain": {"id": "nowhere"}},
    {"name": "member", "domain": {"name": "nowhere"}},
]


@pytest.mark.parametrize("user", NOBODY, ids=str)
def test_a_failed_log_in_costs_the_same_whether_the_user_exists_or_not(cloud, work, user):
    """So that its delay does not tell: each takes a hash and a write."""
    somebody, cost = work.of(lambda: _log_in(cloud, "password", **_password(cloud, "wrong")))
    assert cost == ["hash", "write"]
    nobody, same = work.of(lambda: _log_in(cloud, "password", **_password(cloud, "wrong", **user)))
    assert same == cost
    assert (nobody.status_code, nobody.json()) == (somebody.status_code, somebody.json())


@pytest.mark.parametrize("state", ["disabled", "locked", "without a password"])
def test_a_failed_log_in_costs_the_same_in_every_state_of_the_user(cloud, work, state):
    _settings(cloud, lockout_attempts=2, lockout_s=60)
    changes = {
        "disabled": {"enabled": False},
        "locked": {"failed_attempts": 2, "failed_at": time.time()},
        "without a password": {"password_hash": None},
    }
    with cloud.house.db.write() as c:
        c.execute(update(t.users).where(t.users.c.id == cloud.member.user_id).values(**changes[state]))
    for password in ("wrong", PASSWORD) if state == "locked" else ("wrong",):
        answer, cost = work.of(lambda: _log_in(cloud, "password", **_password(cloud, password)))  # noqa: B023
        assert (answer.status_code, cost) == (401, ["hash", "write"])


def test_a_change_of_a_password_that_fails_costs_the_same_for_nobody(cloud, work):
    body = {"user": {"original_password": "wrong", "password": "new-secret"}}
    costs = [
        work.of(lambda: cloud.anonymous.post(f"{V3}/users/{id}/password", json=body))[1]  # noqa: B023
        for id in (cloud.member.user_id, "nobody")
    ]
    assert costs == [["hash", "write"]] * 2


def test_a_one_time_password_that_fails_costs_the_same_for_nobody(cloud, code, work):
    def ask(**user):
        return lambda: _log_in(cloud, "totp", totp={"user": user | {"passcode": "000000"}})

    cost = ["one-time password"] * (1 + totp.PREVIOUS_STEPS) + ["write"]
    for user in ({"id": cloud.member.user_id}, {"id": cloud.reader.user_id}, *NOBODY):
        answer, same = work.of(ask(**user))
        assert (answer.status_code, same) == (401, cost), user


def test_an_application_credential_that_fails_costs_the_same_for_nobody(cloud, work):
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials"
    made = cloud.member.post(path, json={"application_credential": {"name": "a", "secret": "s"}}).json()
    id = made["application_credential"]["id"]
    named = {"name": "a", "user": {"id": cloud.member.user_id}}
    for which in ({"id": id}, {"id": "nobody"}, named, named | {"name": "b"}, named | {"user": {"id": "x"}}):
        given = {"application_credential": which | {"secret": "wrong"}}
        answer, cost = work.of(lambda: _log_in(cloud, "application_credential", **given))  # noqa: B023
        assert (answer.status_code, cost) == (401, ["hash"]), which


def test_a_bcrypt_hash_of_an_imported_user_is_understood(cloud):
    stored = bcrypt.hashpw(b"from-elsewhere", bcrypt.gensalt(4)).decode()
    with cloud.house.db.write() as c:
        c.execute(update(t.users).where(t.users.c.id == cloud.member.user_id).values(password_hash=stored))
    assert _log_in(cloud, "password", **_password(cloud, "from-elsewhere")).status_code == 201
    assert _log_in(cloud, "password", **_password(cloud, "another")).status_code == 401


@pytest.mark.parametrize("kind", ["bcrypt", "argon2id of another cost"])
def test_a_hash_of_another_kind_is_replaced_at_the_first_log_in(cloud, work, kind):
    if kind == "bcrypt":
        stored = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    else:
        stored = passwords.PasswordHasher(time_cost=2, memory_cost=128, parallelism=1).hash(PASSWORD)
    own = t.users.c.id == cloud.member.user_id
    with cloud.house.db.write() as c:
        c.execute(update(t.users).where(own).values(password_hash=stored))

    def kept():
        with cloud.house.db.read() as c:
            return c.execute(select(t.users.c.password_hash).where(own)).scalar_one()

    assert _log_in(cloud, "password", **_password(cloud, "wrong")).status_code == 401
    assert kept() == stored
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201
    renewed = kept()
    assert renewed.startswith("$argon2id$v=19$m=64,t=1,")
    answer, cost = work.of(lambda: _log_in(cloud, "password", **_password(cloud)))
    assert (answer.status_code, cost) == (201, ["hash"])
    assert kept() == renewed


def test_an_expired_password_is_told_as_such_to_who_knows_it_only(cloud):
    with cloud.house.db.write() as c:
        expired = {"password_expires_at": time.time() - 1}
        c.execute(update(t.users).where(t.users.c.id == cloud.member.user_id).values(**expired))
    right = _log_in(cloud, "password", **_password(cloud))
    assert right.status_code == 401
    assert "expired" in right.text
    assert "expired" not in _log_in(cloud, "password", **_password(cloud, "wrong")).text
    _options(cloud, ignore_password_expiry=True)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201


@pytest.mark.parametrize("ignore", [False, True])
def test_what_an_administrator_has_set_must_be_changed_at_first_use(cloud, ignore):
    _settings(cloud, change_password_upon_first_use=True)
    _options(cloud, ignore_change_password_upon_first_use=ignore)
    path = f"{V3}/users/{cloud.member.user_id}"
    assert cloud.admin.patch(path, json={"user": {"password": "given"}}).status_code == 200
    assert _log_in(cloud, "password", **_password(cloud, "given")).status_code == (201 if ignore else 401)
    body = {"user": {"original_password": "given", "password": "chosen"}}
    assert cloud.anonymous.post(f"{path}/password", json=body).status_code == 204
    assert _log_in(cloud, "password", **_password(cloud, "chosen")).status_code == 201


def _fail(cloud, times):
    for _ in range(times):
        assert _log_in(cloud, "password", **_password(cloud, "wrong")).status_code == 401


def test_a_pause_after_failures_ends_and_the_count_begins_anew(cloud, monkeypatch):
    _settings(cloud, lockout_attempts=3, lockout_s=60)
    _fail(cloud, 3)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 401
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    _fail(cloud, 1)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201


def test_there_is_no_pause_for_who_is_exempt_or_where_none_is_set(cloud):
    _settings(cloud, lockout_attempts=2, lockout_s=60)
    _options(cloud, ignore_lockout_failure_attempts=True)
    _fail(cloud, 3)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201
    _options(cloud, ignore_lockout_failure_attempts=False)
    _settings(cloud, lockout_attempts=0)
    _fail(cloud, 3)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201


def test_who_has_not_logged_in_for_long_is_out(cloud, monkeypatch):
    _settings(cloud, disable_user_account_days_inactive=30)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * 86400)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 401
    monkeypatch.undo()
    _options(cloud, ignore_user_inactivity=True)
    monkeypatch.setattr(time, "time", lambda: now + 31 * 86400)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == 201


# -- one-time passwords -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_one_time_passwords_are_those_of_the_rfc(moment, expected):
    """RFC 6238, appendix B, the last six of its eight digits."""
    assert totp.password(SEED, moment // totp.STEP_S) == expected


@pytest.mark.parametrize(("steps", "good"), [(0, True), (-1, True), (-2, False), (1, False)])
def test_a_one_time_password_is_good_for_its_step_and_the_next(cloud, code, steps, good):
    if time.time() % totp.STEP_S > totp.STEP_S - 2:
        time.sleep(2.5)
    answer = _log_in(cloud, "totp", **_totp(cloud, code(steps)))
    assert answer.status_code == (201 if good else 401)


def test_a_one_time_password_is_good_once(cloud, code):
    right = code()
    assert _log_in(cloud, "totp", **_totp(cloud, right)).status_code == 201
    assert _log_in(cloud, "totp", **_totp(cloud, right)).status_code == 401


def test_guessing_one_time_passwords_ends_in_a_pause(cloud, code):
    _settings(cloud, lockout_attempts=3)
    for _ in range(3):
        assert _log_in(cloud, "totp", **_totp(cloud, "000000")).status_code == 401
    assert _log_in(cloud, "totp", **_totp(cloud, code())).status_code == 401


def test_a_seed_that_is_none_lets_nobody_in(cloud):
    body = {"credential": {"type": "totp", "blob": "no base32 !!", "user_id": cloud.member.user_id}}
    assert cloud.member.post(f"{V3}/credentials", json=body).status_code == 201
    assert _log_in(cloud, "totp", **_totp(cloud, "123456")).status_code == 401
    assert _log_in(cloud, "totp", totp={"user": {"id": "nobody", "passcode": "1"}}).status_code == 401


# -- several methods --------------------------------------------------------------------------------------------


@pytest.fixture
def both(cloud, code):
    """Member needs a password and a one-time password."""
    _options(cloud, multi_factor_auth_enabled=True, multi_factor_auth_rules=[["password", "totp"]])
    return code


def test_who_needs_two_methods_gets_in_with_both_at_once(cloud, both):
    answer = _log_in(cloud, "password", "totp", **_password(cloud), **_totp(cloud, both()))
    assert answer.status_code == 201, answer.text
    assert answer.json()["token"]["methods"] == ["password", "totp"]


def test_who_shows_one_gets_a_receipt_and_gets_in_with_the_other_later(cloud, both):
    first = _log_in(cloud, "password", **_password(cloud))
    assert first.status_code == 401
    assert first.json()["required_auth_methods"] == [["password", "totp"]]
    assert first.json()["receipt"]["methods"] == ["password"]
    assert first.json()["receipt"]["user"]["id"] == cloud.member.user_id
    assert "X-Subject-Token" not in first.headers
    receipt = {"Openstack-Auth-Receipt": first.headers["Openstack-Auth-Receipt"]}
    second = _log_in(cloud, "totp", headers=receipt, **_totp(cloud, both()))
    assert second.status_code == 201, second.text
    assert set(second.json()["token"]["methods"]) == {"password", "totp"}


def test_a_receipt_is_no_token_and_a_token_no_receipt(cloud, both):
    receipt = _log_in(cloud, "password", **_password(cloud)).headers["Openstack-Auth-Receipt"]
    assert cloud.http.get(f"{V3}/auth/projects", headers={"X-Auth-Token": receipt}).status_code == 401
    assert _log_in(cloud, "token", token={"id": receipt}).status_code == 404
    answer = _log_in(
        cloud, "totp", headers={"Openstack-Auth-Receipt": cloud.member.token}, **_totp(cloud, both())
    )
    assert answer.status_code == 404


def test_a_receipt_is_for_its_user_and_its_time(cloud, both, monkeypatch):
    receipt = {
        "Openstack-Auth-Receipt": _log_in(cloud, "password", **_password(cloud)).headers[
            "Openstack-Auth-Receipt"
        ]
    }
    foreign = {"password": {"user": {"id": cloud.foreign.user_id, "password": PASSWORD}}}
    assert _log_in(cloud, "password", headers=receipt, **foreign).status_code == 404
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)
    assert _log_in(cloud, "totp", headers=receipt, **_totp(cloud, both())).status_code == 404


@pytest.mark.parametrize(
    ("options", "enough"),
    [
        ({"multi_factor_auth_rules": [["password", "totp"], ["password"]]}, True),
        ({"multi_factor_auth_rules": [["password", "unknown-method"]]}, True),
        ({"multi_factor_auth_rules": [["unknown-method"]]}, True),
        ({"multi_factor_auth_rules": [["password", "totp"]], "multi_factor_auth_enabled": False}, True),
        ({"multi_factor_auth_rules": []}, True),
        ({"multi_factor_auth_rules": [["totp"]]}, False),
    ],
)
def test_rules_are_alternatives_of_known_methods(cloud, options, enough):
    _options(cloud, **options)
    assert _log_in(cloud, "password", **_password(cloud)).status_code == (201 if enough else 401)


def test_two_methods_must_prove_the_same_user(cloud, code):
    foreign = {"password": {"user": {"id": cloud.foreign.user_id, "password": PASSWORD}}}
    assert _log_in(cloud, "password", "totp", **foreign, **_totp(cloud, code())).status_code == 401


@pytest.mark.parametrize("methods", [["password"], ["totp"], ["password", "telepathy"], []])
def test_a_method_that_is_not_there_or_not_given_is_refused(cloud, methods):
    answer = _log_in(cloud, *methods)
    assert answer.status_code in (400, 401)


# -- OAuth 2.0 --------------------------------------------------------------------------------------------------


@pytest.fixture
def robot(cloud):
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials"
    body = {"application_credential": {"name": "robot", "roles": [{"name": "reader"}]}}
    return cloud.member.post(path, json=body).json()["application_credential"]


def _oauth2(cloud, id, secret, **form):
    basic = base64.b64encode(f"{id}:{secret}".encode()).decode()
    return cloud.http.post(
        f"{V3}/OS-OAUTH2/token",
        data={"grant_type": "client_credentials"} | form,
        headers={"Authorization": f"Basic {basic}"},
    )


def test_an_application_credential_gets_an_access_token_and_uses_it_as_bearer(cloud, robot):
    answer = _oauth2(cloud, robot["id"], robot["secret"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert 0 < answer.json()["expires_in"] <= cloud.house.config.identity.token_lifetime_s
    used = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert cloud.http.get("/network/v2.0/networks", headers=used).status_code == 200
    assert cloud.http.post("/network/v2.0/networks", json={"network": {}}, headers=used).status_code == 403


def test_faults_of_oauth2_are_those_of_its_rfc(cloud, robot):
    wrong = _oauth2(cloud, robot["id"], "wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    none = cloud.http.post(f"{V3}/OS-OAUTH2/token", data={"grant_type": "client_credentials"})
    assert (none.status_code, none.json()["error"]) == (401, "invalid_client")
    other = _oauth2(cloud, robot["id"], robot["secret"], grant_type="password")
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")
    missing = cloud.http.post(f"{V3}/OS-OAUTH2/token", data={"x": "y"})
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")
