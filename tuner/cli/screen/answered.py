"""What a session answered, on the screen or as JSON, and the exit status that says it to a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import typer

from tuner.cli.screen import next_steps, statistics
from tuner.cli.screen.output import print_json, table, verdict, wrapped
from tuner.errors import Finding, TunerError
from tuner.figures import shown
from tuner.judging.metrics import HELD_RATE
from tuner.judging.statistics import Estimate
from tuner.results import Results
from tuner.session.answer import answers, words
from tuner.session.answer.answers import (
    Answer,
    CalibrateAnswer,
    CompareAnswer,
    MeasureAnswer,
    MinimiseAnswer,
    TuneAnswer,
)
from tuner.session.answer.parts import Condition, Decision, Minimal, Minimisation, Recommended, Worth

MOST_SETTINGS: Final = 8
"""Settings and warnings are listed up to so many, so that the answer fits a screen."""
MOST_WARNINGS: Final = 3
_STATUS: Final = {Decision.NOT_IMPROVED: 3, Decision.FAILED: 1}
# Not decided is no failure of the program, and neither good nor rotted: a gate may let it through, or try again.
_REGRESSION: Final = {Condition.GOOD: 0, Condition.ROTTED: 3, Condition.UNDECIDED: 4}


def told(answer: Answer, results: Results, *, json: bool, verbose: bool = False) -> int:
    """Print what a session answered and return its exit status."""
    if json:
        print_json(answer.to_dict())
    else:
        typer.echo("\n".join(lines(answer, results, verbose=verbose)))
    return status(answer)


def status(answer: Answer) -> int:
    """Return the exit status that says an answer to a script."""
    if isinstance(answer, MeasureAnswer):
        held = answer.described.metrics.get(HELD_RATE)
        return 3 if held and not held.value else 0
    if isinstance(answer, CompareAnswer) and answer.regression:
        return _REGRESSION[answer.regression.outcome]
    decided = answers.decision(answer)
    return _STATUS.get(decided, 0) if decided else 0


def lines(answer: Answer, results: Results, *, verbose: bool = False) -> list[str]:
    """Return what a person needs to go on: the verdict, what to set, warnings, what to do next; `verbose`: the statistics."""
    said = _lines(answer, results, verbose=verbose)
    return [*said, *(statistics.lines(answer) if verbose else ())]


def _lines(answer: Answer, results: Results, *, verbose: bool) -> list[str]:
    match answer:
        case TuneAnswer():
            return list(_tuned(answer, results, verbose=verbose))
        case CompareAnswer():
            return list(_compared(answer, results))
        case MinimiseAnswer():
            return list(_minimised(answer, results))
        case MeasureAnswer():
            return list(_measured(answer))
        case CalibrateAnswer():
            return noise(answer)
        case _:
            raise TunerError(answer.why)


def _tuned(answer: TuneAnswer, results: Results, *, verbose: bool) -> Iterator[str]:
    baseline, winner = answer.baseline, answer.winner.described
    shown_beside = [baseline] if winner.profile == baseline.profile else [baseline, winner]
    yield verdict(answer.verdict, answer.why, *shown_beside)
    yield ""
    if answer.winner.path:
        yield from _settings(answer, verbose=verbose)
    elif answer.verdict is Decision.NOT_IMPROVED:
        yield f"keep {baseline.profile}: there is nothing to change\n"
    yield from _warnings(answer.doubts, verbose=verbose)
    if answer.winner.path:
        yield f"profile  {answer.winner.path}"
    if (minimal := answer.advice.minimal) and minimal.path:
        yield f"minimal  {minimal.path}"
        yield f"         {_shorter(answer, minimal)}"
    yield f"summary  {results.summary(answer.session)}"
    yield from next_steps.lines(answer, results)


def _shorter(answer: TuneAnswer, minimal: Minimal) -> str:
    every = answer.winner.described.settings
    if len(minimal.settings) == len(every):
        return "the same: every setting is shown to contribute"
    return f"{len(minimal.settings)} of its {len(every)} settings: {words.given_away(minimal.lost, 'the profile')}"


def _settings(answer: TuneAnswer, *, verbose: bool) -> Iterator[str]:
    if answer.advice.recommended:
        kept = list(map(_worth, answer.advice.recommended))
    elif answer.minimised:
        kept = list(map(_worth, answer.minimised.kept))
    else:
        kept = [f"  {name}={value}" for name, value in answer.winner.described.settings.items()]
    most = len(kept) if verbose else MOST_SETTINGS
    yield "set, believed and not shown:" if answer.winner.only_believed else "set:"
    yield from kept[:most]
    if len(kept) > most:
        yield f"  … and {len(kept) - most} more: see the profile"
    yield ""
    if verbose and answer.minimised:
        yield from _removed(answer.minimised)


def _removed(minimised: Minimisation) -> Iterator[str]:
    if minimised.dropped:
        yield "removed:"
        yield from map(_worth, minimised.dropped)
        yield ""


def _warnings(doubts: Sequence[Finding], *, verbose: bool = False) -> Iterator[str]:
    most = len(doubts) if verbose else MOST_WARNINGS
    yield from (wrapped(f"warning: {doubt.message} ({doubt.suggestion})") for doubt in doubts[:most])
    if len(doubts) > most:
        yield f"… and {len(doubts) - most} more warnings: see the summary"
    if doubts:
        yield ""


def _compared(answer: CompareAnswer, results: Results) -> Iterator[str]:
    found = answer.regression
    said = (
        [found.why, words.promised(found), *([words.sequential(answer.sequential)] if answer.sequential else [])]
        if found
        else []
    )
    yield verdict(found.outcome if found else answer.verdict, ". ".join(said) or answer.why, answer.a, answer.b)
    yield ""
    yield from _warnings(answer.doubts)
    yield from next_steps.lines(answer, results)


def _minimised(answer: MinimiseAnswer, results: Results) -> Iterator[str]:
    yield verdict(answer.verdict, answer.why, answer.baseline, answer.winner.described)
    yield ""
    if answer.minimised.kept:
        yield "set:"
        yield from map(_worth, answer.minimised.kept)
        yield ""
    yield from _removed(answer.minimised)
    if answer.winner.path:
        yield f"profile  {answer.winner.path}"
    yield from next_steps.lines(answer, results)


def _worth(found: Worth | Recommended) -> str:
    return wrapped(f"  {found.name}={found.value}  {found.why}", indent="      ")


def _measured(answer: MeasureAnswer) -> Iterator[str]:
    metrics = answer.described.metrics
    if not metrics:
        raise TunerError(f"every run of {answer.described.profile} failed; see `tuner sessions show latest`")
    if answer.why:
        yield answer.why
    rows = [[metric, *_cells(found)] for metric, found in metrics.items()]
    yield table(["metric", "median", "low", "high", "runs"], rows)
    yield from map(words.lost, answer.described.loss or ())


def _cells(found: Estimate) -> list[str]:
    return [*map(shown, (found.value, found.low, found.high)), str(found.count)]


def noise(answer: CalibrateAnswer) -> list[str]:
    """Return the result of a calibration alone: the noise, what budgets can detect, and whether the host was noisy."""
    measured = words.noise(answer.calibration) if answer.calibration else []
    during = answer.circumstances
    said = [*measured, *map(words.detectable, answer.budgets), words.not_calm(during.host)]
    said += [words.waited(during.waited_s)] if during.waited_s else []
    return ["noise", *(f"  {line}" for line in said if line)]
