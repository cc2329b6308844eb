"""The client: where it connects to, as whom, and what keys do there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Union

from cryptography import x509

from .certificates import AnyCertificate, Authorities, Principals, Verdict, validation
from .errors import Problem, ProtocolError
from .exchange.certificates import AnchorTrust
from .exchange.face import Exchange
from .exchange.identity import Identity
from .exchange.messages import ServerName
from .groups import Groups
from .keys import Keys, key_path
from .models import DataKey, Event, Mac, Signature, WrappedKey, member
from .secret import Secret
from .transport import PathLike, Transport, from_base64, to_base64


class Client:
    """A connection to one server, as one principal, in one namespace.

    ``ca_file`` has the server's authority (PEM); no other counts. Where somebody
    else ends TLS on the way, ``ca_file`` has theirs, and ``exchange_ca_file`` the
    server's: it alone counts in ``exchange``. The principal
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
        exchange_ca_file: Optional[PathLike] = None,
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
        self._exchange_ca_file = exchange_ca_file or ca_file
        self._certificates = (client_cert, client_key)
        #: Making keys and changing their states.
        self.keys = Keys(self._transport, namespace)
        #: Certificate authorities and what they issue.
        self.authorities = Authorities(self._transport, namespace)
        #: Who is known by certificates.
        self.principals = Principals(self._transport, namespace)
        #: Keys that groups share, and who was given which version.
        self.groups = Groups(self._transport, namespace)

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
        authority = self._exchange_ca_file
        if certificate is None or authority is None:
            raise ValueError("an exchange takes a client certificate and the server's authority")
        anchors = x509.load_pem_x509_certificates(Path(authority).read_bytes())
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

    def batch(
        self, key: str, act: str, items: Sequence[Mapping[str, Any]], *, keyring: str = "default"
    ) -> List[Union[Mapping[str, Any], Problem]]:
        """Up to 1000 operations of one key in one request, with one event.

        ``act`` is the route's (``encrypt``, ``mac-verify``) and an item its body,
        bytes in base64. In the same order come answers, and a ``Problem`` where
        one failed, which leaves the others alone.
        """
        answer = self._act(keyring, key, act, {"batch": [dict(item) for item in items]})
        results = [_result(one) for one in member(answer, "results", list)]
        if len(results) != len(items):
            raise ProtocolError("the answer has another number of results")
        return results

    def encrypt_batch(
        self, key: str, plaintexts: Sequence[bytes], *, keyring: str = "default"
    ) -> List[str]:
        """Encrypts each, as ``encrypt``. Raises the first ``Problem``."""
        items = [{"plaintext": to_base64(one)} for one in plaintexts]
        answers = _good(self.batch(key, "encrypt", items, keyring=keyring))
        return [str(member(one, "ciphertext", str)) for one in answers]

    def decrypt_batch(
        self, key: str, ciphertexts: Sequence[str], *, keyring: str = "default"
    ) -> List[bytes]:
        """Decrypts each, as ``decrypt``. Raises the first ``Problem``."""
        items = [{"ciphertext": one} for one in ciphertexts]
        answers = _good(self.batch(key, "decrypt", items, keyring=keyring))
        return [from_base64(one.get("plaintext")) for one in answers]

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

    def validate(
        self,
        certificate: AnyCertificate,
        anchors: Sequence[AnyCertificate],
        *,
        chain: Sequence[AnyCertificate] = (),
        crls: Sequence[bytes] = (),
        names: Sequence[str] = (),
        purpose: Optional[str] = None,
        revocation: Optional[str] = None,
        at: Optional[str] = None,
    ) -> Verdict:
        """Whether a certificate is valid (RFC 5280), and which rule says no.

        ``purpose`` is ``server``, ``client`` or another of docs/validation.md;
        ``revocation`` is ``off``, ``known`` or ``required``, by ``crls`` (DER).
        """
        body = validation(certificate, anchors, chain, crls, names, purpose, revocation, at)
        return Verdict.read(self._call("/certificates/validate", body))

    def events(self, *, after: Optional[int] = None, page: int = 100) -> Iterator[Event]:
        """What was done, oldest first: all, or what came ``after`` a sequence number."""
        since = None if after is None else str(after)
        for one in self._transport.pages("/events", page, self._namespace, since):
            yield Event.read(one)

    def _act(
        self, keyring: str, key: str, act: str, body: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return self._call(key_path(keyring, key, act), body)

    def _call(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._transport.call("POST", path, body, namespace=self._namespace)


def _result(one: Any) -> Union[Mapping[str, Any], Problem]:
    if isinstance(one, dict) and isinstance(one.get("ok"), dict):
        done: Mapping[str, Any] = one["ok"]
        return done
    problem = one.get("problem") if isinstance(one, dict) else None
    if not isinstance(problem, dict):
        raise ProtocolError("a result is neither an answer nor a problem")
    return Problem(
        type=member(problem, "type", str),
        title=member(problem, "title", str),
        status=member(problem, "status", int),
        detail=problem.get("detail"),
        request_id=problem.get("request_id"),
    )


def _good(results: Sequence[Union[Mapping[str, Any], Problem]]) -> List[Mapping[str, Any]]:
    good: List[Mapping[str, Any]] = []
    for one in results:
        if isinstance(one, Problem):
            raise one
        good.append(one)
    return good


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
