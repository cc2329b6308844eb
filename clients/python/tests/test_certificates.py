"""Whom AnchorTrust believes: paths, names, purposes and revocation."""

import datetime
import unittest
from typing import Any, List, Optional, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from skms.errors import ExchangeRefused
from skms.exchange import AnchorTrust, ServerName
from skms.exchange.certificates import check_purpose

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
NAME = ServerName.of("kms.example.org")


def usage(**wanted: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment "
        "key_agreement key_cert_sign crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in names})


class Party:
    """A key with a certificate, which may certify others."""

    def __init__(self, name: str, issuer: Optional["Party"] = None, ca: bool = True, **how: Any) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        above = issuer or self
        begin = how.get("begin", NOW - DAY)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(above.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(how.get("end", begin + 30 * DAY))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(above.key.public_key()), False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        )
        if ca:
            signs = how.get("crl_sign", True)
            builder = builder.add_extension(usage(key_cert_sign=True, crl_sign=signs), critical=True)
        else:
            names = [x509.DNSName(one) for one in how.get("names", ["kms.example.org"])]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            purposes = how.get("purposes", [ExtendedKeyUsageOID.SERVER_AUTH])
            if purposes:
                builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            builder = builder.add_extension(how.get("usage", usage(digital_signature=True)), True)
            if "point" in how:
                points = [x509.DistributionPoint([uri(how["point"])], None, None, None)]
                builder = builder.add_extension(x509.CRLDistributionPoints(points), False)
        self.certificate = builder.sign(above.key, hashes.SHA256())

    def crl(
        self,
        revoked: Sequence["Party"] = (),
        reason: Optional[x509.ReasonFlags] = None,
        key: Any = None,
        begin: datetime.datetime = NOW - DAY,
        end: datetime.datetime = NOW + DAY,
        extensions: Sequence[Any] = (),
    ) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(begin).next_update(end)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().revocation_date(begin)
            entry = entry.serial_number(one.certificate.serial_number)
            if reason is not None:
                entry = entry.add_extension(x509.CRLReason(reason), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        return builder.sign(key or self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


def point(**what: Any) -> Any:
    fields = dict(
        full_name=None, relative_name=None, only_contains_user_certs=False,
        only_contains_ca_certs=False, only_some_reasons=None, indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    return (x509.IssuingDistributionPoint(**{**fields, **what}), True)


ROOT = Party("Root")
ISSUING = Party("Issuing", ROOT)
SERVER = Party("server", ISSUING, ca=False)
GOOD = [ROOT.crl(), ISSUING.crl()]


class Paths(unittest.TestCase):
    def check(self, server: Party = SERVER, crls: Sequence[bytes] = GOOD, **how: Any) -> None:
        anchor = how.get("anchor", ROOT)
        chain = [server.certificate, *how.get("above", [ISSUING.certificate])]
        trust = AnchorTrust([anchor.certificate])
        trust.check(chain, how.get("server_name", NAME), how.get("now", NOW), crls)

    def refused(self, name: str, *arguments: Any, **how: Any) -> None:
        with self.assertRaises(ExchangeRefused) as caught:
            self.check(*arguments, **how)
        self.assertEqual(caught.exception.name, name)

    def test_a_good_chain(self) -> None:
        self.check()
        self.check(above=[ISSUING.certificate, ROOT.certificate])
        self.check(server_name=ServerName.of("KMS.example.org."))

    def test_paths_and_names(self) -> None:
        self.refused("certificate-untrusted", anchor=Party("Root"))
        self.refused("certificate-untrusted", above=[])
        self.refused("certificate-untrusted", Party("self", ca=False))
        for other in ("other.example.org", "127.0.0.1"):
            self.refused("certificate-name", server_name=ServerName.of(other))
        # A leaf certifies nobody, and neither does the root by another's key.
        self.refused(
            "certificate-untrusted",
            Party("below", SERVER, ca=False),
            above=[SERVER.certificate, ISSUING.certificate],
        )
        old = Party("old", ISSUING, ca=False, begin=NOW - 40 * DAY)
        # The issuer was not there yet when this one began.
        self.refused("certificate-untrusted", old)
        self.refused("certificate-expired", now=NOW + 29.5 * DAY)
        self.refused("certificate-not-yet-valid", Party("new", ISSUING, ca=False, begin=NOW + DAY))

    def test_purposes(self) -> None:
        check_purpose(SERVER.certificate)
        for how in (
            dict(purposes=[]),
            dict(purposes=[ExtendedKeyUsageOID.CLIENT_AUTH]),
            dict(purposes=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
            dict(usage=usage(key_agreement=True)),
        ):
            with self.subTest(how), self.assertRaises(ExchangeRefused) as caught:
                check_purpose(Party("x", ISSUING, ca=False, **how).certificate)
            self.assertEqual(caught.exception.name, "certificate-purpose")

    def test_no_news_is_a_refusal(self) -> None:
        self.refused("revocation-unknown", crls=[])
        self.refused("revocation-unknown", crls=[ISSUING.crl()])
        self.refused("revocation-unknown", crls=[ROOT.crl()])
        self.refused("revocation-unknown", crls=[ROOT.crl(), b"no list"])
        stale = ISSUING.crl(begin=NOW - 3 * DAY, end=NOW - DAY)
        early = ISSUING.crl(begin=NOW + DAY, end=NOW + 2 * DAY)
        for other in (stale, early):
            self.refused("revocation-unknown", crls=[ROOT.crl(), other])

    def test_revoked_and_held(self) -> None:
        revoked = [ROOT.crl(), ISSUING.crl([SERVER])]
        self.refused("certificate-revoked", crls=revoked)
        self.refused("certificate-revoked", crls=[ROOT.crl([ISSUING]), ISSUING.crl()])
        held = ISSUING.crl([SERVER], x509.ReasonFlags.certificate_hold)
        self.refused("certificate-on-hold", crls=[ROOT.crl(), held])
        # One bad list is enough, whatever stands beside it and in which order.
        self.refused("certificate-revoked", crls=[*GOOD, ISSUING.crl([SERVER])])
        self.refused("certificate-revoked", crls=[held, *revoked])

    def test_forged_lists(self) -> None:
        forger = ec.generate_private_key(ec.SECP256R1())
        forged = ISSUING.crl(key=forger)
        self.refused("revocation-unknown", crls=[ROOT.crl(), forged])
        # It hides no revocation, and makes none.
        self.refused("certificate-revoked", crls=[ROOT.crl(), forged, ISSUING.crl([SERVER])])
        self.check(crls=[*GOOD, ISSUING.crl([SERVER], key=forger)])
        # The server signs no lists about itself, nor the root about others'.
        self.refused("revocation-unknown", crls=[ROOT.crl(), ISSUING.crl(key=SERVER.key)])
        self.refused("revocation-unknown", crls=[ROOT.crl(), ISSUING.crl(key=ROOT.key)])
        # By the right key, and in another name.
        other = Party("Other", ROOT)
        self.refused("revocation-unknown", crls=[ROOT.crl(), other.crl(key=ISSUING.key)])
        mute = Party("Mute", ROOT, crl_sign=False)
        below = Party("server", mute, ca=False)
        self.refused(
            "revocation-unknown", below, [ROOT.crl(), mute.crl()], above=[mute.certificate]
        )

    def test_partial_lists(self) -> None:
        for what in (
            dict(only_contains_ca_certs=True),
            dict(only_contains_attribute_certs=True),
            dict(indirect_crl=True),
            dict(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
            dict(full_name=[uri("http://x/1")]),
        ):
            partial = ISSUING.crl(extensions=[point(**what)])
            with self.subTest(what):
                self.refused("revocation-unknown", crls=[ROOT.crl(), partial])
        users = ISSUING.crl(extensions=[point(only_contains_user_certs=True)])
        self.check(crls=[ROOT.crl(), users])
        delta = ISSUING.crl(extensions=[(x509.DeltaCRLIndicator(1), True)])
        self.refused("revocation-unknown", crls=[ROOT.crl(), delta])
        strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        self.refused("revocation-unknown", crls=[ROOT.crl(), ISSUING.crl(extensions=[(strange, True)])])
        self.check(crls=[ROOT.crl(), ISSUING.crl(extensions=[(strange, False)])])
        # A shard is about who names it.
        sharded = Party("sharded", ISSUING, ca=False, point="http://x/1")
        for shard, fits in (("http://x/1", True), ("http://x/2", False)):
            lists = [ROOT.crl(), ISSUING.crl(extensions=[point(full_name=[uri(shard)])])]
            if fits:
                self.check(sharded, lists)
            else:
                self.refused("revocation-unknown", sharded, lists)


class Names(unittest.TestCase):
    def test_names_of_servers(self) -> None:
        self.assertEqual(ServerName.of("127.0.0.1").array(), [7, b"\x7f\0\0\1"])
        self.assertEqual(ServerName.of("::1").array(), [7, bytes(15) + b"\1"])
        self.assertEqual(ServerName.of("KMS.Example.org.").array(), [2, "kms.example.org"])
        bad: List[str] = ["", "*.example.org", "a..b", "ü.example", "a b", "x" * 254]
        for name in bad:
            with self.subTest(name), self.assertRaises(ValueError):
                ServerName.of(name)


if __name__ == "__main__":
    unittest.main()
