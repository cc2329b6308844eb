"""A type for secret bytes, so that they are not shown by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn, Union


class Secret:
    """Secret bytes that do not print, compare by ``==`` or pickle.

    ``erase`` overwrites what this object holds. Copies that ``reveal`` gave out
    and copies that the interpreter made on the way are beyond its reach.
    """

    __slots__ = ("_held",)

    def __init__(self, value: Union[bytes, bytearray]) -> None:
        self._held = bytearray(value)

    def reveal(self) -> bytes:
        """The bytes themselves; what becomes of them is up to the caller."""
        return bytes(self._held)

    def matches(self, other: Union[bytes, "Secret"]) -> bool:
        """Whether both are the same, in constant time for equal lengths."""
        theirs = other._held if isinstance(other, Secret) else other
        return hmac.compare_digest(self._held, theirs)

    def erase(self) -> None:
        """Overwrites the bytes and forgets them."""
        for index in range(len(self._held)):
            self._held[index] = 0
        self._held.clear()

    def __enter__(self) -> "Secret":
        return self

    def __exit__(self, *_: object) -> None:
        self.erase()

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return "Secret(<redacted>)"

    def __reduce__(self) -> NoReturn:
        # Pickles and copies would spread it where nobody erases it.
        raise TypeError("a Secret is not copied or pickled")
