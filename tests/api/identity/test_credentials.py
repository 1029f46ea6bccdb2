"""Stored credentials and EC2 keys: whose they are, how they are kept, what a signature by one is good for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from sqlalchemy import select

from clearsky.identity import service, signatures
from clearsky.identity import tables as t
from clearsky.identity.reconcile import rotate_credential_keys

V3 = "/identity/v3"


def _create(client, status=201, **body):
    wanted = {"type": "cert", "blob": "a-secret-blob", "user_id": client.user_id}
    answer = client.post(f"{V3}/credentials", json={"credential": wanted | body})
    assert answer.status_code == status, answer.text
    return answer.json().get("credential")


def _stored(cloud):
    with cloud.house.db.read() as c:
        return c.execute(select(t.credentials)).all()


def test_a_credential_is_made_shown_changed_and_deleted_by_its_owner(cloud):
    made = _create(cloud.member, project_id=cloud.member.project_id)
    path = f"{V3}/credentials/{made['id']}"
    assert cloud.member.get(path).json()["credential"] == made
    changed = cloud.member.patch(path, json={"credential": {"blob": "another", "colour": "red"}})
    assert changed.json()["credential"] == made | {"blob": "another", "colour": "red"}
    assert cloud.member.delete(path).status_code == 204
    assert cloud.member.get(path).status_code == 404


def test_nobody_else_sees_or_touches_it_but_operators(cloud):
    made = _create(cloud.member)
    path = f"{V3}/credentials/{made['id']}"
    assert cloud.foreign.get(path).status_code == 403
    assert cloud.foreign.delete(path).status_code == 403
    assert cloud.foreign.patch(path, json={"credential": {"blob": "x"}}).status_code == 403
    assert cloud.foreign.get(f"{V3}/credentials").json()["credentials"] == []
    _create(cloud.foreign, 403, user_id=cloud.member.user_id)
    assert [one["id"] for one in cloud.admin.get(f"{V3}/credentials").json()["credentials"]] == [made["id"]]
    for other in ({"user_id": cloud.foreign.user_id}, {"type": "ec2"}, {"project_id": "x"}, {"id": "x"}):
        assert cloud.member.patch(path, json={"credential": other}).status_code == 400


def test_lists_are_filtered_by_type_and_user(cloud):
    _create(cloud.member)
    _create(cloud.member, type="totp", blob="GEZDGNBVGY3TQOJQ")
    found = cloud.admin.get(f"{V3}/credentials?type=totp&user_id={cloud.member.user_id}").json()[
        "credentials"
    ]
    assert [one["type"] for one in found] == ["totp"]
    assert cloud.admin.get(f"{V3}/credentials?user_id=nobody").json()["credentials"] == []


def test_blobs_are_encrypted_where_they_are_kept(cloud):
    _create(cloud.member)
    assert "a-secret-blob" not in str(_stored(cloud))


def test_keys_rotate_and_what_they_encrypted_is_encrypted_anew(cloud):
    made = _create(cloud.member)
    before = _stored(cloud)[0].encrypted_blob
    for _ in range(4):  # more often than keys are kept
        assert rotate_credential_keys(cloud.house)
    assert _stored(cloud)[0].encrypted_blob != before
    assert cloud.member.get(f"{V3}/credentials/{made['id']}").json()["credential"]["blob"] == "a-secret-blob"
    keys = service.credential_keys(cloud.house).folder
    assert len([path for path in keys.iterdir() if path.name.isdigit()]) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"type": "ec2", "blob": json.dumps({"access": "a", "secret": "s"})},
        {"type": "ec2", "blob": "no json", "project_id": "p"},
        {"type": "ec2", "blob": "[]", "project_id": "p"},
        {"type": "ec2", "blob": json.dumps({"access": "a"}), "project_id": "p"},
        {"blob": 7},
        {"type": ""},
    ],
)
def test_rubbish_is_refused(cloud, body):
    _create(cloud.member, 400, **body)


def test_an_ec2_credentials_limits_stay(cloud):
    blob = {"access": "mine", "secret": "s"}
    made = _create(cloud.member, type="ec2", blob=json.dumps(blob), project_id=cloud.member.project_id)
    assert made["id"] == hashlib.sha256(b"mine").hexdigest()
    path = f"{V3}/credentials/{made['id']}"
    for wrong in ({"trust_id": "x"}, {"app_cred_id": "x"}, {"access_token_id": "x"}):
        changed = {"credential": {"blob": json.dumps(blob | wrong)}}
        assert cloud.member.patch(path, json=changed).status_code == 400, wrong
    new = {"credential": {"blob": json.dumps({"access": "other", "secret": "new"})}}
    assert cloud.member.patch(path, json=new).status_code == 200


# -- EC2 keys ---------------------------------------------------------------------------------------------------


def _ec2(client, **body):
    answer = client.post(
        f"{V3}/users/{client.user_id}/credentials/OS-EC2", json={"tenant_id": client.project_id} | body
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["credential"]


def test_a_user_makes_lists_shows_and_deletes_keys(cloud):
    made = _ec2(cloud.member)
    base = f"{V3}/users/{cloud.member.user_id}/credentials/OS-EC2"
    assert cloud.member.get(base).json()["credentials"] == [made]
    assert cloud.member.get(f"{base}/{made['access']}").json()["credential"] == made
    assert cloud.foreign.get(f"{base}/{made['access']}").status_code == 403
    stolen = f"{V3}/users/{cloud.foreign.user_id}/credentials/OS-EC2/{made['access']}"
    assert cloud.foreign.get(stolen).status_code == 404
    assert cloud.foreign.delete(stolen).status_code == 404
    assert cloud.member.delete(f"{base}/{made['access']}").status_code == 204
    assert cloud.member.get(base).json()["credentials"] == []


def _v2_request(key):
    params = {
        "AWSAccessKeyId": key["access"], "SignatureVersion": "2", "SignatureMethod": "HmacSHA256", "Action": "Describe",
        "Timestamp": "2026-11-25T00:00:00Z",
    }  # fmt: skip
    request = {"host": "ec2.example.org:8773", "verb": "GET", "path": "/services/Cloud", "params": params}
    query = "&".join(f"{name}={signatures._quote(params[name])}" for name in sorted(params))
    text = f"GET\nec2.example.org:8773\n/services/Cloud\n{query}"
    digest = hmac.new(key["secret"].encode(), text.encode(), hashlib.sha256).digest()
    return request | {"access": key["access"], "signature": base64.b64encode(digest).decode()}


def test_a_signed_ec2_request_gives_a_token_to_services_only(cloud):
    signed = {"credentials": _v2_request(_ec2(cloud.member))}
    assert cloud.anonymous.post(f"{V3}/ec2tokens", json=signed).status_code == 401
    assert cloud.foreign.post(f"{V3}/ec2tokens", json=signed).status_code == 403
    answer = cloud.admin.post(f"{V3}/ec2tokens", json=signed)
    assert answer.status_code == 200, answer.text
    token = answer.json()["token"]
    assert (token["user"]["id"], token["project"]["id"]) == (cloud.member.user_id, cloud.member.project_id)
    assert token["methods"] == ["ec2credential"]
    used = cloud.http.get(
        "/network/v2.0/networks", headers={"X-Auth-Token": answer.headers["X-Subject-Token"]}
    )
    assert used.status_code == 200


@pytest.mark.parametrize("change", [{"path": "/x"}, {"verb": "POST"}, {"signature": "é"}, {"access": "x"}])
def test_a_signature_that_does_not_fit_gives_none(cloud, change):
    signed = {"credentials": _v2_request(_ec2(cloud.member)) | change}
    assert cloud.admin.post(f"{V3}/ec2tokens", json=signed).status_code == 401


def test_a_key_is_worth_nothing_without_a_role(cloud):
    signed = {"credentials": _v2_request(_ec2(cloud.member, tenant_id=cloud.foreign.project_id))}
    assert cloud.admin.post(f"{V3}/ec2tokens", json=signed).status_code == 401


def test_a_signed_s3_string_is_checked_in_both_versions(cloud):
    key = _ec2(cloud.member)
    for string in (
        "GET\n\n\nWed, 25 Nov 2026 00:00:00 GMT\n/bucket/",
        "AWS4-HMAC-SHA256\n20261125T000000Z\n20261125/RegionOne/s3/aws4_request\n" + "0" * 64,
    ):
        signed = {
            "access": key["access"],
            "token": base64.urlsafe_b64encode(string.encode()).decode(),
            "signature": signatures.s3_string(key["secret"], string),
        }
        answer = cloud.admin.post(f"{V3}/s3tokens", json={"credentials": signed})
        assert answer.status_code == 200, answer.text
        assert answer.json()["token"]["project"]["id"] == cloud.member.project_id
        assert "X-Subject-Token" not in answer.headers
        caller = service.verify_s3(cloud.house, key["access"], string, signed["signature"])
        assert caller.user_id == cloud.member.user_id
        wrong = signed | {"signature": signatures.s3_string("another", string)}
        assert cloud.admin.post(f"{V3}/s3tokens", json={"credentials": wrong}).status_code == 401
        with pytest.raises(service.Unauthorized):
            service.verify_s3(cloud.house, key["access"], string, wrong["signature"])


def test_a_key_made_by_an_application_credential_is_limited_as_that_is(cloud):
    path = f"{V3}/users/{cloud.member.user_id}/application_credentials"
    body = {"application_credential": {"name": "robot", "roles": [{"name": "reader"}]}}
    robot = cloud.member.post(path, json=body).json()["application_credential"]
    given = {"id": robot["id"], "secret": robot["secret"]}
    auth = {"identity": {"methods": ["application_credential"], "application_credential": given}}
    token = cloud.http.post(f"{V3}/auth/tokens", json={"auth": auth}).headers["X-Subject-Token"]
    made = cloud.http.post(
        f"{V3}/users/{cloud.member.user_id}/credentials/OS-EC2",
        json={"tenant_id": cloud.member.project_id},
        headers={"X-Auth-Token": token},
    ).json()["credential"]
    signed = {"credentials": _v2_request(made)}
    answer = cloud.admin.post(f"{V3}/ec2tokens", json=signed)
    assert [role["name"] for role in answer.json()["token"]["roles"]] == ["reader"]
    assert cloud.member.delete(f"{path}/{robot['id']}").status_code == 204
    assert cloud.admin.post(f"{V3}/ec2tokens", json=signed).status_code == 401
