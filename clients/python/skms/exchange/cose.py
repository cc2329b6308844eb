"""COSE_Sign1 and COSE_Mac0 as the exchange uses them (RFC 9052)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Tuple

from . import cbor
from ..errors import ExchangeRefused

SIGN1, MAC0 = 18, 17
_ALG, _X5CHAIN = 1, 33
#: Certificates in a message.
CERTIFICATES = 8


@dataclass(frozen=True)
class Signed:
    """A COSE_Sign1 taken apart; its signature was not looked at yet."""

    alg: int
    chain: Tuple[bytes, ...]
    payload: bytes
    signature: bytes
    #: What is signed: the Sig_structure.
    structure: bytes


def sign(
    alg: int,
    chain: List[bytes],
    label: bytes,
    payload: bytes,
    signer: Callable[[bytes], bytes],
) -> bytes:
    """A COSE_Sign1 under its tag, the payload attached."""
    certificates = chain[0] if len(chain) == 1 else chain
    protected = cbor.encode({_ALG: alg, _X5CHAIN: certificates})
    signature = signer(cbor.encode(["Signature1", protected, label, payload]))
    return cbor.encode(cbor.Tagged(SIGN1, [protected, {}, payload, signature]))


def read(message: bytes, label: bytes) -> Signed:
    """Takes a COSE_Sign1 apart. Raises ``cbor.Malformed`` or ``ExchangeRefused``."""
    whole = cbor.decode(message, tag=True)
    if isinstance(whole, cbor.Tagged) and whole.tag == MAC0:
        raise ExchangeRefused("wrong-message", "a message 3")
    if not isinstance(whole, cbor.Tagged) or whole.tag != SIGN1:
        raise cbor.Malformed("not a COSE_Sign1")
    parts = whole.value
    if not isinstance(parts, list) or len(parts) != 4 or parts[1] != {}:
        raise cbor.Malformed("not a COSE_Sign1")
    protected, payload, signature = parts[0], parts[2], parts[3]
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise cbor.Malformed("not a COSE_Sign1")
    header = cbor.decode(protected, header=True)
    if not isinstance(header, dict) or list(header) != [_ALG, _X5CHAIN]:
        raise cbor.Malformed("another header")
    if not isinstance(header[_ALG], int):
        raise cbor.Malformed("alg is not a number")
    structure = cbor.encode(["Signature1", protected, label, payload])
    return Signed(header[_ALG], _chain(header[_X5CHAIN]), payload, signature, structure)


def _chain(value: object) -> Tuple[bytes, ...]:
    if isinstance(value, bytes):
        return (value,)
    # One certificate alone is no array (RFC 9360, section 2).
    if not isinstance(value, list) or not 2 <= len(value) <= CERTIFICATES:
        raise cbor.Malformed("x5chain has another form")
    if not all(isinstance(one, bytes) for one in value):
        raise cbor.Malformed("x5chain has another form")
    return tuple(value)


def mac0(label: bytes, payload: bytes, mac: Callable[[bytes], bytes]) -> bytes:
    """A COSE_Mac0 under its tag by HMAC 512/512, the payload attached."""
    protected = cbor.encode({_ALG: 7})
    tag = mac(cbor.encode(["MAC0", protected, label, payload]))
    return cbor.encode(cbor.Tagged(MAC0, [protected, {}, payload, tag]))
