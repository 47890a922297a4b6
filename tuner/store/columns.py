"""What each column of a store may hold, and the records that rows become: here, and nowhere else, a store is believed.

A store may be anybody's, or damaged: each value is checked when it is read. What later parts of the program look up in
JSON has its shape here; a plan's and an answer's are checked by `Plan.from_dict` and `answer_of` as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from tuner import measurement
from tuner.errors import UsageError
from tuner.hosts.telemetry import Telemetry
from tuner.json_text import parsed
from tuner.records import Phase, Role, Run, State, Status, StoredSession, Trial
from tuner.results import is_session_id
from tuner.runs import command
from tuner.runs.chosen import BENCHMARK
from tuner.store import outputs
from tuner.store.reading import MOST_VALUES, Said, values_in
from tuner.store.shape import (
    Shape,
    anything,
    budget,
    count,
    either,
    flag,
    having,
    many,
    maybe,
    named,
    number,
    positive,
    text,
    whole,
)
from tuner.terminal_text import shown

Values = dict[str, Any]
"""The values of a row's columns, by their names."""
Reader = Callable[[Any], Any]
"""Returns the value of a column; raises `ValueError` saying what is wrong with what stands there."""
_MOST_SHOWN: Final = 40
_LONGEST_HOST: Final = 255


@dataclass(frozen=True, slots=True)
class Wrong:
    """A value that no release wrote: where it stands, and what is wrong with it."""

    session: str
    table: str
    number: int | None
    """The trial or run, None for the session itself."""
    column: str
    why: str

    def __str__(self) -> str:
        row = "" if self.number is None else f" row {self.number}"
        return f"session {shown(self.session)}, table {self.table}{row}, column {self.column}: {shown(self.why)}"


def id_of(row: Mapping[str, Any]) -> str | Wrong:
    """Return the id that a row of the sessions holds, or what is wrong with it."""
    try:
        return _id(row["id"])
    except ValueError as reason:
        return Wrong(_word(row["id"]), "sessions", None, "id", str(reason))


def host_in(facts: object) -> str | None:
    """Return the name of the host in the facts of a session as a store holds them; None where none is said."""
    try:
        found = parsed(facts) if isinstance(facts, str | bytes) else None
    except ValueError:
        return None
    return host_named(found.get("hostname")) if isinstance(found, Mapping) else None


def host_named(name: object) -> str | None:
    """Return the name of a host as a store may hold it; None for what is none."""
    fits = isinstance(name, str) and 0 < len(name) <= _LONGEST_HOST and name.isascii() and name.isprintable()
    return name if fits and isinstance(name, str) else None


def session_of(row: Mapping[str, Any]) -> StoredSession | list[Wrong]:
    """Return the session that a row of its table holds, or everything that is wrong with it."""
    if "host" not in row:  # format 1
        row = {**row, "host": host_in(row.get("facts"))}
    values, wrong = _read("sessions", _SESSION, row, _word(row.get("id")), None)
    return wrong or StoredSession(**values)


def trial_of(session: str, row: Mapping[str, Any]) -> Trial | list[Wrong]:
    """Return the trial that a row of its table holds, or everything that is wrong with it."""
    values, wrong = _read("trials", _TRIAL, row, session, row.get("number"))
    return wrong or Trial(**values)


def run_of(session: str, row: Mapping[str, Any]) -> Run | list[Wrong]:
    """Return the run that a row of its table holds, or everything that is wrong with it."""
    values, wrong = _read("runs", _RUN, row, session, row.get("number"))
    return wrong or Run(**values)


NumberedEvidence = tuple[int, Mapping[str, Any]]
"""The number of a run and its evidence."""


def said_by(session: str, row: Mapping[str, Any]) -> NumberedEvidence | list[Wrong]:
    """Return the number and the evidence of a run, or everything that is wrong with them."""
    values, wrong = _read("runs", _SAID, row, session, row.get("number"))
    return wrong or (values["number"], values["evidence"])


def _read(
    table: str, columns: Mapping[str, Reader], row: Mapping[str, Any], session: str, number_: Any
) -> tuple[Values, list[Wrong]]:
    values: Values = {}
    wrong = []
    for name, reader in columns.items():
        try:
            values[name] = reader(row[name])
        except (ValueError, UsageError) as reason:
            place = number_ if isinstance(number_, int) else None
            wrong.append(Wrong(session, table, place, name, _why(reason)))
    return values, wrong


def _why(reason: Exception) -> str:
    findings = reason.findings if isinstance(reason, UsageError) else ()
    return "; ".join(f"{each.where} {each.message}" for each in findings) or str(reason)


def _word(value: object) -> str:
    said = value if isinstance(value, str) else repr(value)
    return said if len(said) <= _MOST_SHOWN else f"{said[:_MOST_SHOWN]}…"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_word(value)} is not text")  # noqa: TRY004 - what a store holds is a value
    try:
        value.encode()
    except UnicodeEncodeError as reason:
        raise ValueError("is not UTF-8 text") from reason
    return value


def _time(value: Any) -> str:
    """Return a time as it is written, whatever a clock made of it; empty where nobody knew it."""
    try:
        if _text(value):
            datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as reason:
        raise ValueError(f"{_word(value)} is not a time such as 2026-01-31T12:00:00+00:00") from reason
    return str(value)


def _id(value: Any) -> str:
    if not is_session_id(_text(value)):
        raise ValueError(f"{_word(value)} is not the id of a session: letters, digits, '-', '_' and '.' only")
    return str(value)


def _maybe_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _host(value: Any) -> str | None:
    if value is not None and host_named(value) is None:
        raise ValueError(f"{_word(value)} is not the name of a host")
    return None if value is None else str(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{_word(value)} is not a whole number of 0 or more")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{_word(value)} is not a number of 0 or more")
    return float(value)


def _member(kind: type[StrEnum]) -> Reader:
    known = {each.value: each for each in kind}

    def read(value: Any) -> StrEnum:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{_word(value)} is not one of {', '.join(known)}")
        return known[value]

    return read


def _json(shape: Shape) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, str | bytes):
            raise ValueError(f"{_word(value)} is not JSON")  # noqa: TRY004 - what a store holds is a value
        if len(value) > MOST_VALUES and values_in(value) > MOST_VALUES:
            raise ValueError(f"holds more than {MOST_VALUES:,} values")
        found = parsed(value)
        if wrong := shape(found, ""):
            raise ValueError("; ".join(wrong))
        return found

    return read


def said(value: Any) -> Said:
    """Return what a run's programs said, as its text: it is checked now, and parsed again when it is asked for."""
    found = _evidence(value)
    return Said(value if isinstance(value, str) else value.decode(), found)


def _maybe_json(shape: Shape) -> Reader:
    """Return the reader of a column that may be empty; SQLAlchemy writes JSON's own null where there is no value."""
    read = _json(maybe(shape))
    return lambda value: None if value is None else read(value)


_numbers: Final = _maybe_json(named(anything))


def _measurement(value: Any) -> measurement.Measurement | None:
    found = _numbers(value)
    return None if found is None else measurement.from_dict(found)


_SETTINGS: Final = named(text)
_CONTENDER: Final = having({"profile": text, "settings": _SETTINGS}, required=True)
_PAIR_PLAN: Final = having(
    {
        "name": text,
        "program": text,
        "preloads": many(text),
        "programs": named(_SETTINGS),
        "workloads": many(named(anything)),
        "kind": text,
    },
    required=True,
)
_LEAD: Final = having({"profile": text, "ratio": number, "blocks": count}, required=True)
_SHARES_OF_LEAD: Final = having(
    {"block_runs": count, "choosing_runs": count, "minimising_runs": count, "search_share": number}
)


def _clear_lead(value: Any, at: str) -> Sequence[str]:
    """Return what is wrong with a clear lead, of which earlier releases kept less."""
    return [*_LEAD(value, at), *_SHARES_OF_LEAD(value, at)]


_PLAN: Final = having(
    {
        "kind": text,
        "stack": text,
        "preloads": many(text),
        BENCHMARK.name: text,
        command.name: text,
        "programs": named(_SETTINGS),
        "pairs": many(_PAIR_PLAN),
        "objective": text,
        "workloads": many(named(anything)),
        "baseline": _CONTENDER,
        "known": many(_CONTENDER),
        "start": maybe(text),
        "fixed": _SETTINGS,
        "space": text,
        "optimizer": text,
        "seed": whole,
        "budget_s": budget,
        "blocks": count,
        "fast_start": flag,
        "warm_start": maybe(many(text)),
        "lengthened": either(text, many(having({"duration_s": count, "why": text, "metric": text}, required=True))),
        "obvious": maybe(either(text, _clear_lead)),
        "adaptable": flag,
        "load": text,
        "conf": maybe(having({"path": text, "text": text}, required=True)),
        "further": _SETTINGS,
        "release": maybe(text),
        "room": maybe(named(maybe(count))),
        "os_sockets": flag,
        "fitted": many(text),
        "guards": many(text),
    }
)
_DOUBTS: Final = many(having({"what": text, "advice": text}, required=True))
_FACTS: Final = having({"doubts": _DOUBTS, "tuner": text, "cpu_model": maybe(text), "hostname": maybe(text)})
_VERDICT: Final = having({"verdict": text, "gain": maybe(having({"ratio": number}))})
_RATES: Final = many(having({"name": text, "per_s": number, "line": text}, required=True))
_PROGRAMS: Final = many(having({"name": text, "pid": count, "cpu_share": number, "cpu": maybe(count)}, required=True))
# What is not known of a machine is not there (`Telemetry.to_dict`).
_READINGS: Final = {each.name: number for each in fields(Telemetry)}
_ON_MACHINE: Final = having(
    _READINGS | {"programs": _PROGRAMS, "interrupts_of": _RATES, "softirqs_of": _RATES, "wall_s": positive}
)
_COMMAND: Final = having({"argv": many(text), "cpus": text, "stdout": text, "stderr": text})
_SEARCH_OF_LOAD: Final = having(
    {"series": count, "offered_mps": count, "long": flag, "start_mps": count, "known": flag}, required=True
)


_ON_EITHER_MACHINE: Final = having({"server": _ON_MACHINE, "client": _ON_MACHINE})


def _telemetry(value: Any, at: str) -> Sequence[str]:
    """Return what is wrong with what one machine did, or each of two."""
    return [*_ON_MACHINE(value, at), *_ON_EITHER_MACHINE(value, at)]


def _turned_down(value: Any, at: str) -> Sequence[str]:
    """Return what is wrong with the candidates that were turned down: for each place how often, and an example."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    odd = [place for place, pair in pairs if not isinstance(pair, list) or [*map(type, pair)] != [int, str]]
    return [*named(many(anything))(value, at), *(f"{at}.{place} is not a count and a text" for place in odd)]


_EVIDENCE: Final = having(
    {
        "environment": _SETTINGS,
        "files": named(text),
        "server": _COMMAND,
        "client": _COMMAND,
        "ports": many(count),
        "lacking": many(having({"where": text, "message": text, "suggestion": text}, required=True)),
        "telemetry": _telemetry,
        "counters": named(named(whole)),
        "proposals": having({"turned_down": _turned_down, "used_up": flag}),
        "step": count,
        "round": count,
        "pair": text,
        "load": _SEARCH_OF_LOAD,
        outputs.LEFT_OUT: count,
    }
)


_evidence: Final = _json(_EVIDENCE)
_SESSION: Final[Mapping[str, Reader]] = {
    "id": _id,
    "created_at": _time,
    "state": _member(State),
    "spent_s": _seconds,
    "plan": _json(_PLAN),
    "facts": _json(_FACTS),
    "verdict": _maybe_json(_VERDICT),
    "host": _host,
}
_TRIAL: Final[Mapping[str, Reader]] = {
    "number": _count,
    "profile": _text,
    "role": _member(Role),
    "settings": _json(_SETTINGS),
    "invalid": _maybe_text,
}
_RUN: Final[Mapping[str, Reader]] = {
    "number": _count,
    "trial": _count,
    "phase": _member(Phase),
    "block": _count,
    "workload": _count,
    "status": _member(Status),
    "reason": _text,
    "started_at": _time,
    "wall_s": _seconds,
    "measurement": _measurement,
    "evidence": said,
}
_SAID: Final[Mapping[str, Reader]] = {name: _RUN[name] for name in ("number", "evidence")}
