"""The maps within the messages: writing message 1, reading message 2."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import cbor
from ..errors import ExchangeRefused

MESSAGE_BYTES = 65_536
NAME_BYTES = 255


@dataclass(frozen=True)
class ServerName:
    """Whom a message is for: a DNS name or an IP address."""

    kind: int
    value: Union[str, bytes]

    @classmethod
    def of(cls, host: str) -> "ServerName":
        """From a host as it stands in an address. Raises ``ValueError``."""
        try:
            return cls(7, ipaddress.ip_address(host.strip("[]")).packed)
        except ValueError:
            pass
        name = host.lower().rstrip(".")
        letters = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
        if not 1 <= len(name) <= 253 or not letters.issuperset(name) or ".." in name:
            raise ValueError("not a DNS name (A-labels) and not an IP address")
        return cls(2, name)

    def array(self) -> List[Any]:
        """As it stands in message 1."""
        return [self.kind, self.value]


def _check(text: str, most: int) -> str:
    if not 1 <= len(text.encode("utf-8")) <= most:
        raise ValueError(f"a name has 1 to {most} bytes")
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("a name has no control characters")
    return text


@dataclass(frozen=True)
class Agreement:
    """A request for a new key that both sides have."""

    namespace: str
    keyring: str
    name: str
    #: A symmetric algorithm by its registry name.
    algorithm: str
    #: Empty for what is usual.
    uses: Tuple[str, ...] = ()
    lifetime_seconds: Optional[int] = None

    def map(self) -> Dict[int, Any]:
        """As it stands in message 1. Raises ``ValueError``."""
        names = [_check(name, NAME_BYTES) for name in (self.namespace, self.keyring, self.name)]
        uses = sorted({_check(use, 64) for use in self.uses}, key=lambda use: use.encode())
        if len(uses) > 16:
            raise ValueError("a key has at most 16 uses")
        fields: Dict[int, Any] = {1: 1, **dict(zip((2, 3, 4), names))}
        fields.update({5: _check(self.algorithm, 64), 6: uses})
        if self.lifetime_seconds is not None:
            if self.lifetime_seconds < 1:
                raise ValueError("a lifetime is at least a second")
            fields[7] = self.lifetime_seconds
        return fields


@dataclass(frozen=True)
class Distribution:
    """A request for a key that is there."""

    namespace: str
    keyring: str
    name: str
    #: The newest without it.
    version: Optional[int] = None

    def map(self) -> Dict[int, Any]:
        """As it stands in message 1. Raises ``ValueError``."""
        names = [_check(name, NAME_BYTES) for name in (self.namespace, self.keyring, self.name)]
        fields: Dict[int, Any] = {1: 2, **dict(zip((2, 3, 4), names))}
        if self.version is not None:
            if self.version < 1:
                raise ValueError("versions begin with 1")
            fields[8] = self.version
        return fields


Request = Union[Agreement, Distribution]


@dataclass(frozen=True)
class Grant:
    """What the server gives."""

    kind: int
    namespace: str
    keyring: str
    name: str
    algorithm: str
    uses: Tuple[str, ...]
    lifetime_seconds: Optional[int]
    version: int
    id: str
    #: In an agreement, bytes of the key.
    length: Optional[int]
    #: In a distribution, ``raw`` or ``pkcs8``.
    format: Optional[str]


@dataclass(frozen=True)
class MessageTwo:
    """Message 2 with its form checked and nothing else."""

    transcript: bytes
    suite: Tuple[int, int, int]
    encapsulation: bytes
    certificate: bytes
    time: int
    grant: Grant
    sealed: Optional[bytes]
    confirmation: bytes
    #: Fields 1 to 9, and 1 to 10 where there is a tenth, in their encoding.
    head: bytes
    body: bytes


def write_one(
    offers: Sequence[Tuple[Tuple[int, int, int], bytes]],
    certificate: bytes,
    server: ServerName,
    nonce: bytes,
    time: int,
    request: Request,
) -> bytes:
    """The payload of message 1."""
    return cbor.encode(
        {
            1: [1],
            2: 1,
            3: [[*suite, public] for suite, public in offers],
            4: certificate,
            5: server.array(),
            6: nonce,
            7: time,
            8: request.map(),
        }
    )


def write_three(transcript: bytes) -> bytes:
    """The payload of message 3."""
    return cbor.encode({1: 1, 2: 3, 3: transcript})


def read_two(payload: bytes) -> MessageTwo:
    """Reads a payload. Raises ``cbor.Malformed`` or ``ExchangeRefused``."""
    fields = cbor.decode(payload)
    if not isinstance(fields, dict):
        raise cbor.Malformed("not a map")
    # Type and version come first: another message or version has other fields.
    kind = _number(fields, 2)
    if kind != 2:
        raise ExchangeRefused("wrong-message", "not a message 2")
    if _number(fields, 1) != 1:
        raise ExchangeRefused("unsupported-version")
    grant = _grant(fields.get(9))
    expected = [1, 2, 3, 4, 5, 6, 7, 8, 9] + ([10] if grant.kind == 2 else []) + [11]
    if list(fields) != expected:
        raise cbor.Malformed("a field is missing or too many")
    suite = fields[4]
    if (
        not isinstance(suite, list)
        or len(suite) != 3
        or not all(isinstance(part, int) for part in suite)
    ):
        raise cbor.Malformed("not a suite")
    _octets(fields, 7, 32, 32)
    return MessageTwo(
        transcript=_octets(fields, 3, 64, 64),
        suite=(suite[0], suite[1], suite[2]),
        encapsulation=_octets(fields, 5, 0, MESSAGE_BYTES),
        certificate=_octets(fields, 6, 64, 64),
        time=_number(fields, 8),
        grant=grant,
        sealed=_octets(fields, 10, 16, 16_384) if grant.kind == 2 else None,
        confirmation=_octets(fields, 11, 64, 64),
        head=cbor.encode({key: value for key, value in fields.items() if key <= 9}),
        body=cbor.encode({key: value for key, value in fields.items() if key <= 10}),
    )


def _grant(fields: Any) -> Grant:
    if not isinstance(fields, dict):
        raise cbor.Malformed("no grant")
    kind = _number(fields, 1)
    if kind not in (1, 2):
        raise cbor.Malformed("no such kind of grant")
    known = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10 if kind == 1 else 11}
    if not fields.keys() <= known or not known - {7} <= fields.keys():
        raise cbor.Malformed("a field of the grant is missing or too many")
    uses = fields[6]
    if not isinstance(uses, list) or len(uses) > 16:
        raise cbor.Malformed("not a list of uses")
    texts = [_text({0: use}, 0, 64) for use in uses]
    octets = [text.encode() for text in texts]
    if any(one >= other for one, other in zip(octets, octets[1:])):
        raise cbor.Malformed("uses out of order, or twice")
    length = _number(fields, 10) if kind == 1 else None
    if length is not None and not 16 <= length <= 512:
        raise cbor.Malformed("a length outside its limits")
    form = _text(fields, 11, NAME_BYTES) if kind == 2 else None
    if form not in (None, "raw", "pkcs8"):
        raise cbor.Malformed("no such format")
    return Grant(
        kind=kind,
        namespace=_text(fields, 2, NAME_BYTES),
        keyring=_text(fields, 3, NAME_BYTES),
        name=_text(fields, 4, NAME_BYTES),
        algorithm=_text(fields, 5, 64),
        uses=tuple(texts),
        lifetime_seconds=_number(fields, 7, 1) if 7 in fields else None,
        version=_number(fields, 8, 1),
        id=_text(fields, 9, NAME_BYTES),
        length=length,
        format=form,
    )


def _number(fields: Dict[int, Any], key: int, least: int = 0) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or value < least:
        raise cbor.Malformed(f"field {key} is not such a number")
    return value


def _octets(fields: Dict[int, Any], key: int, least: int, most: int) -> bytes:
    value = fields.get(key)
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        raise cbor.Malformed(f"field {key} is not so many bytes")
    return value


def _text(fields: Dict[int, Any], key: int, most: int) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= most:
        raise cbor.Malformed(f"field {key} is not such a text")
    return value
