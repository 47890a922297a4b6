"""The trials and runs of one session in memory, by trial and by block, and which of its blocks count."""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from tuner.records import Phase, Run, Status, Trial, settings_key
from tuner.runs.run import TOOK
from tuner.runs.time_limits import Took
from tuner.session.measuring import quarantine, rate_searches
from tuner.store import Store

LATEST: Final = 200
"""So many runs say what they take: of a long session the latest ones do."""


def nothing(_: Run) -> None:
    """Keep nothing."""


class Ledger:
    """What a session has measured so far. Only the session's `Journal` adds to it; everybody else reads."""

    def __init__(self, session: str, trials: Iterable[Trial] = (), runs: Iterable[Run] = ()) -> None:
        self.session = session
        self._trials: list[Trial] = []
        self._by_settings: dict[bytes, Trial] = {}
        self._runs: list[Run] = []
        self._disturbed: dict[int, tuple[str, ...]] = {}
        self._quarantined: frozenset[int] = frozenset()
        self._of: dict[int, Run | list[Run]] = {}
        self._in: dict[int, list[Run]] = {}
        self._bad: dict[int, list[Run]] = {}
        self._blocks: dict[Phase, set[int]] = {}
        self._counted: dict[Phase, list[int]] = {}
        self._counts: Counter[Phase] = Counter()
        self._runs_s = 0.0
        self._series: set[int] = set()
        self._next_block = 0
        self._took: dict[int, deque[Took]] = {}
        for trial in trials:
            self.add_trial(trial)
        for run in runs:
            self.add_run(run)

    @staticmethod
    def read(store: Store, session: str, heard: Callable[[Run], None] = nothing) -> Ledger:
        """Return what the store has of a session; `heard` hears of each run as it is read, when its evidence costs least."""
        found = Ledger(session, store.trials(session))
        for run in store.read_in_turn(session):
            heard(run)
            found.add_run(run)
        return found

    def add_trial(self, trial: Trial) -> None:
        """Take note of a new trial."""
        self._trials.append(trial)
        self._by_settings.setdefault(settings_key(trial.settings), trial)

    def add_run(self, run: Run) -> None:
        """Take note of a new run."""
        self._runs.append(run)
        mine = self._of.get(run.trial)
        if isinstance(mine, list):
            mine.append(run)
        else:
            self._of[run.trial] = run if mine is None else [mine, run]  # nearly all trials have one: no list of one
        self._in.setdefault(run.block, []).append(run)
        if run.status is not Status.OK:
            self._bad.setdefault(run.trial, []).append(run)
        self._add_block(run.phase, run.block)
        self._next_block = max(self._next_block, run.block + 1)
        self._counts[run.phase] += 1
        self._runs_s += run.wall_s
        self._series.update(rate_searches.by_series([run]))
        if run.status is Status.OK and (took := Took.read(run.evidence.get(TOOK))):
            self._took.setdefault(run.workload, deque(maxlen=LATEST)).append(took)
        if why := quarantine.reasons(run):
            self._disturbed[run.block] = tuple(dict.fromkeys([*self._disturbed.get(run.block, ()), *why]))
            self._quarantined = quarantine.quarantined(self._disturbed)
            self._counted = {phase: sorted(blocks - self._quarantined) for phase, blocks in self._blocks.items()}

    def _add_block(self, phase: Phase, block: int) -> None:
        blocks = self._blocks.setdefault(phase, set())
        if block not in blocks and block not in self._quarantined:
            insort(self._counted.setdefault(phase, []), block)
        blocks.add(block)

    def amend_run(self, run: Run) -> None:
        """Take note that the last run has more evidence; what it counts for is as it was."""
        bad = [self._bad[run.trial]] if run.status is not Status.OK else []
        mine = self._of[run.trial]
        if not isinstance(mine, list):
            self._of[run.trial] = run
        for runs in (self._runs, self._in[run.block], *([mine] if isinstance(mine, list) else []), *bad):
            runs[-1] = run

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials in the order they were added; the first is the baseline."""
        return self._trials

    @property
    def runs(self) -> Sequence[Run]:
        """The runs in the order they were made."""
        return self._runs

    @property
    def runs_s(self) -> float:
        """The wall time spent inside runs, in seconds."""
        return self._runs_s

    @property
    def unit_s(self) -> float:
        """What one profile took once under one workload, in seconds, in the mean: a run, or a whole search over the load."""
        return self._runs_s / (len(self._series) or len(self._runs))

    @property
    def disturbed(self) -> Mapping[int, tuple[str, ...]]:
        """The blocks in which the host spoiled a run, and why, in the order of the blocks."""
        return dict(sorted(self._disturbed.items()))

    @property
    def quarantined(self) -> frozenset[int]:
        """The blocks that the host spoiled and that say nothing of any profile."""
        return self._quarantined

    def find(self, settings: Mapping[str, str]) -> Trial | None:
        """Return the trial of these settings, None when there is none."""
        return self._by_settings.get(settings_key(settings))

    def next_block(self) -> int:
        """Return the number of the next block."""
        return self._next_block

    def tried(self, trial: int) -> int:
        """Return how many blocks that count a trial took part in."""
        return len({run.block for run in self.runs_of(trial)} - self._quarantined)

    def status(self, trial: int, phases: Collection[Phase] = tuple(Phase)) -> Status:
        """Return the status of a trial: ok only if all its runs of `phases` are, else that of its last bad one."""
        row = self._trials[trial]
        if row.invalid is not None:
            return Status.INVALID
        mine = (run for run in self._bad.get(trial, ()) if run.phase in phases)
        bad = [run.status for run in mine if not self._excused(run)]
        return bad[-1] if bad else Status.OK

    def _excused(self, run: Run) -> bool:
        """Return whether a run hung while the host was disturbed, and the trial ran well when its block was measured again."""
        if run.status is not Status.TIMEOUT or run.block not in self._quarantined or not quarantine.reasons(run):
            return False
        later = (each for each in self.runs_of(run.trial) if each.number > run.number)
        return any(each.status is Status.OK and each.workload == run.workload for each in later)

    def hung(self, trial: int) -> bool:
        """Return whether a trial hung while the host was calm, so that it would hang again."""
        mine = (run for run in self._bad.get(trial, ()) if run.status is Status.TIMEOUT)
        return any(run.block not in self._quarantined or not quarantine.reasons(run) for run in mine)

    def phases_of(self, trial: int) -> frozenset[Phase]:
        """Return the phases in which a trial was measured."""
        return frozenset(run.phase for run in self.runs_of(trial))

    def reason(self, trial: int, phase: Phase) -> str:
        """Return why a trial was refused or last failed in a phase, empty when it did not."""
        bad = [run.reason for run in self._bad.get(trial, ()) if run.phase == phase]
        return self._trials[trial].invalid or (bad[-1] if bad else "")

    def counts(self) -> dict[Status, int]:
        """Return how many trials have each status."""
        counted = Counter(self.status(trial.number) for trial in self._trials)
        return {status: counted[status] for status in Status}

    def runs_in(self, block: int) -> Sequence[Run]:
        """Return the runs of a block in the order they were made."""
        return self._in.get(block, ())

    def runs_of(self, trial: int, block: int | None = None) -> Sequence[Run]:
        """Return the runs of a trial, or those of them in one block, in the order they were made."""
        if block is None:
            mine = self._of.get(trial, ())
            return mine if isinstance(mine, list | tuple) else (mine,)
        return [run for run in self._in.get(block, ()) if run.trial == trial]

    def took(self, workload: int) -> Sequence[Took]:
        """Return what the latest runs of a workload took that ended well."""
        return self._took.get(workload, ())

    def blocks(self, phase: Phase) -> list[int]:
        """Return the numbers of a phase's blocks that count."""
        return list(self._counted.get(phase, ()))

    def count(self, phase: Phase) -> int:
        """Return how many runs were made in a phase."""
        return self._counts[phase]

    def begun(self, phase: Phase) -> bool:
        """Return whether anything was measured in a phase."""
        return phase in self._blocks
