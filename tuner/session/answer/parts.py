"""What the answers of several kinds of session have in common: profiles as measured, gains, noise, time, the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tuner.errors import Finding
from tuner.judging.noise import Spread
from tuner.judging.statistics import Estimate, Gain
from tuner.records import Phase, Status
from tuner.runs.workload import Workload
from tuner.session.answer.json_form import INLINE, OMIT, Json, key, to_json
from tuner.session.measuring.culprits import Cause


class Decision(StrEnum):
    """What a session decided.

    >>> tuner.compare("default", "latency").verdict is tuner.Decision.IMPROVED
    True
    """

    IMPROVED = "improved"
    """A profile was shown to be better than the baseline."""
    NOT_IMPROVED = "not improved"
    """None was."""
    MINIMISED = "minimised"
    """Settings were dropped from a profile."""
    MINIMAL = "minimal"
    """No setting of a profile could be dropped."""
    FAILED = "failed"
    """Nothing could be decided."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What several receivers of a multicast group lost under one workload, summed over a profile's runs."""

    workload: str
    sent: int
    """Messages that the client sent."""
    lost: tuple[int, ...]
    """Messages, or replies in ping-pong, that each receiver lost; see `Measurement.lost_by_receiver`."""


@dataclass(frozen=True, slots=True)
class Described:
    """A profile with what was measured of it.

    >>> described = tuner.compare("default", "latency").b
    >>> described.profile, described.status.value, "latency_p99_us" in described.metrics
    ('latency', 'ok', True)
    """

    profile: str
    """Its name."""
    settings: Mapping[str, str]
    """The value of each variable that it sets."""
    metrics: Mapping[str, Estimate]
    """The median of each metric over its blocks, with its interval; units are in the names. Empty when no run was ok."""
    search_gain: Gain | None
    """Its gain over the baseline in the search's blocks, None where it was not searched: a hint, never a claim."""
    status: Status
    """`ok` only if all its runs are."""
    loss: tuple[Loss, ...] | None = field(default=None, metadata=OMIT)
    """The loss of each receiver, by workload; None without several receivers."""

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


class Source(StrEnum):
    """Where the profile that a session ends with comes from."""

    FOUND = "found"
    """The search."""
    KNOWN = "known"
    """The stack's known profiles: a vendor's preset or one that is shipped or one's own."""
    BASELINE = "baseline"


class Basis(StrEnum):
    """Why a profile, or a setting of it, is recommended."""

    SHOWN = "shown"
    """With it, it was shown to be better than without it, in the same blocks."""
    BELIEVED = "believed"
    """It is expected to be worth something, by all blocks together."""


@dataclass(frozen=True, slots=True)
class Winner:
    """The profile that a session ends with; the baseline where nothing is, or probably is, better than it.

    >>> winner = tuner.tune("latency", budget="60s").winner
    >>> winner.settings["XLIO_RX_POLL"], winner.path
    ('-1', 'results/.../best.toml')
    """

    described: Described = field(metadata=INLINE)
    path: str | None
    """The file that it was written to, None when it was not."""
    role: Source | None = field(default=None, metadata=OMIT)
    """Where it comes from, less settings that minimising removed; None in answers of before this was said."""
    basis: Basis | None = field(default=None, metadata=OMIT)
    """`believed` where it is recommended without having been shown to be better than the baseline, None elsewhere."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The value of each variable that it sets."""
        return self.described.settings

    @property
    def profile(self) -> str:
        """Its name."""
        return self.described.profile

    @property
    def only_believed(self) -> bool:
        """Return whether it is recommended without having been shown to be better than the baseline."""
        return self.basis is Basis.BELIEVED


@dataclass(frozen=True, slots=True)
class Finalist:
    """One of the profiles among which the judged one was chosen."""

    described: Described = field(metadata=INLINE)
    gain: Gain | None
    """Its confirmed gain over the baseline, None for all but the judged one."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What a setting is worth: the profile with it compared with the profile without it.

    >>> answer = tuner.minimise("latency", budget="60s")
    >>> [(each.name, each.gain.low > 1.0) for each in answer.minimised.kept]
    [('XLIO_RX_POLL', True)]
    """

    name: str
    value: str
    gain: Gain | None
    """None where it was not judged."""
    why: str
    """What was seen of it, or why it was not judged."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """A setting of the recommended profile, and what it contributes."""

    name: str
    value: str
    basis: Basis
    gain: Gain
    """The profile with it compared with the profile without it. The interval of what is believed is one of probability."""
    why: str


@dataclass(frozen=True, slots=True)
class Believed:
    """What is believed of a profile by all blocks together: a normal distribution of its log gain over the baseline."""

    profile: str
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Minimal:
    """The recommended profile with nothing but settings that are shown to contribute."""

    settings: Mapping[str, str]
    path: str | None
    """The file that it was written to, None when it was not."""
    gain: Gain | None
    """How many times better it is than the baseline, None where it was not measured as a whole in enough blocks."""
    lost: Gain
    """How many times better the recommended profile is believed to be."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to set, whether it beats what is known, and what all blocks together make believed."""

    best_known: Finalist | None = field(default=None, metadata=OMIT)
    """The best of the known profiles with its confirmed gain over the baseline, None where none was judged."""
    over_known: Gain | None = field(default=None, metadata=OMIT)
    """How many times better the best profile that was found is than that one, by the confirmation; None where not both were judged."""
    recommended: tuple[Recommended, ...] = ()
    """The winner's settings, each with what it contributes; empty where nothing is recommended."""
    minimal: Minimal | None = field(default=None, metadata=OMIT)
    """None where no single setting was shown to contribute."""
    beliefs: tuple[Believed, ...] = ()
    """What is believed of the finalists and the known profiles."""


@dataclass(frozen=True, slots=True)
class Minimisation:
    """What is left of a profile, what each remaining setting is worth, and what was dropped."""

    original: str = field(metadata=key("from"))
    """The name of the profile that was minimised."""
    kept: tuple[Worth, ...]
    dropped: tuple[Worth, ...]
    gain_of_original: Gain | None
    """How many times better the original is than what is left, None where the blocks are too few."""
    blocks: int


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest difference that the confirmation of a budget can detect. None stands for no limit."""

    budget_s: float
    blocks: int
    """Blocks that judge."""
    finalists: int
    """Profiles that are judged in them."""
    percent: float | None
    low_percent: float | None
    """What `percent` would be at the lower end of the interval of the noise."""
    high_percent: float | None
    normal_percent: float | None
    """The same by n = 7.84 sd²/δ², which supposes that the noise is known."""
    enough_s: float | None
    """The budget, in seconds, that detects a difference of 10 %; None where this one does."""
    power: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The baseline against itself. Spreads are standard deviations of natural logarithms: 0.05 is about 5 %."""

    blocks: int
    runs: int
    gain_sd: float
    """How far a block's gain is from that of the next."""
    gain_sd_low: float
    gain_sd_high: float
    metrics: Mapping[str, Spread]
    """The noise of each metric that is judged."""
    detectable: Detectable | None = field(default=None, metadata=OMIT)
    """What the session's own budget can detect; None where it was for calibrating alone."""


@dataclass(frozen=True, slots=True)
class WarmStart:
    """How much of earlier sessions the search was told."""

    sessions: int
    outcomes: int


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """Candidates that could not be run for one reason."""

    what: str
    """The setting that was in the way."""
    count: int
    example: str
    """What was wrong with one of them."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What became of a search's candidates."""

    proposed: int
    """Candidates that could be run."""
    measured: int
    failed: int
    """Of those that were measured."""
    turned_down: int
    """Candidates that could not be run."""
    reasons: tuple[TurnedDown, ...]
    """The most frequent ones."""
    used_up: bool
    """Whether nothing that can be run was left to propose."""
    left_out: tuple[str, ...]
    """What the search space could not hold in this release, in words."""


@dataclass(frozen=True, slots=True)
class Sequential:
    """How a comparison ended that looked after each block whether it was decided."""

    decided: bool
    blocks: int
    """Blocks that it took."""
    planned: int
    """Blocks that it would have taken without looking."""


class Condition(StrEnum):
    """Whether a profile is still as good as it was.

    >>> found = tuner.check_regression("latency", against="default")
    >>> found.outcome is tuner.Condition.GOOD
    True
    """

    GOOD = "good"
    ROTTED = "rotted"
    UNDECIDED = "undecided"
    """Neither was shown."""


@dataclass(frozen=True, slots=True)
class Regression:
    """Whether B still gives what was promised of it."""

    outcome: Condition
    promised: float
    """How many times better than A it was shown to be at least, by `session`; 1 where there is none."""
    margin: float
    at_least: float
    """What it must be above: the promise less the margin."""
    session: str | None
    why: str


@dataclass(frozen=True, slots=True)
class PairGain:
    """What a profile is worth on one of many pairs of hosts."""

    pair: str
    kind: str
    """The class of its hosts in words, empty where that is not known."""
    blocks: int
    gain: Gain | None
    """How many times better it is than the baseline there, None where its own blocks are too few."""


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A setting that harms on some pairs and helps on the others; or a whole profile that does, whose name is empty then."""

    name: str
    value: str
    pairs: tuple[str, ...]
    kind: str
    """The class of hosts that they are all the pairs of, empty where they are none."""
    there: Gain
    """With it compared with without it on these pairs, as all blocks together make believed."""
    elsewhere: Gain
    sentence: str


@dataclass(frozen=True, slots=True)
class OnPairs:
    """What a profile is worth on each of many pairs, and what is otherwise on some of them."""

    pairs: tuple[PairGain, ...]
    exceptions: tuple[Exceptional, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What was measured and judged."""

    stack: str
    objective: str
    workload: Workload
    """The first of the workloads."""
    workloads: tuple[Workload, ...]


@dataclass(frozen=True, slots=True)
class Time:
    """Where the time went, in seconds."""

    wall_s: float
    """From the first preparation to the answer, all attempts together."""
    runs_s: float
    """Inside runs."""
    budget_s: float
    runs_by_phase_s: Mapping[Phase, float]
    stopped: bool = False
    """Whether the session was asked to end before its budget did."""


@dataclass(frozen=True, slots=True)
class Disturber:
    """Who or what disturbed blocks, and what to do about it. What the numbers count depends on the cause (`Cause`)."""

    cause: Cause
    blocks: int
    """How many blocks it disturbed."""
    most: float
    """How much it was in the worst run."""
    advice: str
    name: str = ""
    """The program, interrupt line or softirq; empty where the cause has none."""
    pid: int | None = field(default=None, metadata=OMIT)
    """The process; None where there were several of that name."""
    cpu: int | None = field(default=None, metadata=OMIT)
    line: str = ""
    """The interrupt's number under `/proc/irq`."""
    usual: float | None = field(default=None, metadata=OMIT)
    """The median of the session's comparable runs."""
    at: str | None = field(default=None, metadata=OMIT)
    """The end whose machine it was, `server` or `client`; None where both are on one."""


@dataclass(frozen=True, slots=True)
class HostCalm:
    """Whether the host was quiet enough to measure on."""

    calm: bool
    """What it disturbed could all be left out."""
    disturbed: int
    """Blocks that it disturbed."""
    blocks: int
    """Blocks in all."""
    reasons: Mapping[str, int]
    """In how many blocks each kind of disturbance was."""
    culprits: tuple[Disturber, ...] | None = field(default=None, metadata=OMIT)
    """Who disturbed these blocks, the most frequent first; one block may have several. None in an answer that an earlier release stored."""
    unusual: tuple[Disturber, ...] | None = field(default=None, metadata=OMIT)
    """What stood out in runs of the baseline in other blocks, which count all the same."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the host and the stack did meanwhile."""

    quarantined: int
    """Blocks that the host spoiled and that count for nothing."""
    host: HostCalm
    counters: Mapping[str, Mapping[str, int]] | None = field(default=None, metadata=OMIT)
    """What the stack counted, summed over all runs, by end (server, client, and `server 2` and so on); None where it writes no counters."""
    findings: tuple[Finding, ...] | None = field(default=None, metadata=OMIT)
    """The settings at which these counters point."""
    waited_s: float | None = field(default=None, metadata=OMIT)
    """How long blocks were held back until the host was calm, beside the budget; None where they were not."""
    sockets: str | None = field(default=None, metadata=OMIT)
    """`os-sockets` where sockets were measured that the stack may leave to the operating system, None elsewhere."""
