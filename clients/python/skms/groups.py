"""Keys that groups of principals share, and who was given which version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote

from .keys import key_path
from .models import member
from .transport import Transport

#: A principal: its name in the namespace of the client, or namespace and name.
Who = Union[str, Tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """A group of principals who share a key. Instants are RFC 3339 in UTC."""

    id: str
    name: str
    namespace: str
    keyring: str
    key: str
    latest_version: int
    #: How many members it has.
    members: int
    #: Whether somebody has gone since the key got its newest version.
    rekey_due: bool
    created_at: str

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Group":
        return cls(
            id=member(value, "id", str),
            name=member(value, "name", str),
            namespace=member(value, "namespace", str),
            keyring=member(value, "keyring", str),
            key=member(value, "key", str),
            latest_version=member(value, "latest_version", int),
            members=member(value, "members", int),
            rekey_due=member(value, "rekey_due", bool),
            created_at=member(value, "created_at", str),
        )


@dataclass(frozen=True)
class GroupMember:
    """A member of a group."""

    namespace: str
    name: str
    #: The oldest version of the key that it may fetch.
    from_version: int
    #: When it fetched the newest version last; ``None`` if it never has.
    fetched_latest_at: Optional[str]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "GroupMember":
        fetched = value.get("fetched_latest_at")
        return cls(
            namespace=member(value, "namespace", str),
            name=member(value, "name", str),
            from_version=member(value, "from_version", int),
            fetched_latest_at=None if fetched is None else str(fetched),
        )


@dataclass(frozen=True)
class Holder:
    """A principal that was given a version of a key by the key exchange."""

    namespace: str
    name: str
    version: int
    #: ``member``, ``removed`` or ``policy``.
    standing: str
    last_fetched_at: str
    #: SHA-256 of the certificate shown the last time, hexadecimal.
    certificate: str

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Holder":
        return cls(
            namespace=member(value, "namespace", str),
            name=member(value, "name", str),
            version=member(value, "version", int),
            standing=member(value, "standing", str),
            last_fetched_at=member(value, "last_fetched_at", str),
            certificate=member(value, "certificate", str),
        )


class Groups:
    """Groups that share keys; ``Client.groups``."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace

    def create(
        self,
        name: str,
        key: str,
        members: Sequence[Who] = (),
        *,
        keyring: str = "default",
        history: bool = False,
    ) -> Group:
        """Lets a group share a symmetric key that was made exportable."""
        body = {
            "name": name,
            "keyring": keyring,
            "key": key,
            "members": _members(members),
            "history": history,
        }
        call = self._transport.call
        return Group.read(call("POST", "/groups", body, namespace=self._namespace, creates=True))

    def show(self, name: str) -> Group:
        """A group as it is."""
        return Group.read(self._transport.call("GET", _path(name), namespace=self._namespace))

    def list(self) -> Iterator[Group]:
        """The namespace's."""
        for one in self._transport.pages("/groups", 100, self._namespace):
            yield Group.read(one)

    def members(self, name: str) -> Iterator[GroupMember]:
        """A group's members, and who of them has the newest version."""
        for one in self._transport.pages(_path(name, "members"), 100, self._namespace):
            yield GroupMember.read(one)

    def add(self, name: str, *members: Who, history: bool = False) -> Group:
        """Adds members: from the version in use on, or all with ``history``."""
        body = {"members": _members(members), "history": history}
        return self._change(name, "members", body)

    def remove(self, name: str, *members: Who, rekey: bool = True) -> Group:
        """Removes members, and gives the key a new version in the same step."""
        body = {"members": _members(members), "rekey": rekey}
        return self._change(name, "members/remove", body)

    def rekey(self, name: str) -> Group:
        """Gives the key a new version."""
        return self._change(name, "rekey", None)

    def delete(self, name: str) -> None:
        """Deletes a group; its key stays."""
        self._transport.call("DELETE", _path(name), namespace=self._namespace)

    def holders(self, name: str) -> Iterator[Holder]:
        """Who was given which version of a group's key."""
        for one in self._transport.pages(_path(name, "holders"), 100, self._namespace):
            yield Holder.read(one)

    def holders_of_key(self, key: str, *, keyring: str = "default") -> Iterator[Holder]:
        """The same for any key."""
        path = key_path(keyring, key, "holders")
        for one in self._transport.pages(path, 100, self._namespace):
            yield Holder.read(one)

    def _change(self, name: str, act: str, body: Optional[Dict[str, Any]]) -> Group:
        call = self._transport.call
        return Group.read(call("POST", _path(name, act), body, namespace=self._namespace))


def _path(name: str, act: str = "") -> str:
    # A part of dots would be resolved away by what stands in between.
    if name in ("", ".", ".."):
        raise ValueError("no such name of a group")
    path = f"/groups/{quote(name, safe='')}"
    return f"{path}/{act}" if act else path


def _members(members: Sequence[Who]) -> Sequence[Mapping[str, str]]:
    return [
        {"name": one} if isinstance(one, str) else {"namespace": one[0], "name": one[1]}
        for one in members
    ]
