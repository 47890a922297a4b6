"""The records of a session: its trials, its runs, and the session itself, as they are stored and as everybody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import Any

from tuner.measurement import Measurement


class Status(StrEnum):
    """How a run or trial ended. Only `ok` has a measurement; everything else has a reason."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NOT_LOADED = "not-loaded"
    INVALID = "invalid"


class Kind(StrEnum):
    """What a session was asked for."""

    TUNE = "tune"
    COMPARE = "compare"
    MEASURE = "measure"
    MINIMISE = "minimise"
    CALIBRATE = "calibrate"


class Phase(StrEnum):
    """What a run was made for, in the order in which a tuning comes to it."""

    CALIBRATE = "calibrate"
    SEARCH = "search"
    CHOOSE = "choose"
    CONFIRM = "confirm"
    MINIMISE = "minimise"


class Role(StrEnum):
    """How a trial came into its session."""

    BASELINE = "baseline"
    KNOWN = "known"
    CANDIDATE = "candidate"
    REDUCED = "reduced"


class State(StrEnum):
    """How far a session is: `done` and `failed` ones have an answer, `stopped` ones can be resumed."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One profile of a session. `invalid` says why it was refused before it ran, None otherwise."""

    number: int
    profile: str
    role: Role
    settings: Mapping[str, str] = field(hash=False)
    invalid: str | None = None


def settings_key(settings: Mapping[str, str]) -> bytes:
    """Return what settings have in common exactly where they are the same, for those who remember thousands of them.

    It is the BLAKE2b digest of a text in which no variable holds the NUL between its parts: of 16 bytes, so that no two
    of 2^60 settings are expected to share one.
    """
    return _digest("\0".join(chain.from_iterable(sorted(settings.items()))))


@lru_cache(maxsize=1 << 6)
def _digest(text: str) -> bytes:
    """Return the digest of a text, one object for all who ask for it at about the same time."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Run:
    """One run: how it ended, what it measured, and its place in its session.

    Whoever makes a run does not know the place, so that a run counts as the first of everything until it is `placed`.
    """

    status: Status
    """Only an `ok` run has a measurement."""
    reason: str
    """Why it is not ok, in the words of the program that failed; empty for an ok one."""
    started_at: str
    """ISO 8601, UTC."""
    wall_s: float
    measurement: Measurement | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """How it was made: commands, environment, output, what the host did meanwhile. JSON-ready."""
    workload: int = 0
    """The place of its workload among the session's."""
    number: int = 0
    """Its place among the session's runs."""
    trial: int = 0
    phase: Phase = Phase.CALIBRATE
    block: int = 0

    def placed(self, number: int, trial: int, phase: Phase, block: int) -> Run:
        """Return the same run at its place in a session."""
        return replace(self, number=number, trial=trial, phase=phase, block=block)

    def failed(self, reason: str) -> Run:
        """Return the same run as a failed one, without its measurement."""
        return replace(self, status=Status.FAILED, reason=reason, measurement=None)

    def metrics(self) -> dict[str, float]:
        """Return the numbers that can be judged, none where there is no measurement."""
        measured = self.measurement
        return measured.metrics() if measured else {}


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One tuning as stored: its plan, what was known of the host, and the verdict once there is one."""

    id: str
    created_at: str
    state: State
    spent_s: float
    plan: Mapping[str, Any]
    facts: Mapping[str, Any]
    verdict: Mapping[str, Any] | None
    host: str | None = None
    """The machine that it was begun on, None where nobody said."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A block that a pair of hosts measures: `fence` grows with each block that the pair is given, so that a late answer is known."""

    pair: str
    fence: int
    block: int
