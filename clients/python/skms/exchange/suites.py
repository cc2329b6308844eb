"""The suites, and each KEM's receiving half.

Primitives are those of ``cryptography``; what is here is how RFC 9180, section
4.1, and draft-connolly-cfrg-xwing-kem put them together.
"""

from __future__ import annotations

import enum
import hashlib
from typing import Any, Dict, List, Protocol, Tuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..errors import UnsupportedSuite
from .hpke import Labelled

try:
    from cryptography.hazmat.primitives.asymmetric import mlkem as _mlkem
except ImportError:  # Before ML-KEM came to `cryptography`.
    _mlkem = None  # type: ignore[assignment, unused-ignore]


class Suite(enum.Enum):
    """KEM, KDF and AEAD by IANA's numbers for HPKE."""

    X_WING = (0x647A, 1, 2)
    ML_KEM_768 = (0x0041, 1, 2)
    ML_KEM_1024 = (0x0042, 2, 2)
    X25519 = (0x0020, 1, 2)
    P256 = (0x0010, 1, 2)
    P384 = (0x0011, 2, 2)
    P521 = (0x0012, 3, 2)

    @property
    def encapsulation_bytes(self) -> int:
        """How long an encapsulation is."""
        return _ENCAPSULATION[self]

    @property
    def post_quantum(self) -> bool:
        """Whether it withstands a quantum computer; servers accept no other."""
        return self in (Suite.X_WING, Suite.ML_KEM_768, Suite.ML_KEM_1024)


_ENCAPSULATION = {
    Suite.X_WING: 1120,
    Suite.ML_KEM_768: 1088,
    Suite.ML_KEM_1024: 1568,
    Suite.X25519: 32,
    Suite.P256: 65,
    Suite.P384: 97,
    Suite.P521: 133,
}


class Ephemeral(Protocol):
    """An ephemeral key that opens one encapsulation."""

    public: bytes

    def decapsulate(self, encapsulation: bytes) -> bytes:
        """The shared secret; ``ValueError`` where the encapsulation is none."""


class _MlKem:
    def __init__(self, private: Any) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()

    def decapsulate(self, encapsulation: bytes) -> bytes:
        shared: bytes = self._private.decapsulate(encapsulation)
        return shared


class _XWing:
    """X-Wing, sections 5.2 and 5.4: ML-KEM-768 and X25519 under SHA3-256."""

    def __init__(self, seed: bytes) -> None:
        expanded = hashlib.shake_256(seed).digest(96)
        self._post = _MlKem(_ml_kem(Suite.ML_KEM_768).from_seed_bytes(expanded[:64]))
        self._classic = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        self._share = self._classic.public_key().public_bytes_raw()
        self.public = self._post.public + self._share

    def decapsulate(self, encapsulation: bytes) -> bytes:
        post, share = encapsulation[:1088], encapsulation[1088:]
        first = self._post.decapsulate(post)
        second = self._classic.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        label = b"\\.//^\\"
        return hashlib.sha3_256(first + second + share + self._share + label).digest()


class _X25519:
    def __init__(self, private: x25519.X25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    def decapsulate(self, encapsulation: bytes) -> bytes:
        # A result of zero is an error in `cryptography` already (RFC 7748, 6.1).
        peer = x25519.X25519PublicKey.from_public_bytes(encapsulation)
        shared = self._private.exchange(peer)
        return _extract_and_expand(Suite.X25519, "sha256", shared, encapsulation + self.public)


#: Curve, hash and bytes of a private key.
_CURVES: Dict[Suite, Tuple[ec.EllipticCurve, str]] = {
    Suite.P256: (ec.SECP256R1(), "sha256"),
    Suite.P384: (ec.SECP384R1(), "sha384"),
    Suite.P521: (ec.SECP521R1(), "sha512"),
}


class _Curve:
    def __init__(self, suite: Suite, private: ec.EllipticCurvePrivateKey) -> None:
        self._suite = suite
        self._private = private
        self.public = private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def decapsulate(self, encapsulation: bytes) -> bytes:
        curve, hash_name = _CURVES[self._suite]
        if encapsulation[:1] != b"\x04":
            raise ValueError("not an uncompressed point")
        peer = ec.EllipticCurvePublicKey.from_encoded_point(curve, encapsulation)
        shared = self._private.exchange(ec.ECDH(), peer)
        return _extract_and_expand(self._suite, hash_name, shared, encapsulation + self.public)


def _extract_and_expand(suite: Suite, hash_name: str, shared: bytes, context: bytes) -> bytes:
    """ExtractAndExpand (RFC 9180, section 4.1)."""
    labelled = Labelled(hash_name, b"KEM" + suite.value[0].to_bytes(2, "big"))
    key = labelled.extract(b"", b"eae_prk", shared)
    return labelled.expand(key, b"shared_secret", context, labelled.size)


def _ml_kem(suite: Suite) -> Any:
    name = "MLKEM1024PrivateKey" if suite is Suite.ML_KEM_1024 else "MLKEM768PrivateKey"
    kind = getattr(_mlkem, name, None)
    if kind is None:
        raise UnsupportedSuite("the installed cryptography has no ML-KEM of this size")
    return kind


def from_private(suite: Suite, private: bytes) -> Ephemeral:
    """An ephemeral key from its private bytes, as HPKE writes them."""
    if suite is Suite.X_WING:
        return _XWing(private)
    if suite in (Suite.ML_KEM_768, Suite.ML_KEM_1024):
        return _MlKem(_ml_kem(suite).from_seed_bytes(private))
    if suite is Suite.X25519:
        return _X25519(x25519.X25519PrivateKey.from_private_bytes(private))
    curve = _CURVES[suite][0]
    return _Curve(suite, ec.derive_private_key(int.from_bytes(private, "big"), curve))


def generate(suite: Suite) -> Ephemeral:
    """A fresh ephemeral key. Raises ``UnsupportedSuite``."""
    import secrets

    try:
        if suite is Suite.X_WING:
            return _XWing(secrets.token_bytes(32))
        if suite in (Suite.ML_KEM_768, Suite.ML_KEM_1024):
            return _MlKem(_ml_kem(suite).generate())
    except UnsupportedAlgorithm:
        raise UnsupportedSuite("the library below cryptography has no ML-KEM") from None
    if suite is Suite.X25519:
        return _X25519(x25519.X25519PrivateKey.generate())
    return _Curve(suite, ec.generate_private_key(_CURVES[suite][0]))


def available_suites() -> List[Suite]:
    """The suites that the installed ``cryptography`` can do, the best first."""
    found = []
    for suite in Suite:
        try:
            generate(suite)
        except UnsupportedSuite:
            continue
        found.append(suite)
    return found
