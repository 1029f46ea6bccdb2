"""Signatures by EC2 keys, against examples that Amazon and botocore's documentation publish."""

from __future__ import annotations

import base64

import pytest

from clearsky.errors import Invalid
from clearsky.identity import signatures

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_key_of_version_4_is_that_of_the_general_reference():
    key = signatures.v4_key(SECRET, "20120215", "us-east-1", "iam")
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_a_version_4_request_is_signed_as_in_the_general_reference():
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, Signature=x"
    )
    request = {
        "host": "iam.amazonaws.com",
        "verb": "GET",
        "path": "/",
        "params": {"Action": "ListUsers", "Version": "2010-05-08"},
        "headers": {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "Host": "iam.amazonaws.com",
            "X-Amz-Date": "20150830T123600Z",
            "Authorization": authorization,
        },
        "body_hash": EMPTY,
    }
    expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    assert signatures.ec2(SECRET, request) == expected


def test_an_s3_string_of_version_2_is_signed_as_in_its_reference():
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    string = "GET\n\n\nTue, 27 Mar 2007 19:36:42 +0000\n/awsexamplebucket1/photos/puppy.jpg"
    assert signatures.s3_string(secret, string) == "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="


def test_an_s3_string_of_version_4_is_signed_as_in_its_reference():
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    string = (
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert signatures.s3(secret, base64.urlsafe_b64encode(string.encode()).decode()) == expected


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"params": {"SignatureVersion": "1"}},
        {"headers": {"Authorization": "AWS4-HMAC-SHA256 rubbish"}},
        {"headers": {"Authorization": "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host"}},
        {"params": {"SignatureVersion": "2", "SignatureMethod": "None"}},
    ],
)
def test_what_is_no_signature_is_invalid(request_):
    with pytest.raises(Invalid):
        signatures.ec2(SECRET, request_)


@pytest.mark.parametrize("token", ["é", "%%%", base64.urlsafe_b64encode(b"AWS4-HMAC-SHA256\nx").decode()])
def test_what_is_no_string_to_sign_is_invalid(token):
    with pytest.raises(Invalid):
        signatures.s3(SECRET, token)
