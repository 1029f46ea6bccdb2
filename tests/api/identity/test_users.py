"""Users and groups: attributes, filters, options, memberships, and what a new password must be."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

V3 = "/identity/v3"


def _settings(cloud, **changes):
    cloud.house.config = replace(cloud.house.config, identity=replace(cloud.house.config.identity, **changes))


def _change(cloud, user, old, new):
    body = {"user": {"original_password": old, "password": new}}
    return cloud.http.post(f"{V3}/users/{user['id']}/password", json=body)


def test_a_user_keeps_what_a_client_adds_and_never_shows_a_password(cloud, make):
    user = make.user(email="a@example.com", phone="1", description="somebody")
    shown = cloud.admin.get(f"{V3}/users/{user['id']}").json()["user"]
    assert (shown["email"], shown["phone"], shown["description"]) == ("a@example.com", "1", "somebody")
    answer = cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"phone": "2", "email": None}})
    assert answer.json()["user"]["phone"] == "2"
    assert "email" not in answer.json()["user"]
    assert "password" not in {*shown, *answer.json()["user"]}


def test_a_user_without_a_password_cannot_log_in(cloud, make):
    user = make.user(password=None)
    assert make.try_login(user, password="").status_code == 401
    assert (
        cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": "now"}}).status_code == 200
    )
    assert make.try_login(user, password="now").status_code == 201


def test_options_are_set_changed_and_taken_one_by_one(cloud, make):
    rules = [["password", "totp"], ["password"]]
    user = make.user(options={"ignore_password_expiry": True, "multi_factor_auth_rules": rules})
    path = f"{V3}/users/{user['id']}"
    changed = {"ignore_password_expiry": None, "multi_factor_auth_enabled": False}
    shown = cloud.admin.patch(path, json={"user": {"options": changed}}).json()["user"]["options"]
    assert shown == {"multi_factor_auth_rules": rules, "multi_factor_auth_enabled": False}


@pytest.mark.parametrize(
    "options",
    [
        {"lock_password": "yes"},
        {"multi_factor_auth_rules": ["password"]},
        {"multi_factor_auth_rules": [["a", "a"]]},
    ],
)
def test_options_of_the_wrong_shape_are_refused(cloud, options):
    assert (
        cloud.admin.post(f"{V3}/users", json={"user": {"name": "x", "options": options}}).status_code == 400
    )


def test_a_domain_is_nobodys_default_project(cloud):
    answer = cloud.admin.post(f"{V3}/users", json={"user": {"name": "x", "default_project_id": "default"}})
    assert answer.status_code == 400


def test_a_user_is_in_a_domain_that_exists_and_stays_there(cloud, make):
    assert (
        cloud.admin.post(f"{V3}/users", json={"user": {"name": "x", "domain_id": "none"}}).status_code == 404
    )
    user = make.user()
    other = make.domain()["id"]
    answer = cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"domain_id": other}})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("lt:2030-01-01T00:00:00Z", "early"),
        ("lte:2030-01-01T00:00:00Z", "early middle"),
        ("gt:2030-01-01T00:00:00Z", "late"),
        ("gte:2030-01-01T00:00:00", "late middle"),
        ("eq:2030-01-01T00:00:00.000000Z", "middle"),
        ("2030-01-01T00:00:00Z", "middle"),
        ("neq:2030-01-01T00:00:00Z", "early late"),
        ("gt:2029-01-01T00:00:00Z&password_expires_at=lt:2031-01-01T00:00:00Z", "middle"),
    ],
)
def test_users_and_members_are_found_by_when_their_password_expires(cloud, make, query, expected):
    from clearsky.identity import tables as t

    domain, group = make.domain(), make.group()
    moments = {"early": 1.0, "middle": 1893456000.0, "late": 2e9, "never": None}
    for name, moment in moments.items():
        user = make.user(name=name, domain_id=domain["id"])
        cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
        with cloud.house.db.write() as c:
            c.execute(t.users.update().where(t.users.c.id == user["id"]).values(password_expires_at=moment))
    for path in (f"users?domain_id={domain['id']}&", f"groups/{group['id']}/users?"):
        found = cloud.admin.get(f"{V3}/{path}password_expires_at={query}").json()["users"]
        assert " ".join(sorted(one["name"] for one in found)) == expected


@pytest.mark.parametrize("value", ["lt:yesterday", "soon", "lt:", "between:2030-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_refused(cloud, value):
    answer = cloud.admin.get(f"{V3}/users?password_expires_at={value}")
    assert answer.status_code == 400
    assert "password_expires_at" in answer.text


def test_users_are_sorted_by_name_and_paged(cloud, make):
    domain = make.domain()["id"]
    for name in ("c", "a", "b"):
        make.user(name=name, domain_id=domain)
    page = cloud.admin.get(f"{V3}/users?domain_id={domain}&sort_key=name&sort_dir=desc&limit=2").json()
    assert [one["name"] for one in page["users"]] == ["c", "b"]
    assert [one["name"] for one in cloud.admin.get(page["links"]["next"]).json()["users"]] == ["a"]
    assert cloud.admin.get(f"{V3}/users?sort_key=password_hash").status_code == 400
    assert cloud.admin.get(f"{V3}/users?sort_key=name&sort_dir=up").status_code == 400


# -- passwords --------------------------------------------------------------------------------------------------


def test_an_expired_password_is_changed_without_a_token(cloud, make):
    _settings(cloud, change_password_upon_first_use=True)
    user = make.user()
    assert make.try_login(user).status_code == 401
    assert _change(cloud, user, "wrong", "new").status_code == 401
    assert _change(cloud, user, "a-secret", "new").status_code == 204
    assert make.try_login(user, password="new").status_code == 201
    free = make.user(options={"ignore_change_password_upon_first_use": True})
    assert make.try_login(free).status_code == 201


def test_a_password_lasts_as_long_as_is_set(cloud, make):
    _settings(cloud, password_expires_days=2)
    user = make.user()
    assert user["password_expires_at"] is not None
    assert make.user(options={"ignore_password_expiry": True})["password_expires_at"] is None


def test_a_weak_password_is_refused_in_words(cloud, make):
    _settings(
        cloud, password_regex=r"(?=.*\d).{7,}", password_regex_description="7 characters, a digit among them"
    )
    body = {"user": {"name": "x", "password": "feeble"}}
    answer = cloud.admin.post(f"{V3}/users", json=body)
    assert answer.status_code == 400
    assert "a digit among them" in answer.text
    assert "feeble" not in answer.text
    user = make.user(password="str0nger")
    assert _change(cloud, user, "str0nger", "feeble").status_code == 400
    assert (
        cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": "weak"}}).status_code == 400
    )
    assert make.try_login(user, password="str0nger").status_code == 201


def test_users_do_not_take_an_old_password_again_but_administrators_give_it(cloud, make):
    _settings(cloud, unique_last_password_count=3)
    user = make.user(password="one")
    assert _change(cloud, user, "one", "one").status_code == 400
    assert _change(cloud, user, "one", "two").status_code == 204
    assert _change(cloud, user, "two", "three").status_code == 204
    assert _change(cloud, user, "three", "one").status_code == 400
    assert _change(cloud, user, "three", "four").status_code == 204
    assert _change(cloud, user, "four", "one").status_code == 204
    answer = cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": "one"}})
    assert answer.status_code == 200


def test_former_passwords_go_with_their_user_and_with_the_setting(cloud, make):
    from clearsky.identity import tables as t

    def kept():
        with cloud.house.db.read() as c:
            return len(c.execute(t.former_passwords.select()).all())

    _settings(cloud, unique_last_password_count=5)
    user = make.user(password="one")
    for old, new in (("one", "two"), ("two", "three"), ("three", "four")):
        assert _change(cloud, user, old, new).status_code == 204
    assert kept() == 3
    _settings(cloud, unique_last_password_count=2)
    assert _change(cloud, user, "four", "five").status_code == 204
    assert kept() == 1
    assert cloud.admin.delete(f"{V3}/users/{user['id']}").status_code == 204
    assert kept() == 0


def test_a_password_is_kept_for_a_while(cloud, make):
    _settings(cloud, minimum_password_age_days=1)
    user = make.user(password="one")
    answer = _change(cloud, user, "one", "two")
    assert answer.status_code == 400
    assert "minimum age" in answer.text
    assert (
        cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": "two"}}).status_code == 200
    )


def test_a_locked_password_is_changed_by_administrators_only(cloud, make):
    user = make.user(options={"lock_password": True})
    assert _change(cloud, user, "a-secret", "new").status_code == 400
    assert (
        cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": "new"}}).status_code == 200
    )
    assert make.try_login(user, password="new").status_code == 201


def test_a_disabled_user_is_out_at_once_and_does_not_come_back_by_a_new_password(cloud, make):
    user = make.user()
    client = make.login(user)
    assert cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"enabled": False}}).status_code == 200
    assert client.get(f"{V3}/auth/projects").status_code == 401
    assert _change(cloud, user, "a-secret", "new").status_code == 401
    time.sleep(0.01)
    assert cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"enabled": True}}).status_code == 200
    assert client.get(f"{V3}/auth/projects").status_code == 401, "tokens of before stay void"
    assert make.try_login(user).status_code == 201


# -- groups -----------------------------------------------------------------------------------------------------


def test_members_come_and_go(cloud, make):
    group, user = make.group(motto="one for all"), make.user()
    assert group["motto"] == "one for all"
    path = f"{V3}/groups/{group['id']}/users/{user['id']}"
    assert cloud.admin.get(path).status_code == 404
    for _ in range(2):
        assert cloud.admin.put(path).status_code == 204
    assert cloud.admin.head(path).status_code == 204
    found = cloud.admin.get(f"{V3}/groups/{group['id']}/users?name={user['name']}").json()["users"]
    assert [one["id"] for one in found] == [user["id"]]
    groups = cloud.admin.get(f"{V3}/users/{user['id']}/groups").json()["groups"]
    assert [(one["id"], one["membership_expires_at"]) for one in groups] == [(group["id"], None)]
    assert cloud.admin.get(f"{V3}/users/{user['id']}/groups?name=other").json()["groups"] == []
    assert cloud.admin.delete(path).status_code == 204
    assert cloud.admin.delete(path).status_code == 404
    assert cloud.admin.put(f"{V3}/groups/{group['id']}/users/nobody").status_code == 404
    assert cloud.admin.put(f"{V3}/groups/nothing/users/{user['id']}").status_code == 404


def test_leaving_a_group_takes_its_roles_at_once(cloud, make):
    group, user, project = make.group(), make.user(), make.project()
    make.grant(make.role_id("member"), group=group["id"], project=project["id"])
    path = f"{V3}/groups/{group['id']}/users/{user['id']}"
    cloud.admin.put(path)
    client = make.login(user, {"project": {"id": project["id"]}})
    assert client.get("/network/v2.0/networks").status_code == 200
    cloud.admin.delete(path)
    assert client.get("/network/v2.0/networks").status_code == 401


def test_deleting_a_group_takes_its_roles_at_once(cloud, make):
    group, user, project = make.group(), make.user(), make.project()
    make.grant(make.role_id("member"), group=group["id"], project=project["id"])
    cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
    client = make.login(user, {"project": {"id": project["id"]}})
    assert cloud.admin.delete(f"{V3}/groups/{group['id']}").status_code == 204
    assert client.get("/network/v2.0/networks").status_code == 401
    assert cloud.admin.get(f"{V3}/role_assignments?group.id={group['id']}").json()["role_assignments"] == []


# -- domains ----------------------------------------------------------------------------------------------------


def test_a_domain_is_deleted_disabled_and_with_everything_in_it(cloud, make):
    domain = make.domain(explicit_domain_id="d" * 32)
    assert domain["id"] == "d" * 32
    inside = {"domain_id": domain["id"]}
    user, group, project, role = (
        make.user(**inside),
        make.group(**inside),
        make.project(**inside),
        make.role(**inside),
    )
    below = make.project(parent_id=project["id"])
    cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
    make.grant(role["id"], user=user["id"], project=below["id"])
    make.grant(make.role_id("member"), group=group["id"], domain=domain["id"])
    path = f"{V3}/domains/{domain['id']}"
    assert cloud.admin.delete(path).status_code == 403
    assert cloud.admin.patch(path, json={"domain": {"enabled": False}}).status_code == 200
    assert make.try_login(user).status_code == 401
    assert cloud.admin.delete(path).status_code == 204
    gone = (("users", user), ("groups", group), ("projects", project), ("projects", below), ("roles", role))
    for kind, row in gone:
        assert cloud.admin.get(f"{V3}/{kind}/{row['id']}").status_code == 404, kind
    assigned = cloud.admin.get(f"{V3}/role_assignments").json()["role_assignments"]
    assert not {user["id"], group["id"]} & {
        one[k]["id"] for one in assigned for k in ("user", "group") if k in one
    }


def test_the_default_domain_stays(cloud):
    path = f"{V3}/domains/default"
    assert cloud.admin.delete(path).status_code == 403
    assert cloud.admin.get(path).json()["domain"]["enabled"] is True


def test_too_many_wrong_original_passwords_lock_the_user(cloud, make):
    _settings(cloud, lockout_attempts=2, lockout_s=60)
    user = make.user()
    for _ in range(2):
        assert _change(cloud, user, "wrong", "new").status_code == 401
    assert _change(cloud, user, "a-secret", "new").status_code == 401
    assert make.try_login(user).status_code == 401


def test_who_stays_away_for_too_long_is_out_until_enabled_again(cloud, make):
    from clearsky.identity import tables as t

    def away(days):
        with cloud.house.db.write() as c:
            c.execute(t.users.update().values(created_at=time.time() - days * 86400, last_active_at=None))

    _settings(cloud, disable_user_account_days_inactive=3)
    user, free = make.user(), make.user(options={"ignore_user_inactivity": True})
    away(2)
    assert make.try_login(user).status_code == 201
    away(4)
    assert make.try_login(user).status_code == 401
    assert _change(cloud, user, "a-secret", "new").status_code == 401
    assert make.try_login(free).status_code == 201
    cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"enabled": False}})
    cloud.admin.patch(f"{V3}/users/{user['id']}", json={"user": {"enabled": True}})
    assert make.try_login(user).status_code == 201


# -- identities elsewhere ---------------------------------------------------------------------------------------


@pytest.fixture
def provider(cloud):
    """Return the id of an identity provider with the protocols `openid` and `mapped`."""
    from clearsky.identity import tables as t

    with cloud.house.db.write() as c:
        c.execute(t.identity_providers.insert().values(id="idp", domain_id="default", enabled=True))
        for name in ("openid", "mapped"):
            c.execute(t.protocols.insert().values(provider_id="idp", id=name, mapping_id="m"))
    return "idp"


def _identity(provider, **protocols):
    found = [{"protocol_id": name, "unique_id": id} for name, id in sorted(protocols.items())]
    return [{"idp_id": provider, "protocols": found}]


def test_a_user_shows_and_is_found_by_identities_elsewhere(cloud, make, provider):
    wanted = _identity(provider, openid="ann@there", mapped="ann")
    user = make.user(federated=wanted)
    path = f"{V3}/users/{user['id']}"
    assert user["federated"] == cloud.admin.get(path).json()["user"]["federated"] == wanted
    for query, found in (
        ("idp_id=idp", True), ("protocol_id=openid&unique_id=ann@there", True), ("unique_id=ann", True),
        ("protocol_id=openid&unique_id=ann", False), ("idp_id=other", False),
    ):  # fmt: skip
        listed = cloud.admin.get(f"{V3}/users?{query}").json()["users"]
        assert [one["id"] for one in listed] == ([user["id"]] if found else []), query
    answer = cloud.admin.patch(path, json={"user": {"federated": _identity(provider, mapped="anne")}})
    assert answer.json()["user"]["federated"] == _identity(provider, mapped="anne")
    answer = cloud.admin.patch(path, json={"user": {"federated": []}})
    assert "federated" not in answer.json()["user"]


def test_an_identity_is_of_a_known_protocol_and_of_one_user(cloud, make, provider):
    make.user(federated=_identity(provider, openid="ann"))
    for wrong, status in (
        (_identity(provider, openid="ann"), 409),
        (_identity(provider, saml="ann"), 400),
        (_identity("nobody", openid="ann"), 400),
        ([{"idp_id": "idp", "protocols": []}], 400),
    ):
        answer = cloud.admin.post(f"{V3}/users", json={"user": {"name": "other", "federated": wrong}})
        assert answer.status_code == status, answer.text
    assert cloud.admin.get(f"{V3}/users?name=other").json()["users"] == []


def test_a_membership_that_was_vouched_for_shows_when_it_ends(cloud, make, provider):
    from clearsky.identity import tables as t

    user, group = make.user(), make.group()
    ids = {"user_id": user["id"], "group_id": group["id"], "provider_id": provider}
    with cloud.house.db.write() as c:
        c.execute(t.expiring_memberships.insert().values(**ids, expires_at=4e9))
    path = f"{V3}/users/{user['id']}/groups"
    assert cloud.admin.get(path).json()["groups"][0]["membership_expires_at"].startswith("2096-")
    cloud.admin.put(f"{V3}/groups/{group['id']}/users/{user['id']}")
    assert cloud.admin.get(path).json()["groups"][0]["membership_expires_at"] is None
