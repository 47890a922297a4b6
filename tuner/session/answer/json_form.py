"""Frozen records as JSON and back, by their fields: each record says its shape once, and everything wrong is told at once.

A field is a key. Its metadata may say otherwise: `key` names another one, `OMIT` leaves it out while it is None, `INLINE`
puts the keys of a record among those of the one that holds it. A field with a default may be missing, so that what an
earlier release stored stays readable; keys that no field has are passed over for the same reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from tuner.errors import Finding, TunerError, UsageError, did_you_mean, doubt_from_json, doubt_to_json, error
from tuner.judging.noise import Spread
from tuner.judging.statistics import Estimate, Gain
from tuner.runs import workload
from tuner.runs.workload import Workload

Json = dict[str, Any]
Record = TypeVar("Record")

INLINE: Final = {"inline": True}
OMIT: Final = {"omit": True}
_NOTHING: Final = object()


def key(name: str) -> dict[str, str]:
    """Return the metadata of a field that has another name in JSON."""
    return {"key": name}


def to_json(record: Any) -> Json:
    """Return a record as JSON-ready values, in the order of its fields."""
    found: Json = {}
    for each in fields(record):
        value = getattr(record, each.name)
        if each.metadata.get("inline"):
            found |= to_json(value)
        elif value is not None or not each.metadata.get("omit"):
            found[_key(each)] = plain(value)
    return found


def _key(each: Field[Any]) -> str:
    return str(each.metadata.get("key", each.name))


def plain(value: Any) -> Any:
    """Return a value of a record's field as JSON-ready values."""
    written = _WRITTEN.get(type(value))
    if written is not None:
        return written(value)
    if isinstance(value, StrEnum):
        return value.value
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def from_json(record: type[Record], data: Mapping[str, Any], where: str) -> Record:
    """Return the record that `to_json` wrote; raise `UsageError` with everything that is wrong in `data`.

    `where` names the data in what is told of them.
    """
    findings: list[Finding] = []
    found = _record(record, data, where, findings)
    if findings:
        raise UsageError(f"{where} cannot be read", findings=findings)
    made: Record = found
    return made


def _record(record: Any, data: Any, where: str, findings: list[Finding]) -> Any:
    if not isinstance(data, Mapping):
        findings.append(error(where, f"{data!r} is not an object"))
        return _NOTHING
    values = {name: value for name, value in _values(record, data, where, findings) if value is not _NOTHING}
    return record(**values) if len(findings) == 0 else _NOTHING


def _values(record: Any, data: Mapping[str, Any], where: str, findings: list[Finding]) -> Iterator[tuple[str, Any]]:
    kinds = _kinds(record)
    for each in fields(record):
        at = _key(each)
        if each.metadata.get("inline"):
            yield each.name, _record(kinds[each.name], data, where, findings)
        elif at in data:
            yield each.name, _value(kinds[each.name], data[at], f"{where}.{at}", findings)
        elif each.default is MISSING and each.default_factory is MISSING:
            findings.append(error(f"{where}.{at}", "is missing"))


@cache
def _kinds(record: Any) -> Mapping[str, Any]:
    return get_type_hints(record)


def _value(kind: Any, data: Any, where: str, findings: list[Finding]) -> Any:
    """Return `data` as a value of `kind`, `_NOTHING` when it is none, which is told then."""
    kind, may_be_none = _said(kind)
    if data is None and may_be_none:
        return None
    if kind in _READ:
        return _read(_READ[kind], data, where, findings)
    if is_dataclass(kind):
        return _record(kind, data, where, findings)
    if _origin(kind) in {tuple, Mapping}:
        return _several(kind, data, where, findings)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _word(kind, data, where, findings)
    return _scalar(kind, data, where, findings)


@cache
def _said(kind: Any) -> tuple[Any, bool]:
    """Return the kind that a value has where there is one, and whether there may be none; asked thousands of times an answer."""
    if isinstance(kind, UnionType):
        return next(each for each in get_args(kind) if each is not NoneType), True
    return kind, False


@cache
def _origin(kind: Any) -> Any:
    return get_origin(kind)


@cache
def _arguments(kind: Any) -> tuple[Any, ...]:
    return get_args(kind)


def _several(kind: Any, data: Any, where: str, findings: list[Finding]) -> Any:
    of = _arguments(kind)
    if _origin(kind) is tuple and isinstance(data, list):
        return tuple(_value(of[0], each, f"{where}[{at}]", findings) for at, each in enumerate(data))
    if _origin(kind) is Mapping and isinstance(data, Mapping):
        names = {name: _value(of[0], name, where, findings) for name in data}
        return {names[name]: _value(of[1], each, f"{where}.{name}", findings) for name, each in data.items()}
    findings.append(error(where, f"{data!r} is not {'a list' if _origin(kind) is tuple else 'an object'}"))
    return _NOTHING


@cache
def _texts(kind: type[StrEnum]) -> Mapping[str, None]:
    return dict.fromkeys(each.value for each in kind)


def _word(kind: type[StrEnum], data: Any, where: str, findings: list[Finding]) -> Any:
    if isinstance(data, str) and data in _texts(kind):
        return kind(data)
    known = list(_texts(kind))
    findings.append(error(where, f"{data!r} is not one of {', '.join(known)}", did_you_mean(str(data), known)))
    return _NOTHING


def _scalar(kind: type, data: Any, where: str, findings: list[Finding]) -> Any:
    fits = isinstance(data, int | float) if kind is float else isinstance(data, kind)
    if fits and (kind is bool or not isinstance(data, bool)):
        return data
    findings.append(error(where, f"{data!r} is not {_NAMES[kind]}"))
    return _NOTHING


_NAMES: Final[Mapping[type, str]] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _read(reader: Callable[[Any], Any], data: Any, where: str, findings: list[Finding]) -> Any:
    try:
        return reader(data)
    except TunerError as reason:
        findings += reason.findings or [error(where, reason.message)]
    except (TypeError, ValueError, KeyError, AttributeError) as reason:
        findings.append(error(where, f"cannot be read: {type(reason).__name__}: {reason}"))
    return _NOTHING


def _gain(found: Gain) -> Json:
    """Return a gain; the interval of one block is unbounded, which JSON says with null."""
    bounded = found.blocks > 1
    return {
        "ratio": found.ratio,
        "low": found.low if bounded else None,
        "high": found.high if bounded else None,
        "confidence": found.confidence,
        "blocks": found.blocks,
    }


def _gain_of(data: Mapping[str, Any]) -> Gain:
    low, high = (None if data[name] is None else float(data[name]) for name in ("low", "high"))
    return Gain(
        float(data["ratio"]),
        0.0 if low is None else low,
        math.inf if high is None else high,
        int(data["blocks"]),
        float(data["confidence"]),
    )


def _estimate(found: Estimate) -> Json:
    named = {"value": found.value, "low": found.low, "high": found.high, "runs": found.count}
    return named | {"confidence": round(found.confidence, 4)}


def _estimate_of(data: Mapping[str, Any]) -> Estimate:
    value, low, high, confidence = (float(data[name]) for name in ("value", "low", "high", "confidence"))
    return Estimate(value, low, high, int(data["runs"]), confidence)


def _spread(found: Spread) -> Json:
    return to_json(found) | {"pairing_helps": found.pairing_helps}


def _finding(found: Finding) -> Json:
    """Return a finding; one without a place is a doubt, which has a form of its own."""
    return to_json(found) if found.where else dict(doubt_to_json(found))


def _finding_of(data: Mapping[str, Any]) -> Finding:
    return doubt_from_json(data) if "what" in data else from_json(Finding, data, "finding")


# Records of below that have a form of their own in JSON.
_WRITTEN: Final[Mapping[type, Callable[[Any], Any]]] = {
    Finding: _finding,
    Gain: _gain,
    Estimate: _estimate,
    Spread: _spread,
    Workload: Workload.to_dict,
}
_READ: Final[Mapping[Any, Callable[[Any], Any]]] = {
    Finding: _finding_of,
    Gain: _gain_of,
    Estimate: _estimate_of,
    Workload: workload.from_dict,
}
