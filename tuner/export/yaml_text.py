"""YAML as the forms need it: every value in double quotes.

Quoting everything keeps `on`, `1e3` and `0o7` texts for YAML 1.1 and 1.2 alike, whatever parser reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

UNSAFE: Final = "!unsafe"
_LAST_BYTE: Final = 0xFF
_LAST_BMP: Final = 0xFFFF


def quoted(text: str) -> str:
    """Return `text` as a YAML double-quoted scalar on one line."""
    return '"' + "".join(_character(character) for character in text) + '"'


def mapping(key: str, values: Mapping[str, str], indent: int, write: Callable[[str], str] = quoted) -> list[str]:
    """Return the lines of `key` and of the mapping below it, each value as `write` writes it."""
    margin = " " * indent
    rows = [f"{margin}  {name}: {write(text)}" for name, text in values.items()]
    return [f"{margin}{key}:", *rows] if rows else [f"{margin}{key}: {{}}"]


def _character(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code <= _LAST_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_BMP else f"\\U{code:08x}"
