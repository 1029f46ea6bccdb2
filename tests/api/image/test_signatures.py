"""Signed images: the data must be what was signed, by whom this cloud trusts."""

from __future__ import annotations

import base64
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .conftest import files

DATA = b"clear sky" * 600_000
RSA = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def settings(settings, tmp_path):
    folder = tmp_path / "certificates"
    folder.mkdir()
    return replace(settings, image=replace(settings.image, certificates_dir=folder, convert_to="qcow2"))


def _trust(cloud, key, *, days=30):
    """Put a certificate where the operator would; returns its id."""
    id, now = str(uuid.uuid4()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path = cloud.house.config.image.certificates_dir / f"{id}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return id


def _signed(certificate, kind="RSA-PSS", method="SHA-256", data=DATA):
    algorithm = {"SHA-256": hashes.SHA256(), "SHA-512": hashes.SHA512()}[method]
    if kind == "RSA-PSS":
        scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.MAX_LENGTH)
        made = RSA.sign(data, scheme, algorithm)
    else:
        made = CURVE.sign(data, ec.ECDSA(algorithm))
    return {
        "img_signature": base64.b64encode(made).decode(),
        "img_signature_hash_method": method,
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": certificate,
    }


@pytest.mark.parametrize("method", ["SHA-256", "SHA-512"])
@pytest.mark.parametrize(("key", "kind"), [(RSA, "RSA-PSS"), (CURVE, "ECC_SECP384R1")], ids=["rsa", "ecc"])
def test_signed_data_is_taken_and_other_data_is_not(cloud, photos, key, kind, method):
    properties = _signed(_trust(cloud, key), kind, method)
    good, bad = photos.create(**properties), photos.create(**properties)
    assert photos.upload(good, DATA).status_code == 204
    answer = photos.upload(bad, DATA[:-1] + b"X")
    assert (answer.status_code, "verification failed" in answer.json()["message"]) == (400, True)
    cloud.settle()
    assert (photos.show(bad)["status"], len(files(cloud))) == ("queued", 1)


def test_what_is_imported_is_checked_before_it_is_converted(cloud, photos):
    properties = _signed(_trust(cloud, RSA))
    good, bad = photos.create(**properties), photos.create(**properties)
    for id, data in ((good, DATA), (bad, DATA + b"X")):
        photos.stage(id, data)
        photos.imports(id, "glance-direct")
    cloud.settle()
    assert (photos.show(good)["status"], photos.show(good)["disk_format"]) == ("active", "qcow2")
    assert photos.show(bad)["status"] == "queued"
    (task,) = cloud.member.get(f"/image/v2/images/{bad}/tasks").json()["tasks"]
    assert "verification failed" in task["message"]
    assert len(files(cloud)) == 1


def test_a_signature_that_cannot_be_checked_is_refused_with_its_reason(cloud, photos):
    trusted, old = _trust(cloud, RSA), _trust(cloud, RSA, days=-1)
    good = _signed(trusted)
    for change, words in (
        ({"img_signature_certificate_uuid": str(uuid.uuid4())}, "no certificate"),
        ({"img_signature_certificate_uuid": "../../etc/passwd"}, "no certificate"),
        ({"img_signature_certificate_uuid": old}, "valid only until"),
        ({"img_signature_hash_method": "MD5"}, "SHA-224"),
        ({"img_signature_key_type": "ECC_SECP384R1"}, "does not fit"),
        ({"img_signature": "no base64!"}, "base64"),
        ({"img_signature": "AAAA"}, "verification failed"),
    ):
        id = photos.create(**(good | change))
        answer = photos.upload(id, DATA)
        assert (answer.status_code, words in answer.json()["message"]) == (400, True), answer.text
        assert photos.show(id)["status"] == "queued"
    cloud.settle()
    assert files(cloud) == []


def test_some_of_the_properties_ask_for_nothing(cloud, photos):
    properties = _signed(_trust(cloud, RSA))
    del properties["img_signature_key_type"]
    assert photos.upload(photos.create(**properties), b"other").status_code == 204
