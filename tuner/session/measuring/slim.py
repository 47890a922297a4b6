"""Runs in a quarter of their memory, as a long session holds them: all that is compared and told, and none of their texts.

A run's numbers stand one after the other in their binary form, without what was not measured; the rest of it is text, which
is compressed: the evidence of one run is much like that of another. Both are made anew each time that they are asked for.
What many runs share is held once.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, cast

from tuner.measurement import Measurement
from tuner.records import Phase, Run, Status
from tuner.runs.run import TOOK
from tuner.store.reading import Said

_FORGOTTEN: Final = ("environment", "files", TOOK)
"""Texts, and what a ledger has taken note of already (`Ledger.took`)."""
_SIDES: Final = frozenset({"server", "client"})
_HISTOGRAMS: Final = frozenset({"histogram", "histogram_corrected"})
_FLAGS: Final = frozenset({"half_round_trip"})
"""What is no number and the same in all runs of a workload."""
_HEAD: Final = struct.Struct("<qd")
"""The number of a run and the seconds that it took."""
_CODES: Final = {float: "d", int: "q"}
_NAMES: Final = tuple(each.name for each in fields(Measurement) if each.name not in _HISTOGRAMS)
_MOST: Final = 1 << 63
"""What no whole number may reach that is kept in its binary form."""
_USUAL: Final = (
    b'2026-01-01T00:00:00.000000+00:00\n{"half_round_trip": true}\n{"server": {"exit_status": 0, "migrations": 0}, '
    b'"client": {"exit_status": 0}, "telemetry": {"wall_s": 1.0, "foreign_share": 0.0, "steal_share": 0.0, '
    b'"interrupts_share": 0.1, "pressure_share": 0.0, "context_switches": 10000, "softirqs": 10000, "processes": 4, '
    b'"preemptions": 10, "udp_drops": 0, "tcp_retransmissions": 0, "softnet_drops": 0, "load_1min": 1.0, "programs": '
    b'[{"name": "", "pid": 1000, "cpu_share": 0.1, "cpu": null}], "interrupts_of": [{"name": "CAL (Function call '
    b'interrupts)", "per_s": 1000.0, "line": ""}, {"name": "LOC (Local timer interrupts)", "per_s": 250.0, "line": ""}], '
    b'"softirqs_of": [{"name": "NET_RX", "per_s": 1000.0, "line": ""}, {"name": "SCHED", "per_s": 250.0, "line": ""}]}}'
)
"""What the texts of a run look like: of each only what differs takes room."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Which numbers stand where."""

    names: tuple[str, ...]
    form: struct.Struct
    others: Mapping[str, Any] | None
    """What of the measurement is no number, None where that differs from run to run and stands in its text."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What many runs share."""

    status: Status
    reason: str
    phase: Phase
    workload: int
    layout: _Layout | None
    """None where nothing was measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Slim:
    """A run as a ledger holds it, to be read like any `Run`. It is made by `slim` only: of one to be changed, the store has the whole."""

    _kind: _Kind
    _packed: bytes
    trial: int
    block: int

    @property
    def status(self) -> Status:
        """How it ended."""
        return self._kind.status

    @property
    def reason(self) -> str:
        """Why it is not ok, empty for an ok one."""
        return self._kind.reason

    @property
    def phase(self) -> Phase:
        """What it was made for."""
        return self._kind.phase

    @property
    def workload(self) -> int:
        """The place of its workload among the session's."""
        return self._kind.workload

    @property
    def number(self) -> int:
        """Its place among the session's runs."""
        return int(_HEAD.unpack_from(self._packed)[0])

    @property
    def wall_s(self) -> float:
        """How long it took, in seconds."""
        return float(_HEAD.unpack_from(self._packed)[1])

    @property
    def measurement(self) -> Measurement | None:
        """What it measured, without histograms."""
        layout = self._kind.layout
        if layout is None:
            return None
        numbers = zip(layout.names, layout.form.unpack_from(self._packed, _HEAD.size), strict=True)
        others = layout.others
        return Measurement(**dict(numbers), **(_others(self._texts[1]) if others is None else others))

    def metrics(self) -> dict[str, float]:
        """Return the numbers that can be judged, none where there is no measurement."""
        measured = self.measurement
        return measured.metrics() if measured else {}

    @property
    def started_at(self) -> str:
        """When it began."""
        return self._texts[0]

    @property
    def evidence(self) -> Mapping[str, Any]:
        """How it was made, without its environment, its commands, and what they printed."""
        return Said(self._texts[2])

    @property
    def _texts(self) -> list[str]:
        layout = self._kind.layout
        first = _HEAD.size + (layout.form.size if layout else 0)
        return zlib.decompressobj(zdict=_USUAL).decompress(self._packed[first:]).decode().split("\n")


def slim(run: Run | Slim) -> Run:
    """Return a run that says the same of what is compared and told, without its texts and histograms."""
    if isinstance(run, Slim):
        return cast("Run", run)
    measured = {name: getattr(run.measurement, name) for name in _NAMES} if run.measurement else {}
    present = {name: value for name, value in measured.items() if value is not None}
    numbers = {name: value for name, value in present.items() if _is_number(value)}
    others = {name: value for name, value in present.items() if name not in numbers}
    said = json.dumps(others)
    shared = said if others.keys() <= _FLAGS else None
    layout = _layout(tuple((name, _CODES[type(value)]) for name, value in numbers.items()), shared)
    texts = "\n".join([run.started_at, said if shared is None else "", json.dumps(_told(run.evidence))])
    kind = _kind(run.status, run.reason, run.phase, run.workload, layout if run.measurement else None)
    packed = _HEAD.pack(run.number, run.wall_s) + layout.form.pack(*numbers.values()) + _pressed(texts)
    return cast("Run", Slim(kind, packed, run.trial, run.block))


def _is_number(value: object) -> bool:
    return type(value) is float or (type(value) is int and -_MOST < value < _MOST)


@lru_cache(maxsize=1 << 8)
def _kind(status: Status, reason: str, phase: Phase, workload: int, layout: _Layout | None) -> _Kind:
    """Return what a run shares with others, the same object for the same."""
    return _Kind(status, reason, phase, workload, layout)


@lru_cache(maxsize=1 << 8)
def _layout(named: tuple[tuple[str, str], ...], others: str | None) -> _Layout:
    """Return the layout of numbers; runs of one benchmark have few."""
    form = struct.Struct("<" + "".join(code for _, code in named))
    return _Layout(tuple(name for name, _ in named), form, None if others is None else _others(others))


def _others(text: str) -> Mapping[str, Any]:
    """Return what of a measurement is no number."""
    found: Mapping[str, Any] = json.loads(text)
    lost = found.get("lost_by_receiver")
    return found if lost is None else {**found, "lost_by_receiver": tuple(lost)}


def _told(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {name: value for name, value in evidence.items() if name not in _FORGOTTEN}
    return kept | {side: _numbers(kept[side]) for side in kept.keys() & _SIDES}


def _numbers(side: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in side.items() if not isinstance(value, str | list)}


def _pressed(text: str) -> bytes:
    made = zlib.compressobj(zdict=_USUAL)
    return made.compress(text.encode()) + made.flush()
