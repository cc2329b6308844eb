"""What the server answers, with types. Members that are not known are passed over,
so that an older client understands a newer server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from .errors import ProtocolError
from .secret import Secret


def member(value: Mapping[str, Any], name: str, kind: Any) -> Any:
    """A member of the given type. Raises ``ProtocolError`` without quoting it."""
    found = value.get(name)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise ProtocolError(f"the answer has no {name} of the right kind")
    return found


@dataclass(frozen=True)
class Key:
    """A key, without its material. Instants are RFC 3339 in UTC."""

    id: str
    name: str
    namespace: str
    keyring: str
    algorithm: str
    #: ``pre-activation``, ``active``, ``suspended``, ``deactivated``,
    #: ``compromised`` or ``destroyed``, of the newest version.
    state: str
    latest_version: int
    minimum_encrypt_version: int
    minimum_decrypt_version: int
    exportable: bool
    uses: Tuple[str, ...]
    owner: str
    created_at: str
    rules: Dict[str, Any] = field(default_factory=dict)
    tags: Dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Key":
        texts = ("id", "name", "namespace", "keyring", "algorithm", "state", "owner", "created_at")
        numbers = ("latest_version", "minimum_encrypt_version", "minimum_decrypt_version")
        return cls(
            **{name: member(value, name, str) for name in texts},
            **{name: member(value, name, int) for name in numbers},
            exportable=member(value, "exportable", bool),
            uses=tuple(member(value, "uses", list)),
            rules=dict(member(value, "rules", dict)),
            tags=dict(member(value, "tags", dict)),
        )


@dataclass(frozen=True)
class Version:
    """One version of a key."""

    version: int
    state: str
    created_at: str
    #: All that the server said of it.
    members: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Version":
        return cls(
            version=member(value, "version", int),
            state=member(value, "state", str),
            created_at=member(value, "created_at", str),
            members=dict(value),
        )


@dataclass(frozen=True)
class KeyChange:
    """A key as it is after a change, and the versions that changed."""

    key: Key
    versions: Tuple[Version, ...]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "KeyChange":
        versions = member(value, "versions", list)
        return cls(
            Key.read(member(value, "key", dict)),
            tuple(Version.read(one) for one in versions),
        )


@dataclass(frozen=True)
class PublicKey:
    """The public half of a key."""

    algorithm: str
    version: int
    format: str
    public_key: bytes
    fingerprint: str


@dataclass(frozen=True)
class ExportedKey:
    """A key that left the server."""

    key: Secret
    algorithm: str
    format: str
    version: int


@dataclass(frozen=True)
class DataKey:
    """A data key: for use now, and sealed under the server's key for later."""

    #: ``None`` where only the sealed one was asked for.
    plaintext: Optional[Secret]
    ciphertext: str
    version: int
    #: The server key's identifier, which opens it without a name.
    key_id: Optional[str]


@dataclass(frozen=True)
class WrappedKey:
    """Key bytes wrapped by a key of the server."""

    wrapped_key: bytes
    version: int


@dataclass(frozen=True)
class Signature:
    """A signature and the version that made it."""

    signature: bytes
    version: int


@dataclass(frozen=True)
class Mac:
    """A MAC and the version that made it."""

    mac: bytes
    version: int


@dataclass(frozen=True)
class Event:
    """What somebody did, or tried to."""

    sequence: int
    at: str
    principal: str
    action: str
    #: ``success``, ``denied`` or ``failed``.
    outcome: str
    #: Why, where it did not succeed.
    reason: Optional[str]
    request_id: str
    #: All that the server said of it.
    members: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Event":
        texts = ("at", "principal", "action", "outcome", "request_id")
        return cls(
            **{name: member(value, name, str) for name in texts},
            sequence=member(value, "sequence", int),
            reason=value.get("reason"),
            members=dict(value),
        )
