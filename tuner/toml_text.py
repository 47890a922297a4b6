"""TOML as people write it: fields with all their faults collected, the comment above a key, and text to write.

`tomllib` reads values only; the reasons that stand as comments above the settings of a profile are read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tuner.errors import Finding, did_you_mean, error
from tuner.terminal_text import CONTROL, escaped, shown

Scalar = str | int | float | bool
Toml = dict[str, Any]

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KEY_LINE: Final = re.compile(r"""["']?([A-Za-z0-9_-]+)["']?\s*=""", re.ASCII)
_ONE_LINE: Final = "must be one line without control characters"
_INTEGER_LIMIT: Final = 1 << 63  # the width that TOML promises
_TYPES: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}


# Strings and comments: what is left of a text without them are keys, numbers and what stands between them.
_SAID: Final = re.compile(r"""\"[^"\n]*"|'[^'\n]*'|\#[^\n]*""")
_BETWEEN_KEYS: Final = re.compile(r"[={},\n]")
_MOST_PARTS: Final = 64
"""Of a dotted key: `tomllib` takes the square of their number in time and memory."""


def parsed(text: str) -> Toml:
    """Return what a text in TOML says; raise `ValueError` for what is none, is nested too deeply, or has too long a number."""
    import tomllib  # what catalogues keep as JSON needs none of it

    if any(each.count(".") > _MOST_PARTS for each in _BETWEEN_KEYS.split(_SAID.sub("", text))):
        raise ValueError(f"a key of it has more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class Table:
    """The fields of a parsed file, and the findings about those that are missing, unknown or of the wrong type."""

    def __init__(self, data: Mapping[str, Any], source: str, known: Sequence[str], inside: str = "") -> None:
        """`inside` is the name of the table in its file, empty for the file itself."""
        self.data = data
        self.source = source
        self.inside = f"{inside}." if inside else ""
        self.findings: list[Finding] = []
        for key in (key for key in data if key not in known):
            self.wrong(key, "unknown key", did_you_mean(key, known) or f"known: {', '.join(known)}")

    def wrong(self, key: str, message: str, suggestion: str = "") -> None:
        """Note that the field `key` is wrong."""
        self.findings.append(error(f"{self.source}: {self.inside}{shown(key)}", message, suggestion))

    def text(self, key: str, *, required: bool = False) -> str:
        """Return the one-line text of a field, empty when it is absent or wrong."""
        value = self.data.get(key, "")
        if not isinstance(value, str):
            self.wrong(key, f"must be text, is {_type(value)}", f'write {key} = "…"')
        elif CONTROL.search(value):
            self.wrong(key, _ONE_LINE)
        elif required and not value:
            self.wrong(key, "is missing", f'write {key} = "…"')
        else:
            return value
        return ""

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a field that is true or false, `default` when it is absent or wrong."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, is {_type(value)}")
            return default
        return value

    def number(self, key: str, default: float, within: tuple[float, float], *, whole: bool = False) -> float:
        """Return a number within limits, `default` when it is absent or wrong."""
        value = self.data.get(key, default)
        right = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, right):
            self.wrong(key, f"must be {'a whole' if whole else 'a'} number, is {_type(value)}")
        elif not within[0] <= value <= within[1]:
            self.wrong(key, f"{value} must be from {within[0]:g} to {within[1]:g}")
        else:
            return value
        return default

    def table(self, key: str) -> Mapping[str, Any]:
        """Return a table of the file, empty when it is absent or wrong."""
        value = self.data.get(key, {})
        if isinstance(value, dict):
            return value
        self.wrong(key, f"must be a table, is {_type(value)}", f"write [{key}]")
        return {}

    def scalars(self, key: str) -> dict[str, Scalar]:
        """Return a table of single values, without those that are wrong."""
        table = self.data.get(key, {})
        if not isinstance(table, dict):
            self.wrong(key, f"must be a table, is {_type(table)}", f"write [{key}]")
            return {}
        return {name: value for name, value in table.items() if self._is_scalar(f"{key}.{name}", value)}

    def _is_scalar(self, key: str, value: object) -> bool:
        if not isinstance(value, str | int | float):
            self.wrong(key, f"must be text, a number, true or false, is {_type(value)}")
        elif isinstance(value, str) and CONTROL.search(value):
            self.wrong(key, f"{value!r} {_ONE_LINE}")
        elif isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
            self.wrong(key, "must be a whole number of at most 64 bits")
        else:
            return True
        return False


def comments(text: str, table: str) -> dict[str, str]:
    """Return the comment lines that stand directly above each key of `[table]`, one line of text for each."""
    found: dict[str, str] = {}
    inside, above = False, list[str]()
    for line in (line.strip() for line in text.split("\n")):
        if line.startswith("#"):
            above.append(CONTROL.sub(" ", line[1:]).strip())
            continue
        if line.startswith("["):
            inside = line.split("#")[0].strip() == f"[{table}]"
        key = _KEY_LINE.match(line)
        if inside and key is not None and above:
            found[key[1]] = "\n".join(above)
        above = []
    return found


def comment(text: str) -> list[str]:
    """Return the lines of a comment that says `text`; no line when it is empty."""
    return [f"# {CONTROL.sub(' ', line)}".rstrip() for line in text.split("\n")] if text else []


def assignment(key: str, value: Scalar) -> str:
    """Return the line `key = value`."""
    return f"{key if _BARE_KEY.fullmatch(key) else _quoted(key)} = {_literal(value)}"


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    # JSON's escapes are a subset of TOML's, except that JSON leaves DEL as it is, and much that steers a screen.
    return escaped(json.dumps(text, ensure_ascii=False))


def _type(value: object) -> str:
    return _TYPES.get(type(value), "a date or time")
