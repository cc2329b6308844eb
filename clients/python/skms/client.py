"""The client: where it connects to, as whom, and what keys do there."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Union

from cryptography import x509

from pathlib import Path

from .exchange.certificates import AnchorTrust
from .exchange.face import Exchange
from .exchange.identity import Identity
from .exchange.messages import ServerName
from .keys import Keys, key_path
from .models import DataKey, Mac, Signature, WrappedKey, member
from .secret import Secret
from .transport import PathLike, Transport, from_base64, to_base64


class Client:
    """A connection to one server, as one principal, in one namespace.

    ``ca_file`` has the server's authority (PEM); no other counts. The principal
    is a client certificate (``client_cert``, with ``client_key`` where the key
    is in another file) or a ``token``. Use it in a ``with`` statement or call
    ``close``. It may be shared between threads, which then take turns.

    Everything raises ``Problem`` where the server refuses, ``TransportError``
    where it was not reached, ``ProtocolError`` where it was not understood.
    """

    def __init__(
        self,
        address: str,
        *,
        ca_file: Optional[PathLike] = None,
        client_cert: Optional[PathLike] = None,
        client_key: Optional[PathLike] = None,
        token: Optional[str] = None,
        namespace: str = "root",
        timeout_seconds: float = 30.0,
        retries: int = 1,
        longest_wait_seconds: float = 10.0,
    ) -> None:
        self._transport = Transport(
            address,
            ca_file=ca_file,
            certificate_file=client_cert,
            key_file=client_key,
            token=token,
            timeout_seconds=timeout_seconds,
            retries=retries,
            longest_wait_seconds=longest_wait_seconds,
        )
        self._namespace = namespace
        self._ca_file = ca_file
        self._certificates = (client_cert, client_key)
        #: Making keys and changing their states.
        self.keys = Keys(self._transport, namespace)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._transport.host!r}, namespace={self._namespace!r})"

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    @property
    def exchange(self) -> Exchange:
        """The key exchange, by the client certificate. Raises ``ValueError``
        without one, or without the server's authority."""
        certificate, key = self._certificates
        if certificate is None or self._ca_file is None:
            raise ValueError("an exchange takes a client certificate and the server's authority")
        anchors = x509.load_pem_x509_certificates(Path(self._ca_file).read_bytes())
        return Exchange(
            self._transport,
            self._namespace,
            Identity.from_pem(certificate, key),
            ServerName.of(self._transport.host),
            AnchorTrust(anchors),
        )

    def encrypt(
        self,
        key: str,
        plaintext: bytes,
        *,
        associated_data: Optional[bytes] = None,
        keyring: str = "default",
    ) -> str:
        """Encrypts; the ciphertext is a text to keep (``skms:v1:…``)."""
        body = {"plaintext": to_base64(plaintext), "associated_data": _bytes(associated_data)}
        return str(member(self._act(keyring, key, "encrypt", body), "ciphertext", str))

    def decrypt(
        self,
        key: str,
        ciphertext: str,
        *,
        associated_data: Optional[bytes] = None,
        keyring: str = "default",
    ) -> bytes:
        """Decrypts what ``encrypt`` gave."""
        body = {"ciphertext": ciphertext, "associated_data": _bytes(associated_data)}
        return from_base64(self._act(keyring, key, "decrypt", body).get("plaintext"))

    def sign(
        self,
        key: str,
        message: bytes,
        *,
        keyring: str = "default",
        hash: Optional[str] = None,
        scheme: Optional[str] = None,
        encoding: Optional[str] = None,
        context: Optional[bytes] = None,
    ) -> Signature:
        """Signs a message, hashed by the server where the algorithm hashes."""
        body = _signing(message, hash, scheme, encoding, context)
        answer = self._act(keyring, key, "sign", body)
        return Signature(from_base64(answer.get("signature")), member(answer, "version", int))

    def verify(
        self,
        key: str,
        message: bytes,
        signature: Union[bytes, Signature],
        *,
        keyring: str = "default",
        hash: Optional[str] = None,
        scheme: Optional[str] = None,
        encoding: Optional[str] = None,
        context: Optional[bytes] = None,
        version: Optional[int] = None,
    ) -> bool:
        """Whether a signature holds; by its version where it is a ``Signature``."""
        body = _signing(message, hash, scheme, encoding, context)
        if isinstance(signature, Signature):
            version = version or signature.version
            signature = signature.signature
        body.update({"signature": to_base64(signature), "version": version})
        return bool(member(self._act(keyring, key, "verify", body), "valid", bool))

    def mac(self, key: str, data: bytes, *, keyring: str = "default") -> Mac:
        """Makes a MAC."""
        answer = self._act(keyring, key, "mac", {"data": to_base64(data)})
        return Mac(from_base64(answer.get("mac")), member(answer, "version", int))

    def mac_verify(
        self, key: str, data: bytes, mac: Union[bytes, Mac], *, keyring: str = "default"
    ) -> bool:
        """Whether a MAC holds; by its version where it is a ``Mac``."""
        version = mac.version if isinstance(mac, Mac) else None
        code = mac.mac if isinstance(mac, Mac) else mac
        body = {"data": to_base64(data), "mac": to_base64(code), "version": version}
        return bool(member(self._act(keyring, key, "mac-verify", body), "valid", bool))

    def datakey(
        self,
        key: str,
        *,
        keyring: str = "default",
        length_bytes: Optional[int] = None,
        associated_data: Optional[bytes] = None,
        plaintext: bool = True,
    ) -> DataKey:
        """Makes a data key; ``decrypt`` with the ciphertext gives it again."""
        body = {
            "length_bytes": length_bytes,
            "associated_data": _bytes(associated_data),
            "plaintext": plaintext,
        }
        answer = self._act(keyring, key, "datakey", body)
        secret = answer.get("plaintext")
        return DataKey(
            plaintext=None if secret is None else Secret(from_base64(secret)),
            ciphertext=member(answer, "ciphertext", str),
            version=member(answer, "version", int),
            key_id=answer.get("key_id"),
        )

    def wrap(
        self, key: str, material: Union[Secret, bytes], *, keyring: str = "default"
    ) -> WrappedKey:
        """Wraps key bytes under a key of the server."""
        octets = material.reveal() if isinstance(material, Secret) else material
        answer = self._act(keyring, key, "wrap", {"key": to_base64(octets)})
        return WrappedKey(from_base64(answer.get("wrapped_key")), member(answer, "version", int))

    def unwrap(
        self, key: str, wrapped: Union[WrappedKey, bytes], *, keyring: str = "default"
    ) -> Secret:
        """Unwraps what ``wrap`` gave."""
        version = wrapped.version if isinstance(wrapped, WrappedKey) else None
        octets = wrapped.wrapped_key if isinstance(wrapped, WrappedKey) else wrapped
        body = {"wrapped_key": to_base64(octets), "version": version}
        return Secret(from_base64(self._act(keyring, key, "unwrap", body).get("key")))

    def random(self, length_bytes: int = 32) -> Secret:
        """Random bytes of the server's."""
        answer = self._call("/random", {"length_bytes": length_bytes})
        return Secret(from_base64(answer.get("random")))

    def hash(self, data: bytes, hash: Optional[str] = None) -> bytes:
        """A digest; SHA-256 unless another hash is named."""
        answer = self._call("/hash", {"data": to_base64(data), "hash": hash})
        return from_base64(answer.get("digest"))

    def _act(
        self, keyring: str, key: str, act: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return self._call(key_path(keyring, key, act), body)

    def _call(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._transport.call("POST", path, body, namespace=self._namespace)


def _bytes(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else to_base64(data)


def _signing(
    message: bytes,
    hash: Optional[str],
    scheme: Optional[str],
    encoding: Optional[str],
    context: Optional[bytes],
) -> "dict[str, Any]":
    return {
        "message": to_base64(message),
        "hash": hash,
        "scheme": scheme,
        "encoding": encoding,
        "context": _bytes(context),
    }
