"""What can go wrong, by whose fault. None of these carries a secret."""

from __future__ import annotations

from typing import Optional


class Error(Exception):
    """The root of everything that this package raises about a server."""


class TransportError(Error):
    """The server was not reached, is not who it should be, or broke off.

    Where this is raised for a request that changes something, it is open
    whether the server did it.
    """


class ProtocolError(Error):
    """The server's answer is not what the interface describes."""


class Problem(Error):
    """The server refused: a problem by RFC 9457.

    ``type`` never changes its meaning and ``kind`` is its last part
    (``not-found``); ``detail`` is for people. ``request_id`` finds the cause in
    the server's log. ``retry_after_seconds`` is set where nothing was done and
    the request may be sent again after so long.
    """

    def __init__(
        self,
        type: str,
        title: str,
        status: int,
        detail: Optional[str] = None,
        request_id: Optional[str] = None,
        retry_after_seconds: Optional[float] = None,
    ) -> None:
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        text = f"{title} ({status} {self.kind})"
        if detail:
            text += f": {detail}"
        if request_id:
            text += f" [request {request_id}]"
        super().__init__(text)

    @property
    def kind(self) -> str:
        """The name of the problem without its prefix."""
        return self.type.rsplit(":", 1)[-1]


#: The errors of docs/exchange.md, by name.
EXCHANGE_ERRORS = frozenset(
    """too-long malformed wrong-message unsupported-version wrong-server stale
    from-the-future wrong-certificate certificate-expired
    certificate-not-yet-valid certificate-revoked certificate-on-hold
    revocation-unknown certificate-purpose certificate-name
    certificate-untrusted same-party signature-algorithm signature replayed
    no-common-suite suite-not-offered public-key encapsulation transcript grant
    confirmation channel sealed too-late""".split()
)


class ExchangeRefused(Error):
    """A key exchange ended without a key.

    ``name`` is the error's name in docs/exchange.md; ``side`` says who refused,
    ``initiator`` (this client) or ``responder`` (the server). Where it was the
    server, ``problem`` is what it answered.
    """

    def __init__(
        self,
        name: str,
        detail: str = "",
        side: str = "initiator",
        problem: Optional[Problem] = None,
    ) -> None:
        if name not in EXCHANGE_ERRORS:
            raise ValueError("not an error of the key exchange")
        self.name = name
        self.detail = detail
        self.side = side
        self.problem = problem
        super().__init__(f"{name}: {detail}" if detail else name)


class UnsupportedSuite(Error):
    """The installed ``cryptography`` has no ML-KEM, or not of this size."""
