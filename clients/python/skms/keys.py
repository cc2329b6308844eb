"""Keys: making, showing, their states, and what leaves of them."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Optional, Sequence, Union
from urllib.parse import quote

from .models import ExportedKey, Key, KeyChange, PublicKey, Version, member
from .secret import Secret
from .transport import Transport, from_base64, to_base64


def key_path(keyring: str, name: str, act: str = "") -> str:
    """Where a key is. Each part is one segment whatever is in it."""
    for part in (keyring, name):
        # A part of dots would be resolved away by what stands in between.
        if part in ("", ".", ".."):
            raise ValueError("no such name of a keyring or key")
    path = f"/keyrings/{quote(keyring, safe='')}/keys/{quote(name, safe='')}"
    return f"{path}/{act}" if act else path


class Keys:
    """The keys of a namespace; ``Client.keys``."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace

    def create(
        self,
        name: str,
        algorithm: Optional[str] = None,
        *,
        keyring: str = "default",
        uses: Optional[Sequence[str]] = None,
        exportable: Optional[bool] = None,
        owner: Optional[str] = None,
        tags: Optional[Mapping[str, str]] = None,
        rules: Optional[Mapping[str, Any]] = None,
    ) -> KeyChange:
        """Makes a key; what is left out is the keyring's default."""
        body = {
            "name": name,
            "algorithm": algorithm,
            "uses": None if uses is None else list(uses),
            "exportable": exportable,
            "owner": owner,
            "tags": None if tags is None else dict(tags),
            "rules": None if rules is None else dict(rules),
        }
        key_path(keyring, name)
        path = f"/keyrings/{quote(keyring, safe='')}/keys"
        answer = self._transport.call(
            "POST", path, body, namespace=self._namespace, creates=True
        )
        return KeyChange.read(answer)

    def import_(
        self,
        name: str,
        material: Union[Secret, bytes],
        *,
        algorithm: Optional[str] = None,
        format: Optional[str] = None,
        keyring: str = "default",
        uses: Optional[Sequence[str]] = None,
        exportable: Optional[bool] = None,
    ) -> KeyChange:
        """Brings a key: raw bytes with their ``algorithm``, or a format that says it
        (``pkcs8-der``, ``pem``, ``jwk``)."""
        octets = material.reveal() if isinstance(material, Secret) else material
        body = {
            "name": name,
            "key": to_base64(octets),
            "algorithm": algorithm,
            "format": format,
            "uses": None if uses is None else list(uses),
            "exportable": exportable,
        }
        key_path(keyring, name)
        path = f"/keyrings/{quote(keyring, safe='')}/keys/import"
        answer = self._transport.call(
            "POST", path, body, namespace=self._namespace, creates=True
        )
        return KeyChange.read(answer)

    def delete(self, name: str, *, keyring: str = "default") -> None:
        """Deletes the record of a key whose versions are all destroyed."""
        path = key_path(keyring, name)
        self._transport.call("DELETE", path, namespace=self._namespace)

    def show(self, name: str, *, keyring: str = "default") -> Key:
        """A key as it is."""
        return Key.read(self._get(key_path(keyring, name)))

    def list(self, *, keyring: str = "default", page: int = 100) -> Iterator[Key]:
        """A keyring's keys, fetched page by page while they are looked at."""
        path = f"/keyrings/{quote(keyring, safe='')}/keys"
        for one in self._transport.pages(path, page, self._namespace):
            yield Key.read(one)

    def versions(self, name: str, *, keyring: str = "default") -> List[Version]:
        """A key's versions."""
        path = key_path(keyring, name, "versions")
        return [Version.read(one) for one in self._transport.pages(path, 100, self._namespace)]

    def rotate(
        self, name: str, *, algorithm: Optional[str] = None, keyring: str = "default"
    ) -> KeyChange:
        """Adds a version, which is used from now on; of another algorithm if one is
        named, which has to do what the key is for."""
        return self._change(keyring, name, "rotate", {"algorithm": algorithm})

    def suspend(
        self, name: str, *, keyring: str = "default", version: Optional[int] = None
    ) -> KeyChange:
        """Lets a key do nothing until ``resume``."""
        return self._change(keyring, name, "suspend", {"version": version})

    def resume(
        self, name: str, *, keyring: str = "default", version: Optional[int] = None
    ) -> KeyChange:
        """Ends a suspension."""
        return self._change(keyring, name, "resume", {"version": version})

    def revoke(
        self,
        name: str,
        reason: str,
        *,
        keyring: str = "default",
        version: Optional[int] = None,
        message: Optional[str] = None,
        occurred_at: Optional[str] = None,
    ) -> KeyChange:
        """Revokes for good, with a reason of RFC 5280 (``keyCompromise``)."""
        body = {
            "reason": reason,
            "version": version,
            "message": message,
            "occurred_at": occurred_at,
        }
        return self._change(keyring, name, "revoke", body)

    def destroy(
        self, name: str, *, keyring: str = "default", version: Optional[int] = None
    ) -> KeyChange:
        """Begins the wait before the material is destroyed."""
        return self._change(keyring, name, "destroy", {"version": version})

    def restore(
        self, name: str, *, keyring: str = "default", version: Optional[int] = None
    ) -> KeyChange:
        """Cancels a destruction that still waits."""
        return self._change(keyring, name, "restore", {"version": version})

    def export(
        self,
        name: str,
        *,
        keyring: str = "default",
        version: Optional[int] = None,
        format: Optional[str] = None,
    ) -> ExportedKey:
        """Hands out a key that was made exportable.

        TLS is its only cover then; ``Client.exchange.fetch`` seals it to this
        process.
        """
        body = {"version": version, "format": format}
        answer = self._post(key_path(keyring, name, "export"), body)
        return ExportedKey(
            key=Secret(from_base64(answer.get("key"))),
            algorithm=member(answer, "algorithm", str),
            format=member(answer, "format", str),
            version=member(answer, "version", int),
        )

    def public(
        self,
        name: str,
        *,
        keyring: str = "default",
        version: Optional[int] = None,
        format: Optional[str] = None,
    ) -> PublicKey:
        """The public half (SPKI in DER unless another format is asked for)."""
        query = {"version": version, "format": format}
        answer = self._transport.call(
            "GET", key_path(keyring, name, "public"), namespace=self._namespace, query=query
        )
        return PublicKey(
            algorithm=member(answer, "algorithm", str),
            version=member(answer, "version", int),
            format=member(answer, "format", str),
            public_key=from_base64(answer.get("public_key")),
            fingerprint=member(answer, "fingerprint", str),
        )

    def _get(self, path: str) -> Mapping[str, Any]:
        return self._transport.call("GET", path, namespace=self._namespace)

    def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._transport.call("POST", path, body, namespace=self._namespace)

    def _change(self, keyring: str, name: str, act: str, body: Mapping[str, Any]) -> KeyChange:
        return KeyChange.read(self._post(key_path(keyring, name, act), body))
