"""The initiator of docs/exchange.md as a state machine without I/O.

``Initiator(...)`` writes message 1; ``receive`` takes message 2 once, checks it
in the order that the paper gives, and has the key.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import cbor, cose, hpke, messages, suites
from ..errors import ExchangeRefused, UnsupportedSuite
from ..secret import Secret
from .certificates import Trust, check_purpose
from .identity import Identity, public_bytes, verify
from .messages import Agreement, Grant, Request, ServerName

_PREFIX = b"skms-exchange-v1 "


@dataclass(frozen=True)
class Accepted:
    """What a finished exchange has."""

    key: Secret
    grant: Grant
    suite: suites.Suite
    #: To be sent in an agreement; ``None`` in a distribution.
    message_3: Optional[bytes]
    #: The server's certificate, which was validated.
    server_certificate: x509.Certificate
    #: Hash of message 2: both sides have the same.
    transcript: bytes


def _hash(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


class Initiator:
    """One exchange, begun.

    ``window_seconds`` and ``skew_seconds`` are those of *Freshness*; ``clock``
    gives seconds since 1970. ``ephemeral`` and ``nonce`` are for test vectors.
    Raises ``UnsupportedSuite`` and ``ValueError``.
    """

    def __init__(
        self,
        identity: Identity,
        server: ServerName,
        request: Request,
        offers: Sequence[suites.Suite] = (suites.Suite.X_WING,),
        *,
        window_seconds: int = 120,
        skew_seconds: int = 60,
        clock: Callable[[], float] = time.time,
        ephemeral: Optional[Dict[suites.Suite, suites.Ephemeral]] = None,
        nonce: Optional[bytes] = None,
    ) -> None:
        if not 1 <= len(offers) <= 8 or len(set(offers)) != len(offers):
            raise ValueError("1 to 8 suites are offered, none twice")
        if not 0 < window_seconds <= 600 or not 0 <= skew_seconds <= 300:
            raise ValueError("a window has at most 600 seconds, a skew 300")
        self._identity = identity
        self._server = server
        self._request = request
        self._window, self._skew, self._clock = window_seconds, skew_seconds, clock
        self._ephemeral = ephemeral or {suite: suites.generate(suite) for suite in offers}
        self._sent = int(clock())
        self._open = True
        chain = [one.public_bytes(Encoding.DER) for one in identity.chain]
        self._own = _hash(chain[0])
        payload = messages.write_one(
            [(suite.value, self._ephemeral[suite].public) for suite in offers],
            self._own,
            server,
            nonce or secrets.token_bytes(32),
            self._sent,
            request,
        )
        label = _PREFIX + b"message 1"
        #: To be sent to the server.
        self.message_1 = cose.sign(identity.algorithm, chain, label, payload, identity.sign)
        if len(self.message_1) > messages.MESSAGE_BYTES:
            raise ValueError("message 1 is too long: the certificates are too large")

    def receive(self, message: bytes, trust: Trust, crls: Sequence[bytes] = ()) -> Accepted:
        """Takes message 2. Raises ``ExchangeRefused``, which ends the exchange."""
        if not self._open:
            raise ExchangeRefused("wrong-message", "this exchange has ended")
        self._open = False
        ephemeral, self._ephemeral = self._ephemeral, {}
        if len(message) > messages.MESSAGE_BYTES:
            raise ExchangeRefused("too-long")
        try:
            signed = cose.read(message, _PREFIX + b"message 2")
            two = messages.read_two(signed.payload)
        except cbor.Malformed as error:
            raise ExchangeRefused("malformed", str(error)) from None
        first = _hash(self.message_1)
        if not hmac.compare_digest(two.transcript, first):
            raise ExchangeRefused("transcript", "it answers another message 1")
        suite = next((one for one in ephemeral if one.value == two.suite), None)
        if suite is None:
            raise ExchangeRefused("suite-not-offered")
        now = self._check_time(two.time)
        certificate = self._check_certificate(signed, two, trust, crls, now)
        verify(certificate.public_key(), signed.alg, signed.signature, signed.structure)

        context = _context(ephemeral[suite], suite, two.encapsulation, first)
        expected = hmac.digest(context.export(_PREFIX + b"confirm 2", 64), two.body, "sha512")
        if not hmac.compare_digest(expected, two.confirmation):
            raise ExchangeRefused("confirmation")
        check_grant(self._request, two.grant)
        transcript = _hash(message)
        key, third = self._finish(context, two, transcript)
        return Accepted(key, two.grant, suite, third, certificate, transcript)

    def _check_time(self, theirs: int) -> datetime.datetime:
        now = self._clock()
        if now > self._sent + self._window or now < self._sent - self._skew:
            raise ExchangeRefused("too-late")
        if theirs > now + self._skew:
            raise ExchangeRefused("from-the-future")
        if theirs < now - self._window - self._skew:
            raise ExchangeRefused("stale")
        return datetime.datetime.fromtimestamp(now, datetime.timezone.utc)

    def _check_certificate(
        self,
        signed: cose.Signed,
        two: messages.MessageTwo,
        trust: Trust,
        crls: Sequence[bytes],
        now: datetime.datetime,
    ) -> x509.Certificate:
        if not hmac.compare_digest(_hash(signed.chain[0]), two.certificate):
            raise ExchangeRefused("wrong-certificate")
        try:
            chain: List[x509.Certificate] = [
                x509.load_der_x509_certificate(one) for one in signed.chain
            ]
            theirs = public_bytes(chain[0])
        except Exception as error:  # The parser raises several kinds.
            reason = type(error).__name__
            raise ExchangeRefused("certificate-untrusted", f"unreadable ({reason})") from None
        if theirs == public_bytes(self._identity.chain[0]):
            raise ExchangeRefused("same-party")
        check_purpose(chain[0])
        trust.check(chain, self._server, now, crls)
        return chain[0]

    def _finish(
        self, context: hpke.Context, two: messages.MessageTwo, transcript: bytes
    ) -> Tuple[Secret, Optional[bytes]]:
        grant = two.grant
        if two.sealed is not None:
            try:
                return Secret(context.open(two.head, two.sealed)), None
            except ValueError:
                raise ExchangeRefused("sealed") from None
        fixed_info = cbor.encode(
            [
                "skms-exchange-v1 key",
                self._own,
                two.certificate,
                self._server.array(),
                grant.namespace,
                grant.keyring,
                grant.name,
                grant.id,
                grant.version,
                grant.algorithm,
                grant.length,
            ]
        )
        shared = context.export(_PREFIX + b"agree", 64)
        extracted = hpke.extract("sha512", transcript, shared)
        key = hpke.expand("sha512", extracted, fixed_info, grant.length or 0)
        confirm = context.export(_PREFIX + b"confirm 3", 64)
        third = cose.mac0(
            _PREFIX + b"message 3",
            messages.write_three(transcript),
            lambda structure: hmac.digest(confirm, structure, "sha512"),
        )
        return Secret(key), third


def _context(
    ephemeral: suites.Ephemeral, suite: suites.Suite, encapsulation: bytes, first: bytes
) -> hpke.Context:
    if len(encapsulation) != suite.encapsulation_bytes:
        raise ExchangeRefused("encapsulation", "of another length")
    try:
        shared = ephemeral.decapsulate(encapsulation)
    except UnsupportedSuite:
        raise
    except ValueError:
        raise ExchangeRefused("encapsulation") from None
    return hpke.Context(*suite.value, shared, _PREFIX + b"hpke" + first)


def check_grant(request: Request, grant: Grant) -> None:
    """Raises ``ExchangeRefused`` unless what is given was asked for."""
    agreement = isinstance(request, Agreement)
    right = (
        grant.kind == (1 if agreement else 2)
        and grant.namespace == request.namespace
        and grant.keyring == request.keyring
        and grant.name == request.name
    )
    if isinstance(request, Agreement):
        asked = request.lifetime_seconds
        right = right and grant.algorithm == request.algorithm
        if request.uses:
            right = right and set(grant.uses) == set(request.uses)
        if asked is not None:
            given = grant.lifetime_seconds
            right = right and given is not None and given <= asked
    elif request.version is not None:
        right = right and grant.version == request.version
    if not right:
        raise ExchangeRefused("grant")
