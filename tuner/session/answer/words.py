"""The words of answers: verdicts, gains, noise, what a budget can detect, a host that was noisy. One sentence per fact."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from tuner.figures import shown
from tuner.judging.noise import Drift, Spread
from tuner.judging.power import WORTH_DETECTING
from tuner.judging.statistics import Gain
from tuner.records import Run
from tuner.session.answer import disturbance
from tuner.session.answer.parts import (
    Calibration,
    Condition,
    Detectable,
    HostCalm,
    Loss,
    Minimal,
    Regression,
    Sequential,
)


def compared(profile: str, gained: Gain, other: str) -> str:
    """Return that a profile is better or worse than another one, or that neither was shown, with the interval."""
    if gained.low > 1.0:
        return f"{profile} is {gained.ratio:.2f}× better than {other} ({_interval(gained)})"
    if gained.high < 1.0:
        return f"{profile} is worse than {other}: {ratio(gained)}"
    return f"{profile} compared with {other}: {ratio(gained)}"


def ratio(gained: Gain) -> str:
    """Return a ratio that need not be a gain, with its interval."""
    return f"{gained.ratio:.2f}× ({_interval(gained)})"


def before_removing(names: Sequence[str], gained: Gain) -> str:
    """Return what the gain was before settings were removed; the interval is one of the same confidence as before."""
    return f"Before removing {', '.join(names)}: {_short(gained)}"


def exception(what: str, kind: str, pairs: Sequence[str], there: Gain, elsewhere: Gain) -> str:
    """Return that a setting, or a whole profile, harms on some pairs of hosts and helps on the others."""
    named = f"pair{'s' if len(pairs) > 1 else ''} {', '.join(pairs)}"
    where = f"For this class of hosts ({kind}: {named})" if kind else f"On {named}"
    return f"{where} {what} harms: {ratio(there)} there, {_short(elsewhere)} on the others; leave it out there"


def sequential(ended: Sequential) -> str:
    """Return after how many blocks a comparison was decided, or that it was not."""
    if ended.decided:
        return f"Decided after {ended.blocks} of at most {ended.planned} blocks"
    return f"Not decided in {ended.blocks} of at most {ended.planned} blocks: a longer --max may decide it"


def regression(outcome: Condition, profile: str, gained: Gain, other: str) -> str:
    """Return whether a profile is still as good as it was, with what it is now; what it is held against stands behind."""
    said = {
        Condition.GOOD: f"{profile} is still good",
        Condition.ROTTED: f"{profile} is not as good any more",
        Condition.UNDECIDED: f"whether {profile} is still good was not decided",
    }
    return f"{said[outcome]}: {ratio(gained)} against {other}"


def promised(found: Regression) -> str:
    """Return what a profile is held against."""
    percent = f"{100 * found.margin:g} %"
    if found.session is None:
        return f"It must be above {found.at_least:.3g}×: as good, less {percent}"
    return f"It must be above {found.at_least:.3g}×: session {found.session} showed {found.promised:.3g}× at least, less {percent}"


def headline(gained: Gain, other: str) -> str:
    """Return a gain in the fewest words, without its interval."""
    return f"{gained.ratio:.2f}× {'better than' if gained.low > 1.0 else 'compared with'} {other}"


def none_better(baseline: str, best: str, gained: Gain) -> str:
    """Return that no profile was shown to be better than the baseline, with the best that was judged."""
    why = f"no profile was shown to be better than {baseline} on this host with this workload"
    return f"{why}. The best, {best}: {ratio(gained)}"


def known_not_shown(baseline: str, known: tuple[str, Gain], found: tuple[str, Gain]) -> str:
    """Return that a known profile is the answer though another one was shown to be better, and it was not: names and gains."""
    why = f"{known[0]} was not shown to be better than {baseline} on this host with this workload: {ratio(known[1])}"
    return f"{why}. {found[0]} was, {ratio(found[1])}, and is probably no better than {known[0]}"


def failed_when_confirmed(profile: str, run: Run) -> str:
    """Return that the best profile of the search failed in the confirmation, with the run that did."""
    return f"{profile} was the best profile, but failed in the confirmation: {run.status}: {run.reason}"


def confirmation_failed(run: Run) -> str:
    """Return that runs of the confirmation failed, with one of them."""
    return f"runs of the confirmation failed: {run.status}: {run.reason}"


def nothing_observed(objective: str) -> str:
    """Return that no metric of an objective can be judged."""
    return f"no metric of objective {objective} had enough observations to be judged"


def too_few_blocks(blocks: int, needed_s: float, *, stopped: bool) -> str:
    """Return that a session ended before it had the blocks that a verdict needs, and the budget that would do."""
    ended = "the session was stopped" if stopped else "the budget was used up"
    return f"{ended} before {blocks} confirmation blocks were measured; use --budget {needed_s:.0f}s"


def limits_not_met(limits: Sequence[str], least_mps: int, tried: Sequence[str], lowest: Mapping[str, float]) -> str:
    """Return that no rate meets the limits, and how near the best run came; `lowest` has each limited metric in µs."""
    what = f"no rate of {least_mps} msg/s or more meets {' and '.join(limits)} with {', '.join(tried)}"
    return f"{what}: the lowest measured was {', '.join(f'{name} {shown(value)}us' for name, value in lowest.items())}"


def all_break_guards(guards: Sequence[str], best: str) -> str:
    """Return that every profile of the search that may be the best breaks a guard."""
    return f"every profile that may be the best breaks a guard ({' and '.join(guards)}), also {best}, the best of the search"


def stopped(spent_s: float, budget_s: float) -> str:
    """Return when a session was asked to end."""
    return f"stopped after {spent_s:.0f} s of {budget_s:.0f} s"


def not_confirmed(when: str, leader: str | None) -> str:
    """Return that a session ended before its confirmation, with the profile that was leading."""
    return f"not confirmed: {when}; {f'{leader} was leading' if leader else 'no other profile had been measured'}"


def none_judged(profile: str, why: str) -> str:
    """Return that minimising could not judge any setting of a profile."""
    return f"no setting of {profile} could be judged: {why}"


def kept(count: int, of: int, profile: str) -> str:
    """Return how many settings of a profile minimising keeps."""
    return f"{count} of {of} settings of {profile} are kept"


def over_start(profile: str, gained: Gain) -> str:
    """Return a profile compared with the one that the search started from."""
    if gained.low > 1.0:
        return f"{profile} is {gained.ratio:.2f}× better than the starting profile ({_bounds(gained)})"
    return f"{profile} compared with the starting profile: {_short(gained)}"


def setting(gained: Gain, also_removed: int = 0) -> str:
    """Return what a setting contributes, together with others that were removed in the same step."""
    it = "it" if not also_removed else f"it and {also_removed} more"
    if gained.low > 1.0:
        return f"{gained.ratio:.2f}× better with {it} ({_interval(gained)})"
    if gained.high < 1.0:
        return f"worse with {it}: {ratio(gained)}"
    return f"no effect shown: {gained.ratio:.2f}× with {it} ({_interval(gained)})"


def believed(gained: Gain) -> str:
    """Return what a setting is believed to contribute, which was not shown by itself."""
    return f"believed {gained.ratio:.2f}× (with probability {100 * gained.confidence:g} % {gained.low:.2f}–{gained.high:.2f})"


def probably_better(profile: str, expected: Gain, baseline: str) -> str:
    """Return that a profile is recommended which was not shown to be better than the baseline."""
    low, high = f"{expected.low:.2f}", f"{expected.high:.2f}"
    sure = f"{100 * expected.confidence:g} % probability {low}–{high}, all {_blocks(expected.blocks)}"
    return f"{profile} is probably better all the same: believed {expected.ratio:.2f}× {baseline} ({sure})"


def over_known(found: str, gained: Gain, known: str) -> str:
    """Return the best profile that was found compared with the best known one."""
    if gained.low > 1.0:
        return f"{found} is {gained.ratio:.2f}× better than {known}, the best known profile ({_bounds(gained)})"
    return f"{found} compared with {known}, the best known profile: {_short(gained)}"


def minimal(found: Minimal, best: str, baseline: str) -> str:
    """Return what a profile of shown settings only is worth, and what may be lost by it."""
    gain = compared("this profile", found.gain, baseline) if found.gain else "not measured as a whole"
    return f"{gain}; {given_away(found.lost, best)}"


def bare(gained: Gain) -> str:
    """Return a ratio with the bounds of its interval and nothing else."""
    return f"{gained.ratio:.2f}× ({gained.low:.2f}–{gained.high:.2f})"


def given_away(gained: Gain, best: str) -> str:
    """Return how much better the recommended profile is believed to be than one of shown settings only."""
    low, high = (100 * (bound - 1.0) for bound in (gained.low, gained.high))
    return f"{best} is believed to be {100 * (gained.ratio - 1.0):.1f} % better ({low:.1f} to {high:.1f} %)".replace(
        "-", "−"
    )


def use_known(known: str, tried: int, best: str | None, gained: Gain | None) -> str:
    """Return that a known profile is as good as anything that was found, with the best of that."""
    said = f"{known} is as good as anything found in {tried} trials"
    return f"{said} (the best, {best}: {_short(gained)})" if best and gained else said


def _interval(gained: Gain) -> str:
    return f"{100 * gained.confidence:g} % CI {gained.low:.2f}–{gained.high:.2f}, n = {_blocks(gained.blocks)}"


def _short(gained: Gain) -> str:
    return f"{gained.ratio:.2f}× ({_bounds(gained)})"


def _bounds(gained: Gain) -> str:
    return f"{gained.low:.2f}–{gained.high:.2f}, n = {gained.blocks}"


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def noise(found: Calibration) -> list[str]:
    """Return a calibration in words: a line per metric, and last the minimum detectable effect of the budget."""
    lines = [f"noise of {metric}: {'; '.join(_metric(row))}" for metric, row in found.metrics.items()]
    return [*lines, detectable(found.detectable)] if found.detectable else lines


def _metric(row: Spread) -> Iterator[str]:
    yield f"median {shown(row.median)} of {row.runs} runs"
    within = "" if row.within_block_sd is None else f", {_cv(row.within_block_sd)} within blocks"
    yield f"CV {_cv(row.between_runs_sd)} between runs{within}"
    if row.correlation is not None:
        helps = "reduces noise" if row.pairing_helps else "does not reduce noise here"
        yield f"intraclass correlation {_signed(row.correlation, '.2f')}: pairing {helps}"
    if row.drift is not None:
        yield _drift(row.drift)
    if row.hiccups:
        yield f"outlier runs excluded: {row.hiccups}"
    if row.sampling_sd is not None and row.sampling_sd < row.between_runs_sd / 2:
        yield "use more runs, not longer ones"


def _drift(found: Drift) -> str:
    low, high = (_signed(100 * value, "+.1f") for value in (found.low, found.high))
    return f"drift {low} to {high} % per minute (95 % CI)"


def _signed(value: float, form: str) -> str:
    return f"{value:{form}}".replace("-", "−")


def _cv(log_sd: float) -> str:
    """Return a standard deviation of logarithms as a coefficient of variation, which it is nearly."""
    return f"{shown(100 * math.expm1(log_sd))} %"


def coarse() -> str:
    """Return the difference that every session should be able to detect."""
    return f"{100 * (WORTH_DETECTING - 1):.0f} %"


def detectable(row: Detectable) -> str:
    """Return the minimum detectable effect of a budget."""
    how = f"power {100 * row.power:.0f} %, n = {_blocks(row.blocks)}"
    more = f"; for {coarse()} use --budget {math.ceil(row.enough_s)}s" if row.enough_s else ""
    at = f"minimum detectable effect at {row.budget_s:g} s"
    if row.percent is None:
        return f"{at}: none, this host is too noisy ({how}){more}"
    between = f"{shown(row.low_percent)}–{shown(row.high_percent) if row.high_percent else '∞'} %"
    return f"{at}: {shown(row.percent)} % ({100 * row.confidence:g} % CI {between}, {how}){more}"


def undetectable(row: Detectable) -> str:
    """Return in words what a budget cannot detect."""
    if row.percent is None:
        return f"a budget of {row.budget_s:g} s cannot detect any difference on this host"
    return f"a budget of {row.budget_s:g} s cannot detect differences below {shown(row.percent)} %"


def lost(found: Loss) -> str:
    """Return what each receiver of a group lost."""
    each = ", ".join(f"{count:,} by receiver {number}" for number, count in enumerate(found.lost, start=1))
    return f"lost of {found.sent:,} messages sent: {each}"


def os_sockets(stack: str) -> str:
    """Return what a verdict says of a session that measured the operating system's sockets because it was asked to."""
    return f"measured on os-sockets: {stack} may have carried none of it"


def not_calm(host: HostCalm) -> str:
    """Return what a verdict must say about a noisy host; empty for a quiet one."""
    return "" if host.calm else f"noisy host: {disturbance.sentence(host)}"


def waited(waited_s: float) -> str:
    """Return how long blocks were held back for a calm host."""
    return f"blocks were held back {waited_s:.0f} s in all until the host was calm"
