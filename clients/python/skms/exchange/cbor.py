"""Deterministic CBOR (RFC 8949, section 4.2.1), as much as the exchange uses.

Unsigned integers, byte strings, text, arrays, maps with integer keys, one tag
around everything, and negative integers where a header is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Tuple

#: Arrays and maps within each other; messages have four levels.
DEPTH = 8


class Malformed(ValueError):
    """Not deterministic CBOR, or a kind of value that never occurs."""


@dataclass(frozen=True)
class Tagged:
    """A value under a tag."""

    tag: int
    value: Any


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError("the number has more than 64 bits")


def encode(value: Any) -> bytes:
    """Writes a value in its one form."""
    if isinstance(value, bool):
        raise TypeError("truth values do not occur")
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode("utf-8")
        return _head(3, len(text)) + text
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, Tagged):
        return _head(6, value.tag) + encode(value.value)
    raise TypeError("no such value occurs in a message")


def decode(data: bytes, *, header: bool = False, tag: bool = False) -> Any:
    """Reads one value that fills ``data``.

    ``header`` permits negative integers, ``tag`` one tag around everything.
    Raises ``Malformed`` for everything else, also for another encoding of the
    same value.
    """
    value, end = _read(data, 0, 0, header, tag)
    if end != len(data):
        raise Malformed("something follows the end")
    return value


def _number(data: bytes, at: int) -> Tuple[int, int, int]:
    """The major type, the argument and where it ends."""
    if at >= len(data):
        raise Malformed("it ends early")
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if low < 24:
        return major, low, at
    if low > 27 or major == 7:
        raise Malformed("an indefinite length or a reserved value")
    size = 1 << low - 24
    if at + size > len(data):
        raise Malformed("it ends early")
    number = int.from_bytes(data[at : at + size], "big")
    if number < 24 or (size > 1 and number < 1 << 4 * size):
        raise Malformed("a number is longer than need be")
    return major, number, at + size


def _read(data: bytes, at: int, depth: int, header: bool, tag: bool) -> Tuple[Any, int]:
    if depth > DEPTH:
        raise Malformed("too many levels")
    major, number, at = _number(data, at)
    if major == 0:
        return number, at
    if major == 1 and header:
        return -1 - number, at
    if major in (2, 3):
        if number > len(data) - at:
            raise Malformed("it ends early")
        part = data[at : at + number]
        return (part if major == 2 else _text(part)), at + number
    if major in (4, 5) and number > len(data) - at:
        # Each item is a byte at least: no room is made for what cannot come.
        raise Malformed("it ends early")
    if major == 4:
        items: List[Any] = []
        for _ in range(number):
            item, at = _read(data, at, depth + 1, header, False)
            items.append(item)
        return items, at
    if major == 5:
        return _map(data, at, depth, number, header)
    if major == 6 and tag and depth == 0:
        value, at = _read(data, at, 1, header, False)
        return Tagged(number, value), at
    raise Malformed("a kind of value that does not occur")


def _map(data: bytes, at: int, depth: int, count: int, header: bool) -> Tuple[Any, int]:
    entries = {}
    before = b""
    for _ in range(count):
        begin = at
        key, at = _read(data, at, depth + 1, header, False)
        if not isinstance(key, int):
            raise Malformed("a key of a map is not a number")
        if data[begin:at] <= before:
            raise Malformed("keys of a map out of order, or twice")
        before = data[begin:at]
        entries[key], at = _read(data, at, depth + 1, header, False)
    return entries, at


def _text(part: bytes) -> str:
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("text that is not UTF-8") from None
    if any(character < " " or character == "\x7f" for character in text):
        raise Malformed("text with a control character")
    return text
