"""Whether the server's certificate may be believed.

Paths and names are judged by ``cryptography``'s verifier (RFC 5280 with the
WebPKI's narrowings: RSA and ECDSA keys alone), purposes and revocation here.
"""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any, Iterable, List, Optional, Protocol, Sequence, Set

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from ..errors import ExchangeRefused
from .messages import ServerName


class Trust(Protocol):
    """Judges the server's chain; an own one may stand in for ``AnchorTrust``."""

    def check(
        self,
        chain: Sequence[x509.Certificate],
        server: ServerName,
        now: datetime.datetime,
        crls: Sequence[bytes],
    ) -> None:
        """Raises ``ExchangeRefused`` unless path, name and revocation are right."""


def check_purpose(certificate: x509.Certificate) -> None:
    """extKeyUsage has serverAuth, and keyUsage, if it is there, digitalSignature."""
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        raise ExchangeRefused("certificate-purpose", "no extKeyUsage") from None
    except ValueError:
        raise ExchangeRefused("certificate-untrusted", "an extension is no such thing") from None
    if ExtendedKeyUsageOID.SERVER_AUTH not in usages:
        raise ExchangeRefused("certificate-purpose", "not for servers")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise ExchangeRefused("certificate-purpose", "not for signatures")


class AnchorTrust:
    """Trust in the given anchors, and in the lists that come with an answer."""

    def __init__(self, anchors: Iterable[x509.Certificate]) -> None:
        self._store = verification.Store(list(anchors))

    def check(
        self,
        chain: Sequence[x509.Certificate],
        server: ServerName,
        now: datetime.datetime,
        crls: Sequence[bytes],
    ) -> None:
        """Raises ``ExchangeRefused`` unless path, name and revocation are right."""
        path = self._path(chain, _subject(server), now)
        lists = [one for one in map(_parse, crls) if one is not None]
        for index in range(len(path) - 1):
            _check_revocation(path[index], path[index + 1], index > 0, lists, now)

    def _path(
        self, chain: Sequence[x509.Certificate], subject: Any, now: datetime.datetime
    ) -> List[x509.Certificate]:
        try:
            return self._verify(chain, subject, now)
        except verification.VerificationError as error:
            reason = str(error)
        # It is refused; what follows only finds the better name for why.
        leaf = chain[0]
        for own in _own_names(leaf):
            if self._holds(chain, own, now):
                raise ExchangeRefused("certificate-name")
            if self._holds(chain, own, leaf.not_valid_before_utc):
                if now > leaf.not_valid_after_utc:
                    raise ExchangeRefused("certificate-expired")
                if now < leaf.not_valid_before_utc:
                    raise ExchangeRefused("certificate-not-yet-valid")
        raise ExchangeRefused("certificate-untrusted", reason)

    def _verify(
        self, chain: Sequence[x509.Certificate], subject: Any, now: datetime.datetime
    ) -> List[x509.Certificate]:
        builder = verification.PolicyBuilder().store(self._store).time(now)
        verifier = builder.max_chain_depth(8).build_server_verifier(subject)
        return verifier.verify(chain[0], list(chain[1:]))

    def _holds(
        self, chain: Sequence[x509.Certificate], subject: Any, now: datetime.datetime
    ) -> bool:
        try:
            self._verify(chain, subject, now)
        except verification.VerificationError:
            return False
        return True


def _subject(server: ServerName) -> Any:
    if isinstance(server.value, bytes):
        return x509.IPAddress(ipaddress.ip_address(server.value))
    return x509.DNSName(server.value)


def _own_names(certificate: x509.Certificate) -> List[Any]:
    names = _extension(certificate, x509.SubjectAlternativeName) or ()
    found: List[Any] = []
    for name in list(names)[:4]:
        if isinstance(name, x509.IPAddress):
            found.append(name)
        elif isinstance(name, x509.DNSName):
            # A wildcard is no name to ask for; what it stands for is.
            found.append(x509.DNSName(name.value.replace("*", "any", 1)))
    return found


def _extension(of: Any, kind: Any) -> Any:
    """An extension's value or ``None``."""
    try:
        return of.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _parse(der: bytes) -> Optional[x509.CertificateRevocationList]:
    try:
        return x509.load_der_x509_crl(der)
    except ValueError:
        return None


def _check_revocation(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    authority: bool,
    lists: Sequence[x509.CertificateRevocationList],
    now: datetime.datetime,
) -> None:
    """No news is a refusal (docs/exchange.md, Certificates)."""
    known = held = False
    for one in lists:
        if not _counts(one, certificate, issuer, authority, now):
            continue
        known = True
        entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is None:
            continue
        reason = _extension(entry, x509.CRLReason)
        if reason is None or reason.reason is not x509.ReasonFlags.certificate_hold:
            raise ExchangeRefused("certificate-revoked")
        held = True
    if held:
        raise ExchangeRefused("certificate-on-hold")
    if not known:
        raise ExchangeRefused("revocation-unknown")


def _counts(
    one: x509.CertificateRevocationList,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    authority: bool,
    now: datetime.datetime,
) -> bool:
    """Whether a list is the issuer's, in date, complete and about the certificate."""
    if one.issuer != certificate.issuer or issuer.subject != certificate.issuer:
        return False
    if now < one.last_update_utc or one.next_update_utc is None or now >= one.next_update_utc:
        return False
    usage = _extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        return False
    try:
        if not one.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
            return False
        extensions = list(one.extensions)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    point: Optional[x509.IssuingDistributionPoint] = None
    for extension in extensions:
        if isinstance(extension.value, x509.IssuingDistributionPoint):
            point = extension.value
        elif extension.critical or isinstance(extension.value, x509.DeltaCRLIndicator):
            # What is not understood, and what only adds to another list.
            return False
    return point is None or _is_about(point, certificate, authority)


def _is_about(
    point: x509.IssuingDistributionPoint, certificate: x509.Certificate, authority: bool
) -> bool:
    """Whether a partial list has the certificate in its scope (RFC 5280, 6.3.3 b 2)."""
    if point.indirect_crl or point.only_some_reasons or point.only_contains_attribute_certs:
        return False
    if point.only_contains_user_certs and authority:
        return False
    if point.only_contains_ca_certs and not authority:
        return False
    if point.relative_name is not None:
        return False
    if point.full_name is None:
        return True
    wanted: Set[x509.GeneralName] = set()
    for own in _extension(certificate, x509.CRLDistributionPoints) or ():
        if own.reasons is None and own.crl_issuer is None:
            wanted.update(own.full_name or ())
    return not wanted.isdisjoint(point.full_name)
