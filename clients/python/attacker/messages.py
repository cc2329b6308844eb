"""Messages of the exchange taken apart, changed, and put together again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding

from skms.exchange import Identity, Suite, cbor, cose, hpke

LABELS = {number: f"skms-exchange-v1 message {number}".encode() for number in (1, 2, 3)}


def hash_of(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def chain_of(identity: Identity) -> List[bytes]:
    return [one.public_bytes(Encoding.DER) for one in identity.chain]


def _in_header(chain: List[bytes]) -> Any:
    return chain[0] if len(chain) == 1 else chain


@dataclass
class Opened:
    """Message 1 or 2 with its parts at hand."""

    header: Dict[int, Any]
    payload: Dict[int, Any]
    signature: bytes

    @classmethod
    def of(cls, message: bytes) -> "Opened":
        protected, _, payload, signature = cbor.decode(message, tag=True).value
        return cls(cbor.decode(protected, header=True), cbor.decode(payload), signature)

    def show_certificates(self, chain: List[bytes]) -> None:
        self.header[33] = _in_header(chain)

    def octets(self) -> bytes:
        """As it is now, under the signature that it had."""
        parts = [cbor.encode(self.header), {}, cbor.encode(self.payload), self.signature]
        return cbor.encode(cbor.Tagged(cose.SIGN1, parts))

    def signed(self, by: Identity, number: int, alg: Optional[int] = None) -> bytes:
        """As it is now, as somebody else's message."""
        payload = cbor.encode(self.payload)
        return cose.sign(alg or by.algorithm, chain_of(by), LABELS[number], payload, by.sign)

    def structure(self, number: int) -> bytes:
        """What is signed."""
        parts = ["Signature1", cbor.encode(self.header), LABELS[number], cbor.encode(self.payload)]
        return cbor.encode(parts)


def own_message_1(
    victims: bytes,
    by: Identity,
    *,
    offers: Optional[List[List[Any]]] = None,
    time_offset: int = 0,
    alg: Optional[int] = None,
) -> bytes:
    """A message 1 of the attacker's own, asking for what the victim asked for."""
    opened = Opened.of(victims)
    if offers is not None:
        opened.payload[3] = offers
    opened.payload[4] = hash_of(chain_of(by)[0])
    opened.payload[6] = secrets.token_bytes(32)
    opened.payload[7] = int(time.time()) + time_offset
    return opened.signed(by, 1, alg)


def encapsulate(suite: Suite, public: bytes) -> Tuple[bytes, bytes]:
    """An encapsulation to a public key, and the shared secret."""
    if suite is Suite.ML_KEM_768:
        shared, encapsulation = mlkem.MLKEM768PublicKey.from_public_bytes(public).encapsulate()
        return encapsulation, shared
    if suite is Suite.ML_KEM_1024:
        shared, encapsulation = mlkem.MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
        return encapsulation, shared
    if suite is not Suite.X_WING:
        raise ValueError("the attacker answers by X-Wing and ML-KEM")
    post, first = encapsulate(Suite.ML_KEM_768, public[:1184])
    theirs = x25519.X25519PublicKey.from_public_bytes(public[1184:])
    own = x25519.X25519PrivateKey.generate()
    share = own.public_key().public_bytes_raw()
    label = b"\\.//^\\"
    mixed = first + own.exchange(theirs) + share + public[1184:] + label
    return post + share, hashlib.sha3_256(mixed).digest()


@dataclass
class Answer:
    """What an attacker that plays the server says, and which of it is a lie."""

    key: bytes
    encapsulation: Optional[bytes] = None
    confirmation: Optional[bytes] = None
    grant: Optional[Dict[int, Any]] = None
    suite: Optional[List[int]] = None
    time_offset: int = 0

    def message_2(self, first: bytes, by: Identity, show: Optional[List[bytes]] = None) -> bytes:
        """Message 2 as docs/exchange.md has it, but for the lies.

        ``show`` are other certificates than those of who signs.
        """
        asked = Opened.of(first).payload
        offer = asked[3][0]
        suite = Suite(tuple(offer[:3]))
        chain = show or chain_of(by)
        encapsulation, shared = encapsulate(suite, offer[3])
        context = hpke.Context(*suite.value, shared, b"skms-exchange-v1 hpke" + hash_of(first))
        request = asked[8]
        distribution = request[1] == 2
        grant: Dict[int, Any] = {
            **{key: request[key] for key in (1, 2, 3, 4)},
            5: request.get(5, "AES-256-GCM"),
            6: request.get(6, ["encrypt"]),
            8: request.get(8, 1),
            9: "00000000-0000-4000-8000-000000000000",
            **({11: "raw"} if distribution else {10: len(self.key)}),
            **({7: request[7]} if 7 in request else {}),
            **(self.grant or {}),
        }
        payload: Dict[int, Any] = {
            1: 1,
            2: 2,
            3: hash_of(first),
            4: self.suite or list(suite.value),
            5: encapsulation if self.encapsulation is None else self.encapsulation,
            6: hash_of(chain[0]),
            7: secrets.token_bytes(32),
            8: int(time.time()) + self.time_offset,
            9: grant,
        }
        if distribution:
            head = cbor.encode(payload)
            payload[10] = AESGCM(context._key).encrypt(context._nonce, self.key, head)
        confirm = context.export(b"skms-exchange-v1 confirm 2", 64)
        mac = hmac.digest(confirm, cbor.encode(payload), "sha512")
        payload[11] = mac if self.confirmation is None else self.confirmation
        return cose.sign(by.algorithm, chain, LABELS[2], cbor.encode(payload), by.sign)


def bent_message_3(third: bytes, *, transcript: bool) -> bytes:
    """Message 3 with its MAC, or the hash in it, changed."""
    protected, empty, payload, mac = cbor.decode(third, tag=True).value
    if transcript:
        fields = cbor.decode(payload)
        fields[3] = bytes(byte ^ 1 for byte in fields[3])
        payload = cbor.encode(fields)
    else:
        mac = mac[:-1] + bytes([mac[-1] ^ 1])
    return cbor.encode(cbor.Tagged(cose.MAC0, [protected, empty, payload, mac]))
