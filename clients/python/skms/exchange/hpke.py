"""HPKE in base mode with a shared secret at hand (RFC 9180, section 5.1)."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: HKDF's hash by the number of the KDF.
_HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}


def extract(hash_name: str, salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract (RFC 5869, section 2.2)."""
    return hmac.digest(salt or bytes(hashlib.new(hash_name).digest_size), secret, hash_name)


def expand(hash_name: str, key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869, section 2.3)."""
    out, block, count = b"", b"", 0
    while len(out) < length:
        count += 1
        block = hmac.digest(key, block + info + bytes([count]), hash_name)
        out += block
    return out[:length]


class Labelled:
    """LabeledExtract and LabeledExpand (RFC 9180, section 4)."""

    def __init__(self, hash_name: str, suite_id: bytes) -> None:
        self._hash = hash_name
        self._id = suite_id
        self.size = hashlib.new(hash_name).digest_size

    def extract(self, salt: bytes, label: bytes, secret: bytes) -> bytes:
        return extract(self._hash, salt, b"HPKE-v1" + self._id + label + secret)

    def expand(self, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + self._id + label + info
        return expand(self._hash, key, labelled, length)


class Context:
    """A recipient's context: one message to open, and exports."""

    def __init__(self, kem: int, kdf: int, aead: int, shared: bytes, info: bytes) -> None:
        if aead != 2:
            raise ValueError("no other AEAD than AES-256-GCM is in a suite")
        ids = b"".join(number.to_bytes(2, "big") for number in (kem, kdf, aead))
        labelled = self._labelled = Labelled(_HASHES[kdf], b"HPKE" + ids)
        # Mode 0 and an empty PSK identity: the base mode.
        schedule = (
            b"\0"
            + labelled.extract(b"", b"psk_id_hash", b"")
            + labelled.extract(b"", b"info_hash", info)
        )
        secret = labelled.extract(shared, b"secret", b"")
        self._key = labelled.expand(secret, b"key", schedule, 32)
        self._nonce = labelled.expand(secret, b"base_nonce", schedule, 12)
        self._exporter = labelled.expand(secret, b"exp", schedule, labelled.size)

    def export(self, label: bytes, length: int) -> bytes:
        """A secret for one purpose (RFC 9180, section 5.3)."""
        return self._labelled.expand(self._exporter, b"sec", label, length)

    def open(self, associated: bytes, sealed: bytes) -> bytes:
        """The first message's plaintext; ``ValueError`` where it does not open."""
        try:
            return AESGCM(self._key).decrypt(self._nonce, sealed, associated)
        except InvalidTag:
            raise ValueError("it does not open") from None
