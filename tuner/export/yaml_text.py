"""YAML as the forms need it: every value in double quotes, and reading that trusts nothing.

Quoting everything keeps `on`, `1e3` and `0o7` texts for YAML 1.1 and 1.2 alike, whatever parser reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import yaml

from tuner.errors import Finding, error
from tuner.export.form import Imported
from tuner.terminal_text import shown

UNSAFE: Final = "!unsafe"
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LAST_BYTE: Final = 0xFF
_LAST_BMP: Final = 0xFFFF


class _Reader(_Loader):  # type: ignore[misc] # the C class is there only where PyYAML was built with it
    """Reads plain data, and Ansible's mark for a text that is no template."""


def _as_written(loader: Any, node: Any) -> str:
    return str(loader.construct_scalar(node))


# A number stays as it is written: YAML's versions do not agree on what 010 or 1e3 is.
for _tag in (UNSAFE, "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"):
    _Reader.add_constructor(_tag, _as_written)


def quoted(text: str) -> str:
    """Return `text` as a YAML double-quoted scalar on one line."""
    return '"' + "".join(_character(character) for character in text) + '"'


def mapping(key: str, values: Mapping[str, str], indent: int, write: Callable[[str], str] = quoted) -> list[str]:
    """Return the lines of `key` and of the mapping below it, each value as `write` writes it."""
    margin = " " * indent
    rows = [f"{margin}  {name}: {write(text)}" for name, text in values.items()]
    return [f"{margin}{key}:", *rows] if rows else [f"{margin}{key}: {{}}"]


def read(text: str, where: str, pick: Callable[[Any], Any], value: Callable[[str], str] = str) -> Imported:
    """Return the variables that `pick` finds in the document: a mapping, or pairs of a name and a text.

    `pick` may raise `LookupError`, `TypeError`, `AttributeError` or `ValueError` where the document has another
    shape. `value` takes back what the form did to a text, and raises `ValueError` for one that is no literal.
    """
    try:
        found = pick(yaml.load(text, _Reader))  # noqa: S506 # a safe loader
        pairs = [(name, given) for name, given in (found.items() if isinstance(found, Mapping) else found or ())]
    except (yaml.YAMLError, RecursionError) as reason:
        message = shown(" ".join(str(reason).split()))
        return Imported({}, (error(where, f"is not YAML that can be read: {message}"),))
    except (LookupError, TypeError, AttributeError, ValueError):
        return Imported({}, (error(where, "holds no variables where this form has them"),))
    return _checked(pairs, where, value)


def _checked(pairs: Sequence[tuple[Any, Any]], where: str, value: Callable[[str], str]) -> Imported:
    variables: dict[str, str] = {}
    findings: list[Finding] = []
    for name, given in pairs:
        place = f"{where}: {shown(str(name))[:60]}"
        if not isinstance(name, str) or not isinstance(given, str):
            findings.append(error(place, "is no text", 'write NAME: "value"'))
            continue
        try:
            variables[name] = value(given)
        except ValueError as reason:
            findings.append(error(place, str(reason)))
    return Imported(variables, tuple(findings))


def _character(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    if code <= _LAST_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_BMP else f"\\U{code:08x}"
