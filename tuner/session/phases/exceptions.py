"""What a fleet knows: how much better a profile is on each pair, and which setting harms where it helps elsewhere.

Hosts are never compared with each other, their gains are: by one model of all blocks (`judging/pair_effects.py`), in which each setting has
an effect that is common, and each class of hosts and each pair its own. What is told of a class of hosts, or of single pairs, allows for having looked at
every setting on every class and every pair (Bonferroni), because who looks at everything finds something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tuner.judging.effects import Array
from tuner.judging.pair_effects import PairEffects, Seen, pair_effects
from tuner.judging.power import FEWEST_BLOCKS
from tuner.judging.statistics import gain
from tuner.records import Kind, Phase, Trial
from tuner.session.answer import words
from tuner.session.answer.parts import Exceptional, OnPairs, PairGain
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.beliefs import Encoding
from tuner.session.phases.propose import search_space
from tuner.session.phases.worth import as_gain

OF_A_FLEET: Final = (Phase.SEARCH, Phase.CHOOSE, Phase.CONFIRM, Phase.MINIMISE)
ERROR: Final = 0.05
"""With what probability anything is told of pairs that do not differ, at most: half of it for classes, half for single pairs."""
SURE_OF_HARM: Final = 0.975
"""How probable it must be that a setting harms where it is said to: as much as puts the interval that is shown (95 %) below 1."""
SURE_OF_HELP: Final = 0.95
"""How probable it must be that it helps elsewhere: one that harms everywhere is no exception."""
WHOLE: Final = ("",)
"""What stands for the name of a setting where a profile as a whole is looked at."""
MOST_SEEN: Final = 4000
"""Scores of a model, the latest ones: its time grows with them."""


def on_pairs(evidence: Evidence, trial: Trial) -> OnPairs | None:
    """Return what a profile is worth on each pair, and the settings that harm on some; None where there is one pair."""
    if not evidence.plan.pairs:
        return None
    gains = tuple(_gain(evidence, trial, name) for name in _names(evidence))
    found = [_whole(evidence, trial)]
    if evidence.plan.kind is Kind.TUNE:  # what a comparison measures is there or not as a whole
        found.append(_by_setting(evidence, trial))
    told = (each for one in found if one for each in _exceptions(one, trial))
    return OnPairs(gains, tuple(told))


def _names(evidence: Evidence) -> list[str]:
    return [each.name for each in evidence.plan.pairs]


def _gain(evidence: Evidence, trial: Trial, pair: str) -> PairGain:
    """Return the gain over the baseline on one pair, by the blocks that judged; of a profile that minimising made, by its own."""
    gains = evidence.gains
    phase = Phase.CONFIRM if Phase.CONFIRM in evidence.ledger.phases_of(trial.number) else Phase.MINIMISE
    blocks = [block for block in evidence.ledger.blocks(phase) if gains.pair(block) == pair]
    found = [each for block in blocks if (each := gains.over(0, trial.number, block)) is not None]
    kind = next(each.kind for each in evidence.plan.pairs if each.name == pair)
    return PairGain(pair, kind, len(found), gain(found) if len(found) >= FEWEST_BLOCKS else None)


@dataclass(frozen=True, slots=True)
class _Told:
    """Settings whose effects are looked for, what was seen, and of which class each pair is."""

    names: tuple[str, ...]
    seen: Sequence[Seen]
    classes: Mapping[str, Sequence[int]]
    pairs: Sequence[str]


def _exceptions(told: _Told, trial: Trial) -> Iterator[Exceptional]:
    as_whole = told.names == WHOLE
    effects = pair_effects(told.seen, len(told.pairs), classes=_numbers(told), own=not as_whole)
    for at, name in enumerate(told.names):
        kind, there = _where(told, effects, at)
        elsewhere = effects.of(at, _rest(told, there))
        if not there or elsewhere.above(0.0) < SURE_OF_HELP:
            continue
        pairs, blocks = tuple(told.pairs[pair] for pair in there), len({each.block for each in told.seen})
        harm, help_ = as_gain(effects.of(at, there), blocks), as_gain(elsewhere, blocks)
        value = trial.settings.get(name, "")
        sentence = words.exception(f"{name}={value}" if name else trial.profile, kind, pairs, harm, help_)
        yield Exceptional(name, value, pairs, kind, harm, help_, sentence)


def _numbers(told: _Told) -> list[int]:
    """Return the number of the class of each pair, nothing where the class of any is unknown."""
    number = {pair: at for at, pairs in enumerate(told.classes.values()) for pair in pairs}
    return [number[pair] for pair in range(len(told.pairs))] if len(number) == len(told.pairs) else []


def _rest(told: _Told, pairs: Sequence[int]) -> list[int]:
    return [pair for pair in range(len(told.pairs)) if pair not in pairs]


def _where(told: _Told, effects: PairEffects, at: int) -> tuple[str, list[int]]:
    """Return the class on which a setting harms, empty where it is none, and the pairs: none where it harms nowhere, or everywhere.

    That it does otherwise there than on the rest must allow for all that is looked at. That it then harms is one question.
    """

    def harmed(pairs: Sequence[int], groups: int) -> bool:
        otherwise = effects.between(at, pairs, _rest(told, pairs)).above(0.0) <= ERROR / (2 * len(told.names) * groups)
        return otherwise and effects.of(at, pairs).above(0.0) <= 1 - SURE_OF_HARM

    of_class = [(kind, list(pairs)) for kind, pairs in told.classes.items() if harmed(pairs, len(told.classes))]
    if len(of_class) == 1:
        return of_class[0]
    alone = sorted(pair for _, pairs in of_class for pair in pairs)
    alone = alone or [pair for pair in range(len(told.pairs)) if harmed([pair], len(told.pairs))]
    return "", alone if len(alone) < len(told.pairs) else []


def _whole(evidence: Evidence, trial: Trial) -> _Told | None:
    """Return what was seen of a profile as a whole beside the baseline."""
    shares = {0: [0.0], trial.number: [1.0]}
    return _told(evidence, WHOLE, shares)


def _by_setting(evidence: Evidence, trial: Trial) -> _Told | None:
    """Return what was seen of a profile's settings, None where it has none of its own."""
    names = tuple(name for name, value in trial.settings.items() if evidence.baseline.settings.get(name) != value)
    return _told(evidence, names, _shares(evidence, trial, names)) if names else None


def _told(evidence: Evidence, names: tuple[str, ...], shares: Mapping[int, Sequence[float]]) -> _Told | None:
    """Return what was seen of the profiles that have `shares`, None where nothing was."""
    pairs = _names(evidence)
    seen = list(_seen(evidence, shares, {name: at for at, name in enumerate(pairs)}))[-MOST_SEEN:]
    if not seen:
        return None
    classes: dict[str, list[int]] = {}
    for at, each in enumerate(evidence.plan.pairs):
        classes.setdefault(each.kind, []).append(at)
    known = {kind: found for kind, found in classes.items() if kind} if len(classes) > 1 else {}
    return _Told(names, seen, known, pairs)


def _seen(evidence: Evidence, shares: Mapping[int, Sequence[float]], pairs: Mapping[str, int]) -> Iterator[Seen]:
    """Yield the score of every profile that ran well in each block that counts."""
    metrics, ledger = evidence.metrics, evidence.ledger
    first = next((run.block for run in ledger.runs_of(0) if run.measurement), 0)
    reference = metrics.of(0, first)
    for block in sorted(block for phase in OF_A_FLEET for block in ledger.blocks(phase)):
        pair = pairs.get(evidence.gains.pair(block))
        for number in sorted({run.trial for run in ledger.runs_in(block)} & shares.keys()):
            value = evidence.objective.gain(reference, metrics.of(number, block))
            if value is not None and pair is not None:
                yield Seen(number, block, pair, shares[number], value)


def _shares(evidence: Evidence, trial: Trial, names: Sequence[str]) -> dict[int, list[float]]:
    """Return of each trial how far each setting is on its way from the baseline's value (0) to that of `trial` (1)."""
    trials = evidence.ledger.trials
    encoding = Encoding.of(search_space(evidence.plan), [each.settings for each in trials])
    placed, ends = (
        encoding.placed([each.settings for each in trials]),
        encoding.placed([evidence.baseline.settings, trial.settings]),
    )
    known = [each.parameter for each in encoding.space.dimensions] + list(encoding.others)
    towards, whole = (_towards(encoding.between(each, ends)) for each in (placed, ends))
    columns = []
    for name in names:
        if name in known and (way := whole[known.index(name)])[1] != way[0]:
            columns.append(np.clip((towards[known.index(name)] - way[0]) / (way[1] - way[0]), 0.0, 1.0))
        else:
            columns.append(np.array([float(each.settings.get(name) == trial.settings[name]) for each in trials]))
    return {each.number: [float(column[each.number]) for column in columns] for each in trials}


def _towards(between: Array) -> Array:
    """Return how much more like the second than like the first of two profiles others are, by each parameter."""
    return np.asarray(between[:, :, 1] - between[:, :, 0], dtype=np.float64)
