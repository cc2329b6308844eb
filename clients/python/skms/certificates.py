"""Certificates, the authorities that issue them, and principals who show them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote

from .models import member
from .secret import Secret
from .transport import Transport, to_base64


@dataclass(frozen=True)
class Certificate:
    """A certificate that an authority issued. Instants are RFC 3339 in UTC."""

    serial: str
    authority: str
    profile: str
    subject: str
    names: Tuple[str, ...]
    not_before: str
    not_after: str
    fingerprint: str
    #: ``good``, ``on-hold``, ``revoked`` or ``expired``.
    status: str
    #: PEM; ``None`` in lists.
    certificate: Optional[str]
    #: Those above it, PEM, nearest first; empty in lists.
    chain: Tuple[str, ...]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Certificate":
        texts = (
            "serial", "authority", "profile", "subject",
            "not_before", "not_after", "fingerprint", "status",
        )  # fmt: skip
        return cls(
            **{name: member(value, name, str) for name in texts},
            names=tuple(member(value, "names", list)),
            certificate=value.get("certificate"),
            chain=tuple(value.get("chain") or ()),
        )


@dataclass(frozen=True)
class IssuedCertificate:
    """A certificate, and its private key where that was made with it."""

    certificate: Certificate
    #: PEM (PKCS #8); the server keeps no copy.
    private_key: Optional[Secret]


@dataclass(frozen=True)
class Authority:
    """A certificate authority on a key of the server."""

    id: str
    name: str
    keyring: str
    key: str
    subject: str
    #: Its newest certificate, PEM; ``None`` while it waits for one.
    certificate: Optional[str]
    #: Those above, PEM, nearest first; empty for a root.
    chain: Tuple[str, ...]
    #: All that the server said of it.
    members: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Authority":
        issuers = member(value, "issuers", list)
        newest: Mapping[str, Any] = issuers[-1] if issuers else {}
        return cls(
            **{name: member(value, name, str) for name in ("id", "name", "keyring", "key")},
            subject=member(value, "subject", str),
            certificate=newest.get("certificate"),
            chain=tuple(newest.get("chain") or ()),
            members=dict(value),
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a certificate is valid, and why not."""

    valid: bool
    #: Subjects of the path that holds, the certificate's first.
    path: Tuple[str, ...]
    #: The rule that was broken (``expired``), where in which standard, and how.
    rule: Optional[str]
    section: Optional[str]
    detail: Optional[str]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Verdict":
        refusal = value.get("refusal") or {}
        return cls(
            valid=member(value, "valid", bool),
            path=tuple(member(one, "subject", str) for one in member(value, "path", list)),
            rule=refusal.get("rule"),
            section=refusal.get("section"),
            detail=refusal.get("detail"),
        )


@dataclass(frozen=True)
class Principal:
    """Somebody who is known by certificates."""

    name: str
    namespace: str
    groups: Tuple[str, ...]

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> "Principal":
        return cls(
            name=member(value, "name", str),
            namespace=member(value, "namespace", str),
            groups=tuple(member(value, "groups", list)),
        )


#: A certificate: PEM, DER, or as the server issued it.
AnyCertificate = Union[str, bytes, Certificate]


def der_of(certificate: AnyCertificate) -> bytes:
    """Its DER. Raises ``ValueError``."""
    text = certificate.certificate if isinstance(certificate, Certificate) else certificate
    if isinstance(text, bytes):
        if not text.lstrip().startswith(b"-----"):
            return text
        text = text.decode("ascii")
    _, begins, rest = (text or "").partition("-----BEGIN CERTIFICATE-----")
    body, ends, _ = rest.partition("-----END CERTIFICATE-----")
    if not begins or not ends:
        raise ValueError("no certificate in PEM")
    return base64.b64decode("".join(body.split()), validate=True)


def _segment(name: str) -> str:
    # A part of dots would be resolved away by what stands in between.
    if name in ("", ".", ".."):
        raise ValueError("no such name")
    return quote(name, safe="")


class Authorities:
    """Certificate authorities and what they issue; ``Client.authorities``."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace

    def create(
        self,
        name: str,
        key: str,
        subject: str,
        *,
        keyring: str = "default",
        parent: Optional[str] = None,
        lifetime_seconds: Optional[int] = None,
        path_length: Optional[int] = None,
        rules: Optional[Mapping[str, Any]] = None,
    ) -> Authority:
        """Makes an authority on a key that signs: a root, or one below ``parent``."""
        body = {
            "name": name,
            "key": key,
            "keyring": keyring,
            "subject": subject,
            "parent": parent,
            "lifetime_seconds": lifetime_seconds,
            "path_length": path_length,
            "rules": None if rules is None else dict(rules),
        }
        return Authority.read(self._call("POST", "/authorities", body))

    def show(self, name: str) -> Authority:
        """An authority as it is."""
        return Authority.read(self._call("GET", f"/authorities/{_segment(name)}"))

    def list(self) -> Iterator[Authority]:
        """The namespace's authorities."""
        for one in self._transport.pages("/authorities", 100, self._namespace):
            yield Authority.read(one)

    def issue(
        self,
        authority: str,
        profile: str,
        *,
        names: Sequence[str] = (),
        subject: Optional[str] = None,
        key: Optional[str] = None,
        keyring: str = "default",
        new_key: Optional[str] = None,
        request: Optional[str] = None,
        lifetime_seconds: Optional[int] = None,
    ) -> IssuedCertificate:
        """Issues a certificate by a profile (``tls-server``).

        It is for a key kept here (``key``), for one made with it (``new_key``
        names its algorithm) or for a ``request`` (PKCS #10, PEM). Names have
        their form before a colon: ``dns:www.example.org``.
        """
        body = {
            "profile": profile,
            "names": list(names),
            "subject": subject,
            "key": None if key is None else {"keyring": keyring, "key": key},
            "new_key": new_key,
            "request": request,
            "lifetime_seconds": lifetime_seconds,
        }
        answer = self._call("POST", self._certificates(authority), body)
        private = answer.get("private_key")
        return IssuedCertificate(
            Certificate.read(member(answer, "certificate", dict)),
            None if private is None else Secret(private.encode()),
        )

    def certificates(self, authority: str) -> Iterator[Certificate]:
        """What an authority issued."""
        path = self._certificates(authority)
        for one in self._transport.pages(path, 100, self._namespace):
            yield Certificate.read(one)

    def certificate(self, authority: str, serial: str) -> Certificate:
        """One certificate."""
        return Certificate.read(self._call("GET", self._certificates(authority, serial)))

    def revoke(self, authority: str, serial: str, reason: str) -> Certificate:
        """Revokes a certificate, with a reason of RFC 5280; ``certificateHold`` holds it."""
        path = self._certificates(authority, serial, "revoke")
        return Certificate.read(self._call("POST", path, {"reason": reason}))

    def release(self, authority: str, serial: str) -> Certificate:
        """Ends a hold."""
        return Certificate.read(self._call("POST", self._certificates(authority, serial, "release")))

    def crl(self, authority: str, *, issuer: int = 1, shard: int = 0) -> bytes:
        """The revocation list (DER) that is published, made anew before."""
        self._call("POST", f"/authorities/{_segment(authority)}/publish")
        place = "/".join(map(_segment, (self._namespace, authority)))
        return self._transport.published(f"/pki/{place}/{issuer}/crl/{shard}.crl")

    def _certificates(self, authority: str, *further: str) -> str:
        parts = [_segment(authority), "certificates", *map(_segment, further)]
        return "/authorities/" + "/".join(parts)

    def _call(
        self, method: str, path: str, body: Optional[Mapping[str, Any]] = None
    ) -> Mapping[str, Any]:
        return self._transport.call(method, path, body, namespace=self._namespace)


class Principals:
    """Who is known by certificates; ``Client.principals``."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace

    def create(
        self,
        name: str,
        *,
        authority: Optional[str] = None,
        certificate: Optional[str] = None,
        groups: Sequence[str] = (),
    ) -> Principal:
        """Registers somebody: by an authority here that vouches, or by one certificate (PEM)."""
        body = {
            "name": name,
            "authority": authority,
            "certificate": certificate,
            "groups": list(groups),
        }
        call = self._transport.call
        answer = call("POST", "/principals", body, namespace=self._namespace, creates=True)
        return Principal.read(answer)

    def show(self, name: str) -> Principal:
        """One of them."""
        path = f"/principals/{_segment(name)}"
        return Principal.read(self._transport.call("GET", path, namespace=self._namespace))

    def list(self) -> Iterator[Principal]:
        """The namespace's."""
        for one in self._transport.pages("/principals", 100, self._namespace):
            yield Principal.read(one)

    def delete(self, name: str) -> None:
        """Forgets somebody; their calls end at once."""
        self._transport.call("DELETE", f"/principals/{_segment(name)}", namespace=self._namespace)

    def uri(self, name: str) -> str:
        """The name in certificates of the profile ``principal`` that show who it is."""
        return f"uri:skms://{_segment(self._namespace)}/certificate/{_segment(name)}"


def validation(
    certificate: AnyCertificate,
    anchors: Sequence[AnyCertificate],
    chain: Sequence[AnyCertificate],
    crls: Sequence[bytes],
    names: Sequence[str],
    purpose: Optional[str],
    revocation: Optional[str],
    at: Optional[str],
) -> Mapping[str, Any]:
    """The body of a question whether a certificate is valid."""
    one = [to_base64(der_of(each)) for each in anchors]
    if not one:
        raise ValueError("somebody has to be trusted")
    return {
        "certificate": to_base64(der_of(certificate)),
        "anchors": one,
        "chain": [to_base64(der_of(each)) for each in chain],
        "crls": [to_base64(each) for each in crls],
        "names": list(names),
        "purpose": purpose,
        "revocation": revocation,
        "at": at,
    }
