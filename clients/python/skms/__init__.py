"""Client of the SKMS key management server.

Synchronous and typed; ``cryptography`` is the only dependency. ``Client`` is
where to begin.
"""

from .certificates import Authority, Certificate, IssuedCertificate, Principal, Verdict
from .client import Client
from .errors import (
    Error,
    ExchangeRefused,
    Problem,
    ProtocolError,
    TransportError,
    UnsupportedSuite,
)
from .exchange import ExchangedKey, Suite, available_suites
from .groups import Group, GroupMember, Holder
from .models import (
    DataKey,
    Event,
    ExportedKey,
    Key,
    KeyChange,
    Mac,
    PublicKey,
    Signature,
    Version,
    WrappedKey,
)
from .secret import Secret

__version__ = "0.1.0"

__all__ = [
    "Authority",
    "Certificate",
    "Client",
    "DataKey",
    "Error",
    "Event",
    "ExchangeRefused",
    "ExchangedKey",
    "ExportedKey",
    "Group",
    "GroupMember",
    "Holder",
    "IssuedCertificate",
    "Key",
    "KeyChange",
    "Mac",
    "Principal",
    "Problem",
    "ProtocolError",
    "PublicKey",
    "Secret",
    "Signature",
    "Suite",
    "TransportError",
    "UnsupportedSuite",
    "Verdict",
    "Version",
    "WrappedKey",
    "available_suites",
]
