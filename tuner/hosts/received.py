"""Records out of what another host says: each value is held against the type that its record declares, and nothing else passes."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_ROWS: Final[Mapping[object, type]] = {tuple: tuple, frozenset: frozenset, list: list}


def record(kind: type[T], said: object) -> T:
    """Return the record of `kind` that `tuner.hosts.wire.plain` made plain; raise `ValueError` saying what is none of it."""
    found: T = _value(kind, said, kind.__name__)
    return found


def _value(hint: Any, said: object, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        known = next(each for each in arguments if each is not NoneType)
        return None if said is None else _value(known, said, where)
    if is_dataclass(hint):
        return _record(hint, said, where)
    if origin in _ROWS:
        rows = said if isinstance(said, list) else _wrong(where, said)
        return _ROWS[origin](_value(arguments[0], each, where) for each in rows)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        pairs: Mapping[str, Any] = said if isinstance(said, dict) else _wrong(where, said)
        return {_key(arguments[0], key, where): _value(arguments[1], each, where) for key, each in pairs.items()}
    return _simple(hint, said, where)


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _record(kind: Any, said: object, where: str) -> Any:
    hints = _hints(kind)
    told: Mapping[str, Any] = said if isinstance(said, dict) and said.keys() <= hints.keys() else _wrong(where, said)
    values = {name: _value(hints[name], value, f"{where}.{name}") for name, value in told.items()}
    try:
        return kind(**values)
    except TypeError as reason:
        raise ValueError(f"{where}: {reason}") from reason


def _key(hint: Any, key: str, where: str) -> Any:
    return int(key) if hint is int and key.isascii() and key.isdigit() else _simple(hint, key, where)


def _simple(hint: Any, said: object, where: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(str(said))
    if hint is float and type(said) in {int, float} and math.isfinite(number := float(said)):  # type: ignore[arg-type] # a number by now
        return number
    return said if hint is not float and type(said) is hint else _wrong(where, said)


def _wrong(where: str, said: object) -> Any:
    raise ValueError(f"{where} cannot be {str(said)[:80]!r}")
