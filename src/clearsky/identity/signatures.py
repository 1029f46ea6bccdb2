"""Signatures of requests by an EC2 key: AWS's version 4 and 2 for EC2, and S3's string to sign. Pure.

Sources: AWS Signature Version 4 (General Reference, "Signing AWS API requests"), Version 2, and the S3 REST
authentication of both; the request as the Identity API's `POST /v3/ec2tokens` and `/v3/s3tokens` carry it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from clearsky.errors import Invalid

_V4 = "AWS4-HMAC-SHA256"


def same(ours: str, theirs: str) -> bool:
    """Compare in constant time; rubbish that is not ASCII is unequal."""
    return hmac.compare_digest(ours.encode(), theirs.encode())


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def v4_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the key that signs what is of one day, region and service."""
    key = _hmac(f"AWS4{secret}".encode(), date)
    for part in (region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def v4(secret: str, scope: str, string_to_sign: str) -> str:
    """Sign with version 4; `scope` is DATE/REGION/SERVICE/aws4_request. Raises Invalid for another shape."""
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request":
        raise Invalid(f"credential scope {scope!r:.100} should be DATE/REGION/SERVICE/aws4_request")
    return _hmac(v4_key(secret, *parts[:3]), string_to_sign).hex()


# -- EC2 --------------------------------------------------------------------------------------------------------


def ec2(secret: str, request: Mapping[str, Any]) -> str:
    """Return the signature that `request` (host, verb, path, params, headers, body_hash) should have.

    Raises Invalid where it says neither of the two versions.
    """
    params = {str(name): str(value) for name, value in (request.get("params") or {}).items()}
    headers = {str(name).lower(): str(value) for name, value in (request.get("headers") or {}).items()}
    if _authorization(headers) or params.get("X-Amz-Algorithm") == _V4:
        return _ec2_v4(secret, request, params, headers)
    if params.get("SignatureVersion") == "2":
        return _ec2_v2(secret, request, params)
    raise Invalid("The signature is of neither version that is understood: 4 (AWS4-HMAC-SHA256) or 2.")


def with_port_left_out(host: str) -> str:
    """Return the host as clients sign it who leave the port out of it."""
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _authorization(headers: Mapping[str, str]) -> str:
    text = headers.get("authorization", "")
    return text if text.startswith(_V4) else ""


def _ec2_v2(secret: str, request: Mapping[str, Any], params: Mapping[str, str]) -> str:
    method = params.get("SignatureMethod", "HmacSHA256")
    if method not in ("HmacSHA256", "HmacSHA1"):
        raise Invalid(f"SignatureMethod = {method!r:.40} should be HmacSHA256 or HmacSHA1")
    pairs = sorted((name, value) for name, value in params.items() if name != "Signature")
    query = "&".join(f"{_quote(name)}={_quote(value)}" for name, value in pairs)
    lines = [
        str(request.get("verb", "")).upper(),
        str(request.get("host", "")).lower(),
        str(request.get("path", "")) or "/",
        query,
    ]
    digest = hashlib.sha256 if method == "HmacSHA256" else hashlib.sha1
    signed = hmac.new(secret.encode(), "\n".join(lines).encode(), digest).digest()
    return base64.b64encode(signed).decode()


def _quote(text: str) -> str:
    return quote(text, safe="-_~")


def _ec2_v4(
    secret: str, request: Mapping[str, Any], params: Mapping[str, str], headers: Mapping[str, str]
) -> str:
    stated = _stated(params, headers)
    scope = stated["Credential"].partition("/")[2]
    date = params.get("X-Amz-Date") or headers.get("x-amz-date") or headers.get("date") or ""
    if not date.startswith(scope.partition("/")[0]):
        raise Invalid("The date of the signature's credential scope is not that of the request (X-Amz-Date).")
    canonical = _canonical(request, params, headers, stated["SignedHeaders"])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return v4(secret, scope, f"{_V4}\n{date}\n{scope}\n{digest}")


def _stated(params: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, str]:
    """Return Credential and SignedHeaders, from the query of a presigned request or the header Authorization."""
    if text := _authorization(headers):
        pairs = (part.strip().partition("=") for part in text[len(_V4) :].split(","))
        found = {name: value for name, _, value in pairs}
    else:
        found = {name: params.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders")}
    for name in ("Credential", "SignedHeaders"):
        if not found.get(name):
            raise Invalid(f"The version 4 signature does not say {name}.")
    return found


def _canonical(
    request: Mapping[str, Any], params: Mapping[str, str], headers: Mapping[str, str], signed: str
) -> str:
    verb = str(request.get("verb", "")).upper()
    pairs = []
    if verb != "POST" or "X-Amz-Algorithm" in params:
        pairs = sorted(
            (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
            for name, value in params.items()
            if name not in ("Signature", "X-Amz-Signature")
        )
    lines = [verb, str(request.get("path", "")) or "/", "&".join(f"{name}={value}" for name, value in pairs)]
    for name in signed.lower().split(";"):
        value = (
            str(request.get("host", ""))
            if name == "host" and "host" not in headers
            else headers.get(name, "")
        )
        lines.append(f"{name}:{' '.join(value.split())}")
    return "\n".join([*lines, "", signed.lower(), str(request.get("body_hash", ""))])


# -- S3 ---------------------------------------------------------------------------------------------------------


def s3(secret: str, token: str) -> str:
    """Return the signature of a string to sign, which `token` carries in URL-safe base64.

    Version 4's string begins with AWS4-HMAC-SHA256 and holds date and scope; anything else is version 2's.
    """
    try:
        string = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Invalid("credentials.token should be the string to sign in URL-safe base64") from error
    return s3_string(secret, string)


def s3_string(secret: str, string: str) -> str:
    """Sign a string to sign of S3, of either version."""
    lines = string.split("\n")
    if lines[0] == _V4:
        if len(lines) != 4:
            raise Invalid("The version 4 string to sign should have four lines.")
        if not lines[1].startswith(lines[2].partition("/")[0]):
            raise Invalid("The dates in the string to sign differ.")
        return v4(secret, lines[2], string)
    signed = hmac.new(secret.encode(), string.encode(), hashlib.sha1).digest()
    return base64.b64encode(signed).decode()
