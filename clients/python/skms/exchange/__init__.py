"""The authenticated key exchange of SKMS, the client's side.

Written from docs/exchange.md alone. ``Initiator`` is the state machine without
any I/O; ``Exchange`` drives it over HTTP and is what ``Client.exchange`` gives.
"""

from .certificates import AnchorTrust, Trust
from .face import Exchange, ExchangedKey
from .identity import Identity
from .initiator import Accepted, Initiator
from .messages import Agreement, Distribution, Grant, ServerName
from .suites import Suite, available_suites

__all__ = [
    "Accepted",
    "Agreement",
    "AnchorTrust",
    "Distribution",
    "Exchange",
    "ExchangedKey",
    "Grant",
    "Identity",
    "Initiator",
    "ServerName",
    "Suite",
    "Trust",
    "available_suites",
]
