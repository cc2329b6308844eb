"""What the notebook plays with: a server, people with certificates, an attacker.

Everything lies in one temporary folder and ends with the notebook's kernel.
"""

from __future__ import annotations

import atexit
import datetime
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PACKAGE = Path(__file__).resolve().parent.parent / "clients/python"
sys.path.insert(0, str(PACKAGE))

import skms  # noqa: E402


def program() -> str:
    """The server's program: SKMS_BINARY, what was built here, or what is installed."""
    named = os.environ.get("SKMS_BINARY")
    built = (PACKAGE.parent.parent / f"target/{kind}/skms" for kind in ("release", "debug"))
    found = named or next((str(path) for path in built if path.exists()), shutil.which("skms"))
    if found is None:
        raise FileNotFoundError("build the server first: cargo build --release -p skms")
    return found


class Server:
    """``skms init`` and ``skms serve`` in a folder of its own, at a free port."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="skms-")
        self.folder = Path(self._folder.name)
        others = {name: value for name, value in os.environ.items() if not name.startswith("SKMS_")}
        how: Dict[str, Any] = dict(cwd=self.folder, env={**others, "SKMS_CONFIG": "/dev/null"})
        own = ["--data-dir", "data"]
        init = ["init", *own, "--key-file", "seal.key", "--token-out", "root.token"]
        subprocess.run([program(), *init], check=True, capture_output=True, **how)
        serve = ["serve", *own, "--unseal-key-file", "seal.key", "--listen", "127.0.0.1:0"]
        # It ends with the pipe to it, however the kernel ends.
        tied = '"$@" & cat > /dev/null; kill -9 $!'
        self._child = subprocess.Popen(
            ["sh", "-c", tied, "sh", program(), *serve],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            # Who interrupts a cell does not mean the server.
            start_new_session=True, **how,
        )  # fmt: skip
        atexit.register(self.close)
        assert self._child.stderr is not None
        self.address = next(
            f"https://{told['address']}"
            for told in map(json.loads, filter(lambda line: line[0] == "{", self._child.stderr))
            if told.get("message") == "listening"
        )
        # The rest of the log is read, so that the server never waits for us.
        threading.Thread(target=self._child.stderr.read, daemon=True).start()

    def client(self, certificate: str = "root.pem", **how: Any) -> skms.Client:
        """A client by a certificate in the folder; the administrator's by default."""
        settings: Dict[str, Any] = dict(
            ca_file=self.folder / "data/ca.pem", client_cert=self.folder / certificate
        )
        return skms.Client(how.pop("address", self.address), **{**settings, **how})

    def person(self, name: str) -> str:
        """Somebody with all rights; gives the name of the file with the certificate."""
        with self.client() as admin:
            admin.principals.create(name, authority="admins", groups=["root"])
            issued = admin.authorities.issue(
                "admins", "principal", names=[admin.principals.uri(name)], new_key="EC-P256"
            )
        assert issued.certificate.certificate is not None and issued.private_key is not None
        text = issued.certificate.certificate.encode() + issued.private_key.reveal()
        (self.folder / f"{name}.pem").write_bytes(text)
        return f"{name}.pem"

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()
        self._folder.cleanup()


class Attacker:
    """Ends TLS between clients and a server, by a certificate that clients take."""

    def __init__(self, server: Server, other: Server) -> None:
        self.ca_file = server.folder / "proxy-ca.pem"
        own = server.folder / "proxy.pem"
        certificate, key = _certificate("a proxy")
        self.ca_file.write_bytes(certificate)
        own.write_bytes(certificate + key)
        options = {
            "--server": server.address,
            "--ca-file": server.folder / "data/ca.pem",
            "--other": other.address,
            "--other-ca-file": other.folder / "data/ca.pem",
            "--certificate": own,
            "--identities": server.folder,
        }
        words = [str(word) for pair in options.items() for word in pair]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "attacker", *words],
            cwd=PACKAGE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        atexit.register(self._child.kill)
        self.address = f"https://127.0.0.1:{self._answer()['listening']}"

    def does(self, attack: str) -> None:
        """What it does from now on."""
        self._tell({"attack": attack})

    def has_seen(self, secret: bytes) -> bool:
        """Whether these bytes are in anything that it saw, in any usual form."""
        found: bool = self._tell({"search": secret.hex()})["found"]
        return found

    def _tell(self, command: Dict[str, Any]) -> Dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        return self._answer()

    def _answer(self) -> Dict[str, Any]:
        assert self._child.stdout is not None
        answer: Dict[str, Any] = json.loads(self._child.stdout.readline())
        return answer


def _certificate(name: str) -> "tuple[bytes, bytes]":
    """A self-signed certificate for this machine's own address, and its key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), private
