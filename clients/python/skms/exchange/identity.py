"""Identity keys: who signs, and whose signature holds.

The algorithms are those of the table under *Signatures* in docs/exchange.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ..errors import ExchangeRefused

try:
    from cryptography.hazmat.primitives.asymmetric import mldsa as _mldsa
except ImportError:  # Before ML-DSA came to `cryptography`.
    _mldsa = None  # type: ignore[assignment, unused-ignore]

#: Curve by name: the two numbers that go with it, and the hash.
_ECDSA = {
    "secp256r1": ((-7, -9), hashes.SHA256()),
    "secp384r1": ((-35, -51), hashes.SHA384()),
    "secp521r1": ((-36, -52), hashes.SHA512()),
}
_PSS = {-37: hashes.SHA256(), -38: hashes.SHA384(), -39: hashes.SHA512()}
_ED25519 = (-8, -19)
_ML_DSA = {-48: "MLDSA44", -49: "MLDSA65", -50: "MLDSA87"}
_TABLE = frozenset(
    [*_ED25519, *_PSS, *_ML_DSA, *(number for (both, _) in _ECDSA.values() for number in both)]
)


def _is_ml_dsa(key: Any, number: int, half: str) -> bool:
    kind = getattr(_mldsa, _ML_DSA[number] + half, None)
    return kind is not None and isinstance(key, kind)


def public_bytes(certificate: x509.Certificate) -> bytes:
    """A certificate's public key as it identifies the party."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def verify(key: Any, alg: int, signature: bytes, message: bytes) -> None:
    """Raises ``ExchangeRefused`` unless the signature holds.

    The error is ``signature-algorithm`` where ``alg`` is not in the table or
    not the key's, else ``signature``.
    """
    if alg not in _TABLE:
        raise ExchangeRefused("signature-algorithm", "not one of the table")
    try:
        _verify(key, alg, signature, message)
    except (InvalidSignature, ValueError):
        raise ExchangeRefused("signature") from None


def _verify(key: Any, alg: int, signature: bytes, message: bytes) -> None:
    if alg in _ED25519 and isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
    elif isinstance(key, ec.EllipticCurvePublicKey) and alg in _ECDSA.get(key.curve.name, ((),))[0]:
        size = (key.curve.key_size + 7) // 8
        if len(signature) != 2 * size:
            raise InvalidSignature
        numbers = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
        der = utils.encode_dss_signature(*numbers)
        key.verify(der, message, ec.ECDSA(_ECDSA[key.curve.name][1]))
    elif alg in _PSS and isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        key.verify(signature, message, _pss(alg), _PSS[alg])
    elif alg in _ML_DSA and _is_ml_dsa(key, alg, "PublicKey"):
        key.verify(signature, message)
    else:
        raise ExchangeRefused("signature-algorithm", "not the key's")


def _pss(alg: int) -> padding.PSS:
    digest = _PSS[alg]
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


@dataclass(frozen=True, repr=False)
class Identity:
    """This party's certificate, what certifies it, and the private key.

    ``chain`` begins with the own certificate, each the issuer of the one
    before; the anchor is left out or in.
    """

    chain: Tuple[x509.Certificate, ...]
    private_key: Any

    def __post_init__(self) -> None:
        if not self.chain or len(self.chain) > 8:
            raise ValueError("an identity has 1 to 8 certificates")
        own = self.private_key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        if own != public_bytes(self.chain[0]):
            raise ValueError("the private key is not that of the first certificate")
        self.algorithm  # Another kind of key is refused here, not at the first use.

    def __repr__(self) -> str:
        return f"Identity({self.chain[0].subject.rfc4514_string()!r})"

    @classmethod
    def from_pem(
        cls,
        certificates: Union[str, Path],
        key: Optional[Union[str, Path]] = None,
        passphrase: Optional[bytes] = None,
    ) -> "Identity":
        """Reads files as ``skms init`` and ``skms cert issue`` write them.

        Without ``key`` the private key is in the certificates' file.
        """
        chain = x509.load_pem_x509_certificates(Path(certificates).read_bytes())
        text = Path(key or certificates).read_bytes()
        return cls(tuple(chain), load_pem_private_key(_private_part(text), passphrase))

    @property
    def algorithm(self) -> int:
        """The number that this key signs under."""
        key = self.private_key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return -8
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _ECDSA:
            return _ECDSA[key.curve.name][0][0]
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
            return -37
        for number in _ML_DSA:
            if _is_ml_dsa(key, number, "PrivateKey"):
                return number
        raise ValueError("no such key signs in an exchange")

    def sign(self, message: bytes) -> bytes:
        """A signature over the message by ``algorithm``."""
        key, alg = self.private_key, self.algorithm
        if alg in _PSS:
            signature: bytes = key.sign(message, _pss(alg), _PSS[alg])
        elif isinstance(key, ec.EllipticCurvePrivateKey):
            der = key.sign(message, ec.ECDSA(_ECDSA[key.curve.name][1]))
            size = (key.curve.key_size + 7) // 8
            numbers = utils.decode_dss_signature(der)
            signature = b"".join(number.to_bytes(size, "big") for number in numbers)
        else:
            signature = key.sign(message)
        return signature


def _private_part(text: bytes) -> bytes:
    """The private key's block of a file that has certificates too."""
    lines: List[bytes] = []
    inside = False
    for line in text.splitlines():
        if line.startswith(b"-----BEGIN ") and line.rstrip().endswith(b"PRIVATE KEY-----"):
            inside = True
        if inside:
            lines.append(line)
        if inside and line.startswith(b"-----END "):
            return b"\n".join(lines) + b"\n"
    raise ValueError("no private key is in the file")
