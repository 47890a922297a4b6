"""The records of a session: its trials, its runs, and the session itself, as they are stored and as everybody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a run or trial ended. Only `ok` has a measurement; everything else has a reason."""

    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NOT_LOADED = "not-loaded"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Trial:
    """One profile of a session. `invalid` says why it was refused before it ran, None otherwise."""

    number: int
    profile: str
    role: str
    settings: Mapping[str, str] = field(hash=False)
    invalid: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a session. `metrics` is empty unless `status` is ok; `evidence` holds commands and output."""

    number: int
    trial: int
    phase: str
    block: int
    workload: int
    status: str
    reason: str
    started_at: str
    wall_s: float
    measurement: Mapping[str, Any] | None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """One tuning as stored: its plan, what was known of the host, and the verdict once there is one."""

    id: str
    created_at: str
    state: str
    spent_s: float
    plan: Mapping[str, Any]
    facts: Mapping[str, Any]
    verdict: Mapping[str, Any] | None
