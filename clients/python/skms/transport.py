"""One connection to a server: TLS pinned to an authority, JSON, problems.

A request is sent a second time only where docs/api.md lets it be: one that only
reads or carries an idempotency key when the connection broke, and any that the
server turned away with ``Retry-After``, which says that nothing was done.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import select
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple, Union
from urllib.parse import urlencode, urlsplit

from .errors import Problem, ProtocolError, TransportError

#: The longest answer that is read.
ANSWER_BYTES = 64 << 20
#: A connection that was quiet for longer is not used again: the server may be
#: closing it, and a request lost in that is not sent twice.
QUIET_SECONDS = 10.0

PathLike = Union[str, Path]


class Transport:
    """Sends requests one at a time; may be shared between threads."""

    def __init__(
        self,
        address: str,
        *,
        ca_file: Optional[PathLike],
        certificate_file: Optional[PathLike],
        key_file: Optional[PathLike],
        token: Optional[str],
        timeout_seconds: float,
        retries: int,
        longest_wait_seconds: float,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("the address of a server is https://HOST:PORT")
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
            raise ValueError("the address of a server has no path, query or user")
        #: The host as the server's certificate names it.
        self.host: str = parts.hostname
        self._timeout = timeout_seconds
        self._retries = retries
        self._longest_wait = longest_wait_seconds
        self._token = None if token is None else _header_safe(token.strip())
        self._tls: Optional[ssl.SSLContext] = None
        if parts.scheme == "https":
            if ca_file is None:
                raise ValueError("ca_file is needed: the server's authority is pinned")
            self._tls = _pinned(ca_file, certificate_file, key_file)
        elif self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("plain http is for a throw-away server on this machine alone")
        self._port = parts.port or (443 if self._tls else 80)
        self._lock = threading.Lock()
        self._connection: Optional[http.client.HTTPConnection] = None
        self._used_at = 0.0

    def __repr__(self) -> str:
        return f"Transport({self.host!r}, {self._port})"

    def close(self) -> None:
        """Closes the connection; the next request opens another."""
        with self._lock:
            self._drop()

    def call(
        self,
        method: str,
        path: str,
        body: Optional[Mapping[str, Any]] = None,
        *,
        namespace: str = "root",
        query: Optional[Mapping[str, Any]] = None,
        creates: bool = False,
        authenticate: bool = True,
    ) -> Dict[str, Any]:
        """One request below ``/api/v1``; the answer's object.

        ``creates`` sends an idempotency key, so that the request is done once
        however often it is sent. Raises ``Problem``, ``TransportError`` and
        ``ProtocolError``.
        """
        headers = {"Accept": "application/json", "X-SKMS-Namespace": _header_safe(namespace)}
        if self._token is not None and authenticate:
            headers["Authorization"] = f"Bearer {self._token}"
        if creates:
            headers["Idempotency-Key"] = secrets.token_hex(16)
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            present = {name: value for name, value in body.items() if value is not None}
            data = json.dumps(present).encode()
        target = "/api/v1" + path
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        if asked:
            target += "?" + urlencode(asked)
        left = self._retries
        while True:
            try:
                return self._once(method, target, headers, data)
            except TransportError:
                if left == 0 or not (creates or method == "GET"):
                    raise
            except Problem as problem:
                wait = problem.retry_after_seconds
                if wait is None or left == 0 or wait > self._longest_wait:
                    raise
                time.sleep(wait)
            left -= 1

    def pages(
        self, path: str, page: int, namespace: str, after: Optional[str] = None
    ) -> Iterator[Mapping[str, Any]]:
        """A list's items, fetched page by page while they are looked at."""
        while True:
            query = {"limit": page, "after": after}
            answer = self.call("GET", path, namespace=namespace, query=query)
            items = answer.get("items")
            if not isinstance(items, list):
                raise ProtocolError("the answer has no items of the right kind")
            yield from items
            after = answer.get("next")
            if after is None:
                return

    def published(self, path: str) -> bytes:
        """What the server publishes for anyone under ``/pki``: the bytes as they are."""
        answer, content = self._exchange("GET", path, {}, None)
        if answer.status == 200:
            return content
        raise Problem("about:blank", answer.reason, answer.status, detail=path)

    def _once(
        self, method: str, target: str, headers: Dict[str, str], data: Optional[bytes]
    ) -> Dict[str, Any]:
        return _understand(*self._exchange(method, target, headers, data))

    def _exchange(
        self, method: str, target: str, headers: Dict[str, str], data: Optional[bytes]
    ) -> Tuple[http.client.HTTPResponse, bytes]:
        trouble = ""
        with self._lock:
            try:
                connection = self._ready()
                connection.request(method, target, body=data, headers=headers)
                answer = connection.getresponse()
                content = answer.read(ANSWER_BYTES + 1)
                self._used_at = time.monotonic()
                if answer.will_close or len(content) > ANSWER_BYTES:
                    self._drop()
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                trouble = _words(error)
        # Raised out here, so that no exception brings another along whose
        # parts hold what was sent or received.
        if trouble:
            raise TransportError(f"{method} to {self.host}:{self._port}: {trouble}")
        return answer, content

    def _ready(self) -> http.client.HTTPConnection:
        old = self._connection
        if old is not None:
            quiet = time.monotonic() - self._used_at
            # Something to read without a question is the other side's goodbye.
            if old.sock is None or quiet > QUIET_SECONDS or _readable(old.sock):
                self._drop()
        if self._connection is None:
            if self._tls is not None:
                self._connection = http.client.HTTPSConnection(
                    self.host, self._port, timeout=self._timeout, context=self._tls
                )
            else:
                self._connection = http.client.HTTPConnection(
                    self.host, self._port, timeout=self._timeout
                )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _pinned(
    ca_file: PathLike, certificate_file: Optional[PathLike], key_file: Optional[PathLike]
) -> ssl.SSLContext:
    """TLS 1.3 to who has a certificate by this authority; the system's do not count."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cafile=str(ca_file))
    if certificate_file is not None:
        context.load_cert_chain(str(certificate_file), str(key_file or certificate_file))
    return context


def _header_safe(value: str) -> str:
    # http.client quotes what it refuses, and a token must not be quoted.
    if not value or any(not "!" <= character <= "~" for character in value):
        raise ValueError("a token or namespace has other characters than visible ASCII")
    return value


def _readable(sock: Any) -> bool:
    try:
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _words(error: Exception) -> str:
    """What went wrong, without what http.client quotes of the traffic."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _understand(answer: http.client.HTTPResponse, content: bytes) -> Dict[str, Any]:
    if answer.status == 204 and not content:
        return {}
    value: Any = None
    try:
        value = json.loads(content)
    except ValueError:
        # The error of the parser holds the text, which may be a secret.
        pass
    if not isinstance(value, dict):
        raise ProtocolError(f"the answer ({answer.status}) is no JSON object")
    if 200 <= answer.status < 300:
        return value
    raise Problem(
        type=_text(value, "type") or "about:blank",
        title=_text(value, "title") or answer.reason,
        status=answer.status,
        detail=_text(value, "detail"),
        request_id=_text(value, "request_id") or answer.getheader("X-Request-Id"),
        retry_after_seconds=_retry_after(answer),
    )


def _text(value: Dict[str, Any], name: str) -> Optional[str]:
    text = value.get(name)
    return text if isinstance(text, str) else None


def _retry_after(answer: http.client.HTTPResponse) -> Optional[float]:
    """Only 429 and 503 promise that nothing was done (docs/api.md)."""
    header = answer.getheader("Retry-After") or ""
    if answer.status in (429, 503) and header.isascii() and header.isdigit():
        return float(header)
    return None


def to_base64(data: bytes) -> str:
    """Bytes as they stand in a request."""
    return base64.b64encode(data).decode()


def from_base64(value: Any) -> bytes:
    """Bytes of an answer. Raises ``ProtocolError`` without quoting them."""
    data = None
    try:
        data = base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        pass
    if data is None:
        raise ProtocolError("the answer has something else than base64")
    return data
