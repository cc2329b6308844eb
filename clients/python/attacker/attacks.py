"""The attacks by name: what happens to message 1, message 2 and message 3.

``one`` gives what is sent to the server in place of message 1, or answers it;
``two`` gives what the client gets in place of the server's answer; ``three`` what
is sent in place of message 3.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Union

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from skms.exchange import Suite, suites

from .messages import (
    Answer,
    Opened,
    bent_message_3,
    chain_of,
    encapsulate,
    hash_of,
    own_message_1,
)
from .middle import CONFIRM, EXCHANGE, Middle, Reply

One = Callable[[Middle, bytes], Union[bytes, Reply]]
Two = Callable[[Middle, bytes, Reply], Reply]
Three = Callable[[Middle, bytes], bytes]


@dataclass(frozen=True)
class Attack:
    """One attack; with none of the three it watches."""

    name: str
    what: str
    one: Optional[One] = None
    two: Optional[Two] = None
    three: Optional[Three] = None

    @property
    def passive(self) -> bool:
        return not (self.one or self.two or self.three)


ATTACKS: Dict[str, Attack] = {}


def _add(
    name: str,
    what: str,
    one: Optional[One] = None,
    two: Optional[Two] = None,
    three: Optional[Three] = None,
) -> None:
    assert name not in ATTACKS
    ATTACKS[name] = Attack(name, what, one, two, three)


def _first(change: Callable[[Middle, Opened], None]) -> One:
    """Changes message 1 and leaves its signature."""

    def changed(middle: Middle, message: bytes) -> bytes:
        opened = Opened.of(message)
        change(middle, opened)
        return opened.octets()

    return changed


def _second(change: Callable[[Middle, bytes, Opened], None]) -> Two:
    """Changes message 2 and leaves its signature."""

    def changed(middle: Middle, first: bytes, reply: Reply) -> Reply:
        opened = Opened.of(reply.message)
        change(middle, first, opened)
        return reply.altered(opened.octets())

    return changed


def _put(fields: Any, key: Any, value: Any) -> None:
    fields[key] = value


def _suite(offer: List[Any]) -> Suite:
    return Suite(tuple(offer[:3]))


_add("none", "watches, and remembers everything")

# What is between the two messages and their signatures.


def _swap_share(_: Middle, opened: Opened) -> None:
    for offer in opened.payload[3]:
        offer[3] = suites.generate(_suite(offer)).public


def _swap_encapsulation(_: Middle, first: bytes, opened: Opened) -> None:
    offer = Opened.of(first).payload[3][0]
    opened.payload[5] = encapsulate(_suite(offer), offer[3])[0]


_add("swap-share", "puts ephemeral keys of its own into message 1", _first(_swap_share))
_add(
    "swap-encapsulation",
    "puts an encapsulation of its own into message 2",
    two=_second(_swap_encapsulation),
)


def _swap_certificate(middle: Middle, opened: Opened) -> None:
    opened.show_certificates(chain_of(middle.identity("mallory")))


def _swap_certificate_and_hash(middle: Middle, opened: Opened) -> None:
    _swap_certificate(middle, opened)
    opened.payload[4] = hash_of(chain_of(middle.identity("mallory"))[0])


def _swap_signature(middle: Middle, opened: Opened) -> None:
    opened.signature = middle.identity("mallory").sign(opened.structure(1))


_add("swap-certificate-1", "shows its own certificate for the client's", _first(_swap_certificate))
_add(
    "swap-certificate-and-hash-1",
    "shows its own certificate and names it in message 1",
    _first(_swap_certificate_and_hash),
)
_add("swap-signature-1", "signs message 1 with its own key", _first(_swap_signature))
_add(
    "swap-request",
    "asks for another key in the client's name",
    _first(lambda _, opened: _put(opened.payload[8], 4, opened.payload[8][4] + "-mine")),
)


def _swap_certificate_2(middle: Middle, _: bytes, opened: Opened) -> None:
    # It is the server's, valid, for its name and purpose; its key is another.
    opened.show_certificates([middle.server.certificate()])


def _swap_certificate_and_hash_2(middle: Middle, first: bytes, opened: Opened) -> None:
    certificate = middle.server.certificate()
    chain = opened.header[33]
    above = chain[1:] if isinstance(chain, list) else []
    opened.show_certificates([certificate, *above])
    opened.payload[6] = hash_of(certificate)


def _swap_signature_2(middle: Middle, _: bytes, opened: Opened) -> None:
    opened.signature = middle.identity("mallory").sign(opened.structure(2))


_add(
    "swap-certificate-2",
    "shows the server's certificate of TLS for that of the exchange",
    two=_second(_swap_certificate_2),
)
_add(
    "swap-certificate-and-hash-2",
    "shows the server's certificate of TLS and names it in message 2",
    two=_second(_swap_certificate_and_hash_2),
)
_add("swap-signature-2", "signs message 2 with its own key", two=_second(_swap_signature_2))
_add(
    "swap-grant",
    "says in message 2 that the key may do something else",
    two=_second(lambda _, __, opened: _put(opened.payload[9], 6, ["mac"])),
)
_add(
    "swap-sealed",
    "changes the sealed key",
    two=_second(
        lambda _, __, opened: _put(opened.payload, 10, secrets.token_bytes(len(opened.payload[10])))
    ),
)
_add(
    "withhold-lists",
    "keeps the revocation lists back",
    two=lambda _, __, reply: reply.altered(crls=[]),
)
_add(
    "swap-lists",
    "gives revocation lists of somebody else",
    two=lambda middle, _, reply: reply.altered(crls=middle.lists()),
)

# Weaker suites.


def _strip(_: Middle, opened: Opened) -> None:
    """Of X-Wing's key only X25519's half."""
    share = opened.payload[3][0][3][-32:]
    opened.payload[3] = [[*Suite.X25519.value, share]]


def _strip_offer(_: Middle, opened: Opened) -> None:
    """Of several offers only those without a post-quantum half."""
    opened.payload[3] = [offer for offer in opened.payload[3] if not _suite(offer).post_quantum]


def _offer_weaker(_: Middle, opened: Opened) -> None:
    share = suites.generate(Suite.X25519).public
    opened.payload[3].insert(0, [*Suite.X25519.value, share])


_add("strip-post-quantum", "leaves only X25519's half of X-Wing", _first(_strip))
_add("strip-offers", "takes the post-quantum offers away", _first(_strip_offer))
_add("offer-weaker", "offers X25519 with a key of its own, first", _first(_offer_weaker))
_add(
    "weaker-answer",
    "says that the server chose X25519",
    two=_second(lambda _, __, opened: _put(opened.payload, 4, list(Suite.X25519.value))),
)

# Replays.


def _again(same_client: bool) -> One:
    return lambda middle, message: middle.before(message, same_client=same_client).first


def _old_answer(middle: Middle, message: bytes) -> Reply:
    reply = middle.before(message, same_client=True).reply
    assert reply is not None
    return reply


def _refreshed(middle: Middle, message: bytes) -> bytes:
    opened = Opened.of(_again(True)(middle, message))  # type: ignore[arg-type]
    opened.payload[6] = secrets.token_bytes(32)
    opened.payload[7] = int(time.time())
    return opened.octets()


def _hold(middle: Middle, message: bytes) -> Reply:
    middle.held = message
    return Reply(502, b"gone", "text/plain")


def _deliver(middle: Middle, _: bytes) -> bytes:
    if middle.held is None:
        raise LookupError("nothing is held back")
    return middle.held


_add("replay-request", "sends an earlier message 1 of the client", _again(True))
_add("replay-another-clients", "sends an earlier message 1 of another client", _again(False))
_add("replay-refreshed", "sends an earlier message 1 with a new nonce and time", _refreshed)
_add("replay-session", "answers with a whole earlier session, without the server", _old_answer)
_add(
    "replay-answer",
    "answers with an earlier message 2",
    two=lambda middle, first, _: _old_answer(middle, first),
)
_add("hold", "keeps message 1 and breaks off", _hold)
_add("deliver-held", "sends the message 1 of another client that it kept", _deliver)


def _old_third(middle: Middle, _: bytes) -> bytes:
    for session in reversed(middle.sessions):
        if session.third is not None:
            return session.third
    raise LookupError("nothing was recorded to be replayed")


_add("replay-confirmation", "sends an earlier message 3", three=_old_third)
_add(
    "swap-confirmation",
    "changes the MAC of message 3",
    three=lambda _, third: bent_message_3(third, transcript=False),
)
_add(
    "swap-transcript",
    "changes the hash in message 3",
    three=lambda _, third: bent_message_3(third, transcript=True),
)

# Reflections.


def _to_sender(middle: Middle, message: bytes) -> Reply:
    return Reply.of(message, [])


def _to_server(path: str) -> One:
    """The server's own message 2, sent to it."""

    def reflected(middle: Middle, message: bytes) -> Reply:
        return middle.server.post(path, middle.server.post(EXCHANGE, message).message)

    return reflected


def _first_as_third(middle: Middle, message: bytes) -> Reply:
    return middle.server.post(CONFIRM, message)


def _own_certificate(middle: Middle, message: bytes) -> Reply:
    """An answer in which the client meets itself."""
    chain = Opened.of(message).header[33]
    shown = chain if isinstance(chain, list) else [chain]
    answer = Answer(secrets.token_bytes(32))
    return Reply.of(answer.message_2(message, middle.identity("mallory"), shown), [])


def _servers_certificate(middle: Middle, message: bytes) -> bytes:
    """A request in which the server meets itself."""
    answered = Opened.of(middle.server.post(EXCHANGE, message).message)
    opened = Opened.of(message)
    opened.header[33] = answered.header[33]
    opened.payload[4] = answered.payload[6]
    opened.payload[6] = secrets.token_bytes(32)
    return opened.octets()


_add("reflect-request", "gives message 1 back to its sender", _to_sender)
_add("reflect-answer", "gives message 2 back to the server", _to_server(EXCHANGE))
_add("reflect-answer-as-3", "gives message 2 to the server as message 3", _to_server(CONFIRM))
_add("reflect-request-as-3", "gives message 1 to the server as message 3", _first_as_third)
_add("mirror-client", "answers as the client itself", _own_certificate)
_add("mirror-server", "asks as the server itself", _servers_certificate)

# Other servers, other runs.


def _forward(middle: Middle, message: bytes) -> Reply:
    if middle.other is None:
        raise LookupError("there is no other server")
    return middle.other.post(EXCHANGE, message)


def _misbind(middle: Middle, message: bytes) -> bytes:
    """The client's share in a request of the attacker's own."""
    return own_message_1(message, middle.identity("mallory"))


_add("forward", "sends message 1 to another server", _forward)
_add("misbind", "sends the client's share as its own request", _misbind)
_add(
    "splice",
    "runs two clients at once and crosses the answers",
    two=lambda middle, _, reply: middle.cross(reply),
)

# A client's certificate that does not do. The names are of files.


def _as_client(name: str) -> One:
    return lambda middle, message: own_message_1(message, middle.identity(f"client-{name}"))


CLIENT_CERTIFICATES = (
    "good", "expired", "not-yet-valid", "revoked", "on-hold", "purpose", "self-signed",
    "stranger", "unknown",
)  # fmt: skip
for _name in CLIENT_CERTIFICATES:
    _add(f"client-{_name}", f"asks by a certificate that is: {_name}", _as_client(_name))


def _timed(offset: int) -> One:
    return lambda middle, message: own_message_1(
        message, middle.identity("mallory"), time_offset=offset
    )


_add("client-stale", "asks by a message that is too old", _timed(-1000))
_add("client-from-the-future", "asks by a message of tomorrow", _timed(86_400))
_add(
    "client-algorithm",
    "signs by an algorithm that is not its key's",
    lambda middle, message: own_message_1(message, middle.identity("mallory"), alg=-35),
)

# Playing the server.


def _as_server(name: str, lists: bool = True, **lies: Any) -> One:
    def answered(middle: Middle, message: bytes) -> Reply:
        made = {key: lie(message) if callable(lie) else lie for key, lie in lies.items()}
        answer = Answer(secrets.token_bytes(32), **made)
        second = answer.message_2(message, middle.identity(name))
        return Reply.of(second, middle.lists() if lists else [])

    return answered


SERVER_CERTIFICATES = (
    "good", "expired", "not-yet-valid", "revoked", "on-hold", "purpose", "name", "self-signed",
)  # fmt: skip
for _name in SERVER_CERTIFICATES:
    _add(
        f"server-{_name}",
        f"plays the server by a certificate that is: {_name}",
        _as_server(f"server-{_name}"),
    )
_add(
    "server-unknown",
    "plays the server, and nobody says whether its certificate is revoked",
    _as_server("server-good", lists=False),
)
_add("server-tls", "plays the server by the certificate that it ends TLS with", _as_server("tls"))
_add("server-client", "plays the server by a client's certificate", _as_server("mallory"))

# Public values that are none. Points whose product with every scalar is zero
# (RFC 7748, section 6.1), those over p included.
LOW_ORDER = {
    "zero": "00" * 32,
    "one": "01" + "00" * 31,
    "order-8": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "order-8-too": "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "p-1": "ec" + "ff" * 30 + "7f",
    "p": "ed" + "ff" * 30 + "7f",
    "p+1": "ee" + "ff" * 30 + "7f",
}


def _encapsulated(suite: Suite, tail: Optional[bytes] = None, cut: int = 0) -> Any:
    """Makes an encapsulation to what was offered, bent at its end."""

    def made(message: bytes) -> bytes:
        whole = encapsulate(suite, Opened.of(message).payload[3][0][3])[0]
        whole = whole[: -len(tail)] + tail if tail else whole
        return whole[: len(whole) - cut]

    return made


def _to_somebody_else(message: bytes) -> bytes:
    return encapsulate(Suite.X_WING, suites.generate(Suite.X_WING).public)[0]


for _name, _point in LOW_ORDER.items():
    _add(
        f"encapsulation-{_name}",
        f"encapsulates with a point of X25519 of small order: {_name}",
        _as_server(
            "server-good", encapsulation=_encapsulated(Suite.X_WING, bytes.fromhex(_point))
        ),
    )
_add(
    "encapsulation-short",
    "encapsulates too shortly",
    _as_server("server-good", encapsulation=_encapsulated(Suite.X_WING, cut=1)),
)
_add(
    "encapsulation-for-another",
    "encapsulates to another key",
    _as_server("server-good", encapsulation=_to_somebody_else),
)
_add(
    "server-confirmation",
    "plays the server with a MAC of zeros",
    _as_server("server-good", confirmation=bytes(64)),
)
_add(
    "server-grant",
    "plays the server and gives another key than was asked for",
    _as_server("server-good", grant={4: "another"}),
)
_add(
    "server-suite",
    "plays the server and takes a suite that was not offered",
    _as_server("server-good", suite=list(Suite.P256.value)),
)
_add("server-stale", "plays the server of an hour ago", _as_server("server-good", time_offset=-3600))
_add(
    "server-from-the-future",
    "plays the server of tomorrow",
    _as_server("server-good", time_offset=86_400),
)


def _offering(suite: Suite, public: Callable[[], bytes]) -> One:
    """A request of the attacker's own with one offer; its signature holds."""
    return lambda middle, message: own_message_1(
        message, middle.identity("mallory"), offers=[[*suite.value, public()]]
    )


def _over_q(good: bytes) -> bytes:
    """The first coefficient of an ML-KEM key is q, 3329."""
    return bytes([0x01, good[1] & 0xF0 | 0x0D]) + good[2:]


def _bent(suite: Suite, bend: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: bend(suites.generate(suite).public)


_LATTICE = {"x-wing": Suite.X_WING, "ml-kem-768": Suite.ML_KEM_768, "ml-kem-1024": Suite.ML_KEM_1024}
_BENDS: Dict[str, Callable[[bytes], bytes]] = {
    "over-q": _over_q,
    "all-ones": lambda good: b"\xff" * len(good),
    "short": lambda good: good[:-1],
    "long": lambda good: good + b"\0",
    "byte": lambda good: good[:1],
}
for _name, _kem in _LATTICE.items():
    for _way, _bend in _BENDS.items():
        _add(
            f"key-{_name}-{_way}",
            f"offers a key of {_name} that is none: {_way}",
            _offering(_kem, _bent(_kem, _bend)),
        )
for _name, _point in LOW_ORDER.items():
    _tail = bytes.fromhex(_point)
    _add(
        f"key-x-wing-{_name}",
        f"offers X-Wing with a point of X25519 of small order: {_name}",
        _offering(Suite.X_WING, _bent(Suite.X_WING, lambda good, tail=_tail: good[:-32] + tail)),  # type: ignore[misc]
    )


def _off_the_curve(good: bytes) -> bytes:
    return b"\x04" + b"\x01" * (len(good) - 1)


def _over_p(good: bytes) -> bytes:
    return b"\x04" + b"\xff" * (len(good) - 1)


def _compressed() -> bytes:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


_CLASSIC = {"x25519": Suite.X25519, "p256": Suite.P256, "p384": Suite.P384, "p521": Suite.P521}
for _name, _kem in _CLASSIC.items():
    _add(
        f"only-{_name}",
        f"offers only {_name}, with a good key",
        _offering(_kem, _bent(_kem, lambda good: good)),
    )
    if _kem is not Suite.X25519:
        _add(
            f"only-{_name}-off-the-curve",
            f"offers only {_name}, with a point that is not on the curve",
            _offering(_kem, _bent(_kem, _off_the_curve)),
        )
        _add(
            f"only-{_name}-over-p",
            f"offers only {_name}, with coordinates over p",
            _offering(_kem, _bent(_kem, _over_p)),
        )
_add("only-x25519-zero", "offers only X25519, with zero", _offering(Suite.X25519, lambda: bytes(32)))
_add("only-p256-compressed", "offers only P-256, compressed", _offering(Suite.P256, _compressed))
