"""The recorded exchanges of testdata/exchange, run again and bent."""

from __future__ import annotations

import datetime
import hmac
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key

from skms.errors import ExchangeRefused
from skms.exchange import Agreement, Distribution, Identity, Initiator, ServerName, Suite
from skms.exchange import cbor, cose, identity, suites

REPOSITORY = Path(__file__).resolve().parents[3]
TWO = b"skms-exchange-v1 message 2"


def load() -> List[Dict[str, Any]]:
    """All cases, their bytes read."""
    cases = json.loads((REPOSITORY / "testdata/exchange/vectors.json").read_text())
    for case in cases:
        for name, value in case.items():
            if isinstance(value, str) and name not in ("name", "server"):
                case[name] = bytes.fromhex(value)
    return cases


def named(name: str) -> Dict[str, Any]:
    return next(case for case in load() if case["name"] == name)


def suite_of(case: Dict[str, Any]) -> Suite:
    return Suite(tuple(case["suite"]))


class Recorded(Identity):
    """An identity whose one signature is the recorded one, which must hold."""

    recorded: bytes = b""

    def sign(self, message: bytes) -> bytes:
        signature = self.recorded
        key = self.private_key
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.curve.key_size + 7) // 8
            parts = utils.decode_dss_signature(signature)
            signature = b"".join(part.to_bytes(size, "big") for part in parts)
        identity.verify(key.public_key(), self.algorithm, signature, message)
        return signature


def party(case: Dict[str, Any], side: str, recorded: bool = False) -> Identity:
    chain = tuple(
        x509.load_der_x509_certificate(bytes.fromhex(one)) for one in case[side]["chain"]
    )
    key = load_der_private_key(bytes.fromhex(case[side]["private_key"]), None)
    if not recorded:
        return Identity(chain, key)
    made = Recorded(chain, key)
    object.__setattr__(made, "recorded", case[f"{side}_signature"])
    return made


def request_of(case: Dict[str, Any]) -> Any:
    payload = cose.read(case["message_1"], b"").payload
    fields = cbor.decode(payload)[8]
    if fields[1] == 1:
        return Agreement(fields[2], fields[3], fields[4], fields[5], tuple(fields[6]), fields.get(7))
    return Distribution(fields[2], fields[3], fields[4], fields.get(8))


def begin(
    case: Dict[str, Any],
    clock: Optional[Callable[[], float]] = None,
    request: Any = None,
    own: Optional[Identity] = None,
) -> Initiator:
    """The recorded initiator, its message 1 sent."""
    suite = suite_of(case)
    return Initiator(
        own or party(case, "initiator", recorded=request is None),
        ServerName.of(case["server"]),
        request or request_of(case),
        [suite],
        clock=clock or (lambda: float(case["time"])),
        ephemeral={suite: suites.from_private(suite, case["ephemeral_private_key"])},
        nonce=case["initiator_random"][-32:],
    )


class Signatures:
    """Path by signatures alone: for the identity keys that the verifier of
    `cryptography` has no paths for. The name is compared, nothing else."""

    def __init__(self, case: Dict[str, Any]) -> None:
        self.anchor = x509.load_der_x509_certificate(case["anchor"])

    def check(self, chain: Any, server: ServerName, now: datetime.datetime, crls: Any) -> None:
        path = [*chain, self.anchor]
        for lower, upper in zip(path, path[1:]):
            lower.verify_directly_issued_by(upper)
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if server.value not in names.get_values_for_type(x509.DNSName):
            raise ExchangeRefused("certificate-name")


def signed_anew(
    case: Dict[str, Any],
    change: Callable[[Dict[int, Any]], None] = lambda fields: None,
    confirm: bool = True,
    own: Optional[Identity] = None,
    alg: Optional[int] = None,
) -> bytes:
    """Message 2 with changed fields, signed (and confirmed) by the responder:
    what only the true server could send, and must not."""
    own = own or party(case, "responder")
    fields = cbor.decode(cose.read(case["message_2"], TWO).payload)
    change(fields)
    if confirm:
        body = cbor.encode({key: value for key, value in fields.items() if key <= 10})
        fields[11] = hmac.digest(case["kc2"], body, "sha512")
    chain = [one.public_bytes(Encoding.DER) for one in own.chain]
    return cose.sign(alg or own.algorithm, chain, TWO, cbor.encode(fields), own.sign)
