"""Which settings of a profile may leave without giving anything away: those of which little is expected, by all blocks.

A setting leaves when the performance that is expected to be lost without it is below `policy.NEGLIGIBLE`: by what is believed
of it, which includes how much it was expected to matter before anything was measured. That a short budget could not prove it
is no reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuner.records import Trial
from tuner.session.phases import suspects
from tuner.session.phases.beliefs import Beliefs
from tuner.session.setup import policy
from tuner.session.setup.plan import Plan


def superfluous(plan: Plan, beliefs: Beliefs, settings: Mapping[str, str]) -> list[str]:
    """Return the settings that may leave together, by what is believed of them alone and of all of them at once."""
    out: list[str] = []
    for name in _least_missed_first(beliefs, settings):
        shorter = suspects.without(settings, [*out, name])
        lost = beliefs.over(settings, shorter)
        if lost.mean <= policy.NEGLIGIBLE and suspects.removable(plan, settings, [*out, name]):
            out.append(name)
    return out


def _least_missed_first(beliefs: Beliefs, settings: Mapping[str, str]) -> list[str]:
    """Return the settings of which little is expected to be lost without them, those that are missed least first."""
    differences = beliefs.over_each(settings, [suspects.without(settings, [name]) for name in settings])
    missed = {name: found.loss for name, found in zip(settings, differences, strict=True)}
    return sorted((name for name in settings if missed[name] <= policy.LITTLE), key=lambda name: missed[name])


def leanest(beliefs: Beliefs, whole: Trial, shorter: Sequence[Trial]) -> Trial:
    """Return the profile with fewest settings of which no more than a negligible loss is expected; the best of those with as few."""
    trials = [whole, *shorter]
    means = dict(zip(trials, beliefs.of([trial.settings for trial in trials]).mean, strict=True))
    bar = max(means.values()) - policy.NEGLIGIBLE
    return _fewest([trial for trial in trials if means[trial] >= bar], means)


def surely_leanest(beliefs: Beliefs, trials: Sequence[Trial]) -> Trial:
    """Return the same of profiles that were measured a few times, where nobody has looked at single settings yet.

    That two are believed to be as good says little while either may be much better: the shorter one is then as likely to
    lack something as the other is to have something for nothing, and only the latter can be mended later. So it must also
    be little that is missed where it is the worse one.
    """
    means = dict(zip(trials, beliefs.of([trial.settings for trial in trials]).mean, strict=True))
    best = max(trials, key=lambda trial: means[trial])
    missed = beliefs.over_each(best.settings, [trial.settings for trial in trials])
    bar = means[best] - policy.NEGLIGIBLE
    as_good = [
        each for each, found in zip(trials, missed, strict=True) if means[each] >= bar and found.loss <= policy.LITTLE
    ]
    return _fewest(as_good or [best], means)


def _fewest(trials: Sequence[Trial], means: Mapping[Trial, float]) -> Trial:
    return min(trials, key=lambda trial: (len(trial.settings), -means[trial]))
