"""What the attacks need: two servers, clients, and certificates of every kind."""

from __future__ import annotations

import datetime
import ipaddress
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import skms
from tests.server import Server

#: The name by which clients know the server. The other server has it not.
ADDRESS = "127.0.0.2"
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
HOUR = datetime.timedelta(hours=1)


def pem_of(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM) + private


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


class Signer:
    """An authority outside: a name, a key, and any certificate that one likes."""

    def __init__(self, name: str, key: Optional[ec.EllipticCurvePrivateKey] = None) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        # It outlasts what it certifies at both ends.
        long: Dict[str, Any] = dict(begins=-9 * HOUR, ends=9 * HOUR)
        self.certificate = self.certify(self.name, self.key, authority=True, **long)

    def certify(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        names: Sequence[x509.GeneralName] = (),
        purpose: Optional[x509.ObjectIdentifier] = None,
        begins: datetime.timedelta = -HOUR,
        ends: datetime.timedelta = HOUR,
        authority: bool = False,
        plain: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() + begins)
            .not_valid_after(now() + ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        if not plain:
            constraints = x509.BasicConstraints(authority, None)
            builder = builder.add_extension(constraints, authority)
            builder = builder.add_extension(usage(authority), True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        return builder.sign(self.key, hashes.SHA256())

    def leaf(self, path: Path, **how: Any) -> x509.Certificate:
        """A certificate on a new key; both go into a file."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
        made = self.certify(subject, key, **how)
        path.write_bytes(pem_of(made, key))
        return made

    def crl(self, entries: Dict[int, x509.ReasonFlags]) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now() - HOUR)
            .next_update(now() + HOUR)
            .add_extension(x509.CRLNumber(1), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        for serial, reason in entries.items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial)
            entry = entry.revocation_date(now() - HOUR).add_extension(x509.CRLReason(reason), False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def self_signed(path: Path, **how: Any) -> Signer:
    """A certificate by nobody else, and who that is."""
    made = Signer(path.stem)
    made.certificate = made.certify(made.name, made.key, **how)
    path.write_bytes(pem_of(made.certificate, made.key))
    return made


class Stage:
    """Two servers with their people, and the attacker's folder of identities."""

    def __init__(self) -> None:
        self.server = Server(ADDRESS)
        self.other = Server()
        self.folder = self.server.folder
        self.identities = self.folder / "identities"
        self.identities.mkdir()
        self.admin = self.server.client()
        self.attackers: List["Attacker"] = []
        #: What TLS in the middle is ended with. It says nothing of what it may
        #: not do, and has a revocation list to go with it.
        names = [x509.IPAddress(ipaddress.ip_address(ADDRESS))]
        self.own = self.folder / "proxy.pem"
        proxy = self_signed(self.own, names=names, purpose=SERVER, plain=True)
        (self.identities / "proxy.crl").write_bytes(proxy.crl({}))
        self.tls_trust = self.folder / "proxy-ca.pem"
        self.tls_trust.write_bytes(proxy.certificate.public_bytes(Encoding.PEM))
        self._clients()
        self._servers(names)

    def _clients(self) -> None:
        """People by the server's own authority, and by one whose key is outside too."""
        for name in ("alice", "bob", "mallory"):
            self._principal(name, "admins")
        key = ec.generate_private_key(ec.SECP256R1())
        octets = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self.admin.keys.import_("staff", octets)
        made = self.admin.authorities.create("staff", "staff", "CN=staff")
        staff = Signer("staff", key)
        assert made.certificate is not None
        staff.certificate = x509.load_pem_x509_certificate(made.certificate.encode())
        whom: Dict[str, Any] = dict(names=[x509.DNSName("insider")], purpose=CLIENT)

        def file(name: str) -> Path:
            return self.identities / f"client-{name}.pem"

        staff.leaf(file("good"), **whom)
        staff.leaf(file("expired"), **whom, begins=-3 * HOUR, ends=-HOUR)
        staff.leaf(file("not-yet-valid"), **whom, begins=HOUR, ends=3 * HOUR)
        staff.leaf(file("purpose"), **{**whom, "purpose": SERVER})
        Signer("staff").leaf(file("stranger"), **whom)
        self_signed(file("self-signed"), **whom)
        below = Signer("below")
        above = staff.certify(below.name, below.key, authority=True)
        below.leaf(file("unknown"), **whom)
        with file("unknown").open("ab") as chain:
            chain.write(above.public_bytes(Encoding.PEM))
        # The server knows them all, so that nothing but what is named is in
        # their way.
        for path in self.identities.glob("client-*.pem"):
            text, end, _ = path.read_text().partition("-----END CERTIFICATE-----")
            self.admin.principals.create(path.stem, certificate=text + end, groups=["root"])
        self._principal("revoked", "staff", "privilegeWithdrawn")
        self._principal("on-hold", "staff", "certificateHold")

    def _principal(self, name: str, authority: str, revoked: Optional[str] = None) -> None:
        """Registers somebody in the administrators' group, with a certificate."""
        self.admin.principals.create(name, authority=authority, groups=["root"])
        issued = self.admin.authorities.issue(
            authority, "principal", names=[self.admin.principals.uri(name)], new_key="EC-P256"
        )
        assert issued.private_key is not None and issued.certificate.certificate is not None
        if revoked is not None:
            self.admin.authorities.revoke(authority, issued.certificate.serial, revoked)
        path = self.identities / (f"client-{name}.pem" if authority == "staff" else f"{name}.pem")
        certificate = issued.certificate.certificate.encode()
        path.write_bytes(certificate + issued.private_key.reveal())

    def _servers(self, names: Sequence[x509.GeneralName]) -> None:
        """An authority that clients trust beside the server's, and what it once
        certified, which is the attacker's now."""
        other = Signer("another authority")
        right: Dict[str, Any] = dict(names=names, purpose=SERVER)

        def file(name: str) -> Path:
            return self.identities / f"server-{name}.pem"

        other.leaf(file("good"), **right)
        other.leaf(file("expired"), **right, begins=-3 * HOUR, ends=-HOUR)
        other.leaf(file("not-yet-valid"), **right, begins=HOUR, ends=3 * HOUR)
        other.leaf(file("purpose"), **{**right, "purpose": CLIENT})
        other.leaf(file("name"), **{**right, "names": [x509.DNSName("other.example.org")]})
        revoked = other.leaf(file("revoked"), **right)
        held = other.leaf(file("on-hold"), **right)
        self_signed(file("self-signed"), **right)
        listed = {
            revoked.serial_number: x509.ReasonFlags.key_compromise,
            held.serial_number: x509.ReasonFlags.certificate_hold,
        }
        (self.identities / "other.crl").write_bytes(other.crl(listed))
        self.exchange_trust = self.folder / "exchange-ca.pem"
        own = (self.folder / "data/ca.pem").read_bytes()
        self.exchange_trust.write_bytes(own + other.certificate.public_bytes(Encoding.PEM))

    def attacker(self) -> "Attacker":
        made = Attacker(self)
        self.attackers.append(made)
        return made

    def close(self) -> None:
        for one in self.attackers:
            one.close()
        self.admin.close()
        self.server.close()
        self.other.close()


class Attacker:
    """The attacker's process."""

    def __init__(self, stage: Stage) -> None:
        arguments = {
            "--server": stage.server.address,
            "--ca-file": stage.folder / "data/ca.pem",
            "--other": stage.other.address,
            "--other-ca-file": stage.other.folder / "data/ca.pem",
            "--certificate": stage.own,
            "--identities": stage.identities,
            "--listen": ADDRESS,
        }
        words = [str(word) for pair in arguments.items() for word in pair]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "attacker", *words],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.address = f"https://{ADDRESS}:{self._answer()['listening']}"

    def _answer(self) -> Dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError("the attacker ended early")
        answer: Dict[str, Any] = json.loads(line)
        return answer

    def tell(self, **command: Any) -> Dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
