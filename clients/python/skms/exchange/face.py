"""The exchange over HTTP: two routes, as docs/exchange.md ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Tuple

from ..errors import EXCHANGE_ERRORS, ExchangeRefused, Problem, ProtocolError
from ..models import Key, member
from ..secret import Secret
from ..transport import Transport, from_base64, to_base64
from . import suites
from .certificates import Trust
from .identity import Identity
from .initiator import Accepted, Initiator
from .messages import Agreement, Distribution, Request, ServerName


@dataclass(frozen=True)
class ExchangedKey:
    """A key that both sides have."""

    key: Secret
    id: str
    name: str
    version: int
    algorithm: str
    uses: Tuple[str, ...]
    lifetime_seconds: Optional[int]
    #: ``raw``, or ``pkcs8`` for a private key.
    format: str
    suite: suites.Suite


class Exchange:
    """Agrees on keys and fetches them; ``Client.exchange``.

    Both raise ``ExchangeRefused`` where a message does not hold, and
    ``Problem`` where the server does not permit what is asked for.
    """

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        identity: Identity,
        server: ServerName,
        trust: Trust,
    ) -> None:
        self._transport = transport
        self._namespace = namespace
        self._identity = identity
        self._server = server
        self._trust = trust

    def agree(
        self,
        name: str,
        algorithm: str = "AES-256-GCM",
        *,
        keyring: str = "default",
        uses: Sequence[str] = (),
        lifetime_seconds: Optional[int] = None,
        offers: Sequence[suites.Suite] = (suites.Suite.X_WING,),
    ) -> ExchangedKey:
        """A new key that was never sent; active on the server when this returns."""
        request = Agreement(
            self._namespace, keyring, name, algorithm, tuple(uses), lifetime_seconds
        )
        accepted = self._run(request, offers)
        if accepted.message_3 is None:
            raise ExchangeRefused("grant")
        answer = self._send("/exchange/confirm", accepted.message_3)
        key = Key.read(member(answer, "key", dict))
        if key.id != accepted.grant.id:
            raise ProtocolError("another key than the one agreed on was confirmed")
        return _exchanged(accepted)

    def fetch(
        self,
        name: str,
        *,
        keyring: str = "default",
        version: Optional[int] = None,
        offers: Sequence[suites.Suite] = (suites.Suite.X_WING,),
    ) -> ExchangedKey:
        """A key that is there and exportable, sealed to this call alone."""
        return _exchanged(
            self._run(Distribution(self._namespace, keyring, name, version), offers)
        )

    def _run(self, request: Request, offers: Sequence[suites.Suite]) -> Accepted:
        exchange = Initiator(self._identity, self._server, request, offers)
        answer = self._send("/exchange", exchange.message_1)
        lists = [from_base64(one) for one in member(answer, "crls", list)]
        return exchange.receive(from_base64(answer.get("message")), self._trust, lists)

    def _send(self, path: str, message: bytes) -> Mapping[str, Any]:
        """The message says who sends it, so no token goes along."""
        try:
            return self._transport.call(
                "POST",
                path,
                {"message": to_base64(message)},
                namespace=self._namespace,
                authenticate=False,
            )
        except Problem as problem:
            name, _, detail = (problem.detail or "").partition(":")
            if problem.kind != "exchange-refused" or name not in EXCHANGE_ERRORS:
                raise
            refused = ExchangeRefused(name, detail.strip(), "responder", problem)
        raise refused


def _exchanged(accepted: Accepted) -> ExchangedKey:
    grant = accepted.grant
    return ExchangedKey(
        key=accepted.key,
        id=grant.id,
        name=grant.name,
        version=grant.version,
        algorithm=grant.algorithm,
        uses=grant.uses,
        lifetime_seconds=grant.lifetime_seconds,
        format=grant.format or "raw",
        suite=accepted.suite,
    )
