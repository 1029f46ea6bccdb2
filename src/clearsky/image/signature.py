"""Signatures of image data, as Glance's clients make them: four properties name the signature, how it was made, and the
certificate that it is checked with. Certificates are files of the operator's, one for each UUID: this cloud keeps no keys
for others, so whom to trust is decided by who may write into that folder.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from clearsky.errors import Invalid

PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA-224": hashes.SHA224,
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}
_CURVE = re.compile(r"ECC_(SECP\d{3}R1)")


class Signature:
    """Fed with the data as a hash is (`update`); `check` at the end."""

    def __init__(self, properties: Mapping[str, Any], folder: Path) -> None:
        method, self._kind = str(properties[PROPERTIES[1]]), str(properties[PROPERTIES[2]])
        if method not in _HASHES:
            raise Invalid(f"img_signature_hash_method {method!r:.40}: there are {', '.join(_HASHES)}")
        self._algorithm = _HASHES[method]()
        try:
            self._signature = base64.b64decode(str(properties[PROPERTIES[0]]), validate=True)
        except binascii.Error as error:
            raise Invalid(f"img_signature is not base64: {error}") from error
        self._key = self._public_key(str(properties[PROPERTIES[3]]), folder)
        self._hash = hashes.Hash(self._algorithm)

    def _public_key(self, id: str, folder: Path) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
        if folder == Path():
            raise Invalid(
                "The image is to be checked against a signature (img_signature...), but this cloud trusts no"
                " certificates: its operator has not set [image] certificates_dir"
            )
        try:
            file = folder / f"{uuid.UUID(id)}.pem"
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
        except (OSError, ValueError) as error:
            raise Invalid(
                f"img_signature_certificate_uuid {id!r:.40} is no certificate that this cloud trusts"
            ) from error
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise Invalid(
                f"The certificate {id} is valid only until {certificate.not_valid_after_utc:%F %R} UTC"
            )
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and self._kind == "RSA-PSS":
            return key
        curve = _CURVE.fullmatch(self._kind)
        if isinstance(key, ec.EllipticCurvePublicKey) and curve and key.curve.name.upper() == curve[1]:
            return key
        raise Invalid(
            f"img_signature_key_type {self._kind!r:.40} does not fit the certificate {id}: RSA-PSS or ECC_SECP...R1"
        )

    def update(self, data: bytes | memoryview) -> None:
        self._hash.update(data)

    def check(self) -> None:
        """Raise Invalid unless the data that went by is what was signed."""
        digest, prehashed = self._hash.finalize(), Prehashed(self._algorithm)
        try:
            if isinstance(self._key, rsa.RSAPublicKey):
                scheme = padding.PSS(padding.MGF1(self._algorithm), padding.PSS.AUTO)
                self._key.verify(self._signature, digest, scheme, prehashed)
            else:
                self._key.verify(self._signature, digest, ec.ECDSA(prehashed))
        except InvalidSignature as error:
            raise Invalid("Signature verification failed: the data is not what was signed") from error


def wanted(properties: Mapping[str, Any], folder: Path) -> Signature | None:
    """Return what checks the data where the image's properties ask for it: all four of them. Raises Invalid."""
    if not all(properties.get(name) for name in PROPERTIES):
        return None
    return Signature(properties, folder)
