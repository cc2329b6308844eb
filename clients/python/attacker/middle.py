"""The place between client and server: TLS on both sides, and all that was seen."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple
from urllib.parse import urlsplit

from skms.exchange import Identity

from .messages import Opened

if TYPE_CHECKING:
    from .attacks import Attack

EXCHANGE, CONFIRM = "/api/v1/exchange", "/api/v1/exchange/confirm"
#: How long one of two victims waits for the other.
PATIENCE_SECONDS = 20.0


@dataclass
class Reply:
    """An answer over HTTP."""

    status: int
    body: bytes
    kind: str = "application/json"
    #: Other header fields that a client looks at.
    fields: Dict[str, str] = field(default_factory=dict)

    @property
    def message(self) -> bytes:
        """Message 2, where there is one."""
        return base64.b64decode(json.loads(self.body)["message"])

    def altered(
        self, message: Optional[bytes] = None, crls: Optional[List[bytes]] = None
    ) -> "Reply":
        """The same with another message 2 or other revocation lists."""
        value: Dict[str, Any] = json.loads(self.body)
        if message is not None:
            value["message"] = base64.b64encode(message).decode()
        if crls is not None:
            value["crls"] = [base64.b64encode(one).decode() for one in crls]
        return Reply(self.status, json.dumps(value).encode(), self.kind, self.fields)

    @classmethod
    def of(cls, message: bytes, crls: List[bytes]) -> "Reply":
        return cls(200, b"{}").altered(message, crls)


@dataclass
class Session:
    """One exchange that passed."""

    first: bytes
    reply: Optional[Reply] = None
    third: Optional[bytes] = None

    @property
    def client(self) -> bytes:
        """Hash of the client's certificate."""
        found: bytes = Opened.of(self.first).payload[4]
        return found


class Server:
    """A server that messages are passed on to."""

    def __init__(self, address: str, ca_file: str) -> None:
        parts = urlsplit(address)
        if parts.hostname is None or parts.port is None:
            raise ValueError("the address of a server is https://HOST:PORT")
        self._place = (parts.hostname, parts.port)
        self._tls = ssl.create_default_context(cafile=ca_file)

    def send(self, method: str, path: str, headers: Dict[str, str], body: bytes) -> Reply:
        connection = self._connect()
        try:
            connection.request(method, path, body=body or None, headers=headers)
            answer = connection.getresponse()
            kept = ("retry-after", "x-request-id")
            fields = {name: value for name, value in answer.getheaders() if name.lower() in kept}
            kind = answer.getheader("content-type") or "application/octet-stream"
            return Reply(answer.status, answer.read(), kind, fields)
        finally:
            connection.close()

    def post(self, path: str, message: bytes) -> Reply:
        body = json.dumps({"message": base64.b64encode(message).decode()}).encode()
        return self.send("POST", path, {"Content-Type": "application/json"}, body)

    def certificate(self) -> bytes:
        """What the server shows in TLS (DER)."""
        connection = self._connect()
        connection.connect()
        try:
            shown: Optional[bytes] = connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
        if shown is None:
            raise ValueError("the server shows no certificate")
        return shown

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._place, timeout=30, context=self._tls)


class Middle:
    """What the attacker has: both connections, identities of its own, a memory."""

    def __init__(self, server: Server, other: Optional[Server], folder: Path, own: Path) -> None:
        self.server = server
        self.other = other
        self._folder = folder
        self._own = own
        self.attack: Optional["Attack"] = None
        #: How often the attack did something.
        self.acted = 0
        self.sessions: List[Session] = []
        self.held: Optional[bytes] = None
        self._seen: List[bytes] = []
        self._lock = threading.Lock()
        self._pair: List[Reply] = []
        self._barrier = threading.Barrier(2)

    def identity(self, name: str) -> Identity:
        """A certificate of the attacker's own, with its key; ``tls`` is what it
        ends TLS with."""
        return Identity.from_pem(self._own if name == "tls" else self._folder / f"{name}.pem")

    def lists(self) -> List[bytes]:
        """Revocation lists of who certified those that play a server."""
        return [path.read_bytes() for path in sorted(self._folder.glob("*.crl"))]

    def begin(self, attack: "Attack") -> None:
        self.attack, self.acted = attack, 0
        self._pair, self._barrier = [], threading.Barrier(2)

    def act(self) -> None:
        with self._lock:
            self.acted += 1

    def note(self, data: bytes) -> None:
        """Remembers what passed, as it came and with its base64 undone."""
        with self._lock:
            self._seen.append(data)
        try:
            value = json.loads(data)
        except ValueError:
            return
        texts = [value.get("message"), *value.get("crls", [])] if isinstance(value, dict) else []
        with self._lock:
            self._seen += [base64.b64decode(text) for text in texts if isinstance(text, str)]

    def has_seen(self, secret: bytes) -> bool:
        """Whether a secret passed in any form that one would look for."""
        forms = [
            secret,
            secret.hex().encode(),
            secret.hex().upper().encode(),
            base64.b64encode(secret).rstrip(b"="),
            base64.urlsafe_b64encode(secret).rstrip(b"="),
        ]
        with self._lock:
            return any(form in data for form in forms for data in self._seen)

    def before(self, message: bytes, *, same_client: bool) -> Session:
        """The last whole exchange of the client that sent this, or of another."""
        client = Session(message).client
        for session in reversed(self.sessions):
            if session.reply and session.third and (session.client == client) == same_client:
                return session
        raise LookupError("nothing was recorded to be replayed")

    def cross(self, reply: Reply) -> Reply:
        """Waits for a second victim and gives its answer for this one."""
        with self._lock:
            place = len(self._pair)
            self._pair.append(reply)
        self._barrier.wait(PATIENCE_SECONDS)
        return self._pair[1 - place]

    def handle(self, path: str, body: bytes) -> Reply:
        """One message of the exchange, and what is answered."""
        attack = self.attack
        if attack is None:
            raise LookupError("no attack was chosen")
        self.note(body)
        message = base64.b64decode(json.loads(body)["message"])
        reply = self._first(attack, message) if path == EXCHANGE else self._third(attack, message)
        self.note(reply.body)
        return reply

    def _first(self, attack: "Attack", message: bytes) -> Reply:
        session = Session(message)
        sent = attack.one(self, message) if attack.one else message
        if isinstance(sent, Reply):
            self.act()
            return sent
        if sent != message:
            self.act()
        reply = self.server.post(EXCHANGE, sent)
        if reply.status != 200:
            return reply
        self.note(reply.body)
        if attack.two:
            reply = attack.two(self, message, reply)
            self.act()
        session.reply = reply
        with self._lock:
            if attack.passive:
                self.sessions.append(session)
        return reply

    def _third(self, attack: "Attack", message: bytes) -> Reply:
        sent = attack.three(self, message) if attack.three else message
        if sent != message:
            self.act()
        reply = self.server.post(CONFIRM, sent)
        with self._lock:
            if attack.passive and self.sessions:
                self.sessions[-1].third = message
        return reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    middle: Middle

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        reply = self._reply(body)
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _reply(self, body: bytes) -> Reply:
        if self.command == "POST" and self.path in (EXCHANGE, CONFIRM):
            try:
                return self.middle.handle(self.path, body)
            except Exception as error:
                # The test must not take the attacker's own fault for a refusal.
                return Reply(500, f"the attacker failed: {error!r}".encode(), "text/plain")
        passed = ("accept", "authorization", "content-type", "x-skms-namespace", "idempotency-key")
        headers = {name: self.headers[name] for name in passed if name in self.headers}
        return self.middle.server.send(self.command, self.path, headers, body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: standard output belongs to the commands."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: Tuple[str, int], handler: Any, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so that no handshake stops the others."""
        try:
            with self._tls.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        except OSError:
            # The other side went away.
            pass


def listen(middle: Middle, address: Tuple[str, int], certificate: Path) -> _Listener:
    """Begins to end TLS here, in a thread."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(certificate)
    handler = type("Handler", (_Handler,), {"middle": middle})
    listener = _Listener(address, handler, tls)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    return listener
