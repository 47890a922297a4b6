"""Messages between this program and its agent on another host: a JSON value a line, behind its length in bytes.

Both ends use this module, so that the agent's part of it needs Python's standard library only.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

MOST_BYTES: Final = 1 << 25
"""The longest message: two streams of a program at their longest, each character of them written as six."""
CHUNK_BYTES: Final = 1 << 22
"""The most bytes of a file in one message."""
_HEAD: Final = 9  # eight hexadecimal digits and a blank


def framed(message: object) -> bytes:
    """Return a message as it is sent. Half characters, which stand for bytes that are no UTF-8, arrive as they were."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return b"%08x %b\n" % (len(body), body)


def plain(value: object) -> Any:
    """Return a value as JSON has it: a record as an object of its fields, bytes as Base64, any row of values as a list."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return value


class Incoming:
    """What arrives, put together to messages. `parse` makes a value of a message's text."""

    def __init__(self, parse: Callable[[bytes], Any] = json.loads) -> None:
        self._buffer = bytearray()
        self._parse = parse

    def fed(self, data: bytes) -> Iterator[Any]:
        """Yield the messages that are whole with `data`; raise `ValueError` for what is none."""
        self._buffer += data
        while (size := self._size()) is not None and len(self._buffer) > _HEAD + size:
            body, end = bytes(self._buffer[_HEAD : _HEAD + size]), self._buffer[_HEAD + size]
            del self._buffer[: _HEAD + size + 1]
            if end != ord("\n"):
                raise ValueError("a message is longer than it says")
            yield self._parse(body)

    def _size(self) -> int | None:
        """Return the length of the next message, None while it is not known."""
        if len(self._buffer) < _HEAD:
            return None
        head = bytes(self._buffer[:_HEAD])
        if not head.endswith(b" ") or not set(head[:-1]) <= set(b"0123456789abcdef"):
            raise ValueError("what arrived is no message")
        size = int(head, 16)
        if size > MOST_BYTES:
            raise ValueError(f"a message of {size} bytes is longer than {MOST_BYTES}")
        return size
