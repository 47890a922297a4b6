"""What is true of a simulated host: which settings matter and how much, what a vendor's preset is worth, what it costs.

A truth says what a session is asked too: the space that is searched and the profiles that are known. Gains are factors of
performance, so that 1.06 is 6 % better, and multiply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import simulation

from tuner.runs.simulated import BANNER
from tuner.session.setup.plan import Contender, Plan

Settings = Mapping[str, str]
PRESET: Final = Contender("latency", {"XLIO_SPEC": "latency"})
ENDLESS: Final = math.inf
"""What -1 stands for where a setting counts polls."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Performance is `gain` times as good while the value of a setting is one of `values`, or from `low` to `high`.

    With `tail`, p99.9 is so many times as high then.
    """

    parameter: str
    gain: float
    values: frozenset[str] = frozenset()
    low: float = math.inf
    high: float = math.inf
    tail: float = 1.0

    def holds(self, settings: Settings) -> bool:
        """Return whether settings have it."""
        text = settings.get(self.parameter)
        if text is None:
            return False
        number = float(text) if text.lstrip("-").isdigit() else math.nan
        return text in self.values or self.low <= (ENDLESS if number == -1 else number) <= self.high


@dataclass(frozen=True, slots=True)
class Installed:
    """A stack as it is on a host: what is asked of a session there, and what its library says of itself."""

    plan: Plan
    banner: str


KERNEL: Final = Installed(simulation.PLAN, BANNER)
XLIO: Final = Installed(
    replace(simulation.PLAN, stack="xlio", preloads=("/usr/lib/libxlio.so",), release="3.61.2", os_sockets=True),
    " XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release\n",
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What settings are truly worth on one host, and what a session on it is asked."""

    name: str
    effects: tuple[Effect, ...] = ()
    space: tuple[str, ...] = ()
    """The items of `--space`, none for what the stack searches by itself."""
    preset: float | None = None
    """How many times better the vendor's preset is than everything else together, None where none is known."""
    stack: Installed = KERNEL

    def gain(self, settings: Settings) -> float:
        """Return how many times better settings truly are than the baseline."""
        if self.preset is not None and settings.get("XLIO_SPEC") == PRESET.settings["XLIO_SPEC"]:
            return self.preset * math.prod(effect.gain for effect in self.effects)
        return math.prod(effect.gain for effect in self.effects if effect.holds(settings))

    def latency_us(self, environment: Settings) -> float:
        """Return the true median latency under an environment."""
        return simulation.BASE_US / self.gain(environment)

    def harm(self, settings: Settings) -> float:
        """Return how many times as high p99.9 truly is, for the same median, as under the baseline."""
        return math.prod(effect.tail for effect in self.effects if effect.holds(settings))

    def tail(self, environment: Settings) -> float:
        """Return how many times the median p99.9 truly is under an environment."""
        return simulation.TAIL * self.harm(environment)

    def worthless(self, settings: Settings) -> tuple[str, ...]:
        """Return the settings without any of which alone the others would be as good."""
        whole = self.gain(settings)
        return tuple(name for name in settings if self.gain(_without(settings, name)) >= whole)

    def plan(self) -> Plan:
        """Return what a session on this host is asked."""
        known = (*self.stack.plan.known, *(() if self.preset is None else (PRESET,)))
        return replace(self.stack.plan, optimizer="skopt", space=", ".join(self.space), known=known)

    def host(self, name: str) -> simulation.NoisyHost:
        """Return the host with the chances of a name."""
        chances, banner = simulation.chances(name), self.stack.banner
        return simulation.NoisyHost(self.latency_us, simulation.Noise(), chances, tail=self.tail, banner=banner)


def _without(settings: Settings, name: str) -> Settings:
    return {each: value for each, value in settings.items() if each != name}


def _is(parameter: str, value: str, gain: float) -> Effect:
    return Effect(parameter, gain, values=frozenset({value}))


def _polling(gain: float, tail: float = 1.0) -> Effect:
    return Effect("XLIO_RX_POLL", gain, low=100, tail=tail)


TEN: Final = (
    "XLIO_RX_POLL",
    "XLIO_RX_POLL_YIELD=0|1|100",
    "XLIO_SELECT_POLL=-1|0|1..1000000",
    "XLIO_TCP_NODELAY",
    "XLIO_TCP_QUICKACK",
    "XLIO_TCP_SEND_BUFFER_SIZE=65536..4194304",
    "XLIO_RX_BYTES_MIN=0|65536..4194304",
    "XLIO_MSS=0|536..16384",
    "XLIO_TCP_CC_ALGO",
    "XLIO_TX_MC_LOOPBACK=0|1",
)
"""All that can be set on the kernel stack."""


def six(gain: float) -> tuple[Effect, ...]:
    """Return six of the settings in `TEN`, each worth the same."""
    return (
        _polling(gain),
        _is("XLIO_TCP_QUICKACK", "1", gain),
        _is("XLIO_TCP_NODELAY", "1", gain),
        _is("XLIO_TCP_CC_ALGO", "1", gain),
        Effect("XLIO_RX_BYTES_MIN", gain, low=262144),
        Effect("XLIO_MSS", gain, low=1400),
    )


def six_of_many(gain: float) -> tuple[Effect, ...]:
    """Return six of the settings that XLIO's own space for latency has among its 25, each worth the same."""
    return (
        _is("XLIO_RX_POLL", "-1", gain),
        Effect("XLIO_TX_WRE_BATCHING", gain, low=0, high=8),
        _is("XLIO_TSO", "off", gain),
        _is("XLIO_CQ_MODERATION_ENABLE", "0", gain),
        _is("XLIO_TCP_QUICKACK", "1", gain),
        _is("XLIO_MEM_ALLOC_TYPE", "0", gain),
    )


POLLING_AND_ONE: Final = (_polling(1.5), _is("XLIO_TCP_QUICKACK", "1", 1.1))
SMALL: Final = (
    Effect("XLIO_RX_POLL", 1.03, values=frozenset({"-1"})),
    Effect("XLIO_RX_WRE", 1.02, high=32, low=0),
    Effect("XLIO_TX_WRE_BATCHING", 1.03, high=8, low=0),
    Effect("XLIO_TX_WRE", 1.02, high=2048, low=0),
    Effect("XLIO_TX_MAX_INLINE", 1.01, low=400),
    _is("XLIO_TSO", "off", 1.02),
    _is("XLIO_GRO_STREAMS_MAX", "0", 1.01),
    _is("XLIO_CQ_MODERATION_ENABLE", "0", 1.03),
    _is("XLIO_CQ_KEEP_QP_FULL", "0", 1.02),
    _is("XLIO_PROGRESS_ENGINE_INTERVAL", "0", 1.01),
    _is("XLIO_LRO", "off", 1.01),
    _is("XLIO_TCP_QUICKACK", "1", 1.02),
    _is("XLIO_AVOID_SYS_CALLS_ON_TCP_FD", "1", 1.03),
    _is("XLIO_MEM_ALLOC_TYPE", "0", 1.02),
    _is("XLIO_RX_POLL_ON_TX_TCP", "1", 1.01),
)
TRUTHS: Final[Mapping[str, Truth]] = {
    truth.name: truth
    for truth in (
        Truth("polling", POLLING_AND_ONE),
        Truth("six-6", six(1.06), TEN),
        Truth("six-15", six(1.15), TEN),
        Truth("six-of-many-6", six_of_many(1.06), stack=XLIO),
        Truth("six-of-many-15", six_of_many(1.15), stack=XLIO),
        Truth("nothing", (), TEN),
        *(Truth(f"preset-{better}", POLLING_AND_ONE, preset=1 + better / 100) for better in (0, 1, 5, 10)),
        Truth("small", SMALL, stack=XLIO),
        Truth("tail", (_polling(1.5, tail=6.0), _is("XLIO_TCP_QUICKACK", "1", 1.1))),
    )
}
"""The rows of the table, by name."""
