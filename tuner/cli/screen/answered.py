"""What a session answered, on the screen or as JSON, and the exit status that says it to a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

import typer

from tuner.cli.screen.output import print_json, table, verdict, wrapped
from tuner.errors import TunerError
from tuner.figures import shown
from tuner.judging.metrics import HELD_RATE
from tuner.judging.statistics import Estimate
from tuner.results import Results
from tuner.runs.chosen import BENCHMARK
from tuner.session.answer import answers, words
from tuner.session.answer.answers import (
    Answer,
    CalibrateAnswer,
    CompareAnswer,
    MeasureAnswer,
    MinimiseAnswer,
    TuneAnswer,
)
from tuner.session.answer.parts import Decision, Minimisation, Worth

_STATUS: Final = {Decision.NOT_IMPROVED: 3, Decision.FAILED: 1}


def tell(answer: Answer, results: Results, *, json: bool) -> NoReturn:
    """Print what a session answered and leave with its exit status."""
    if json:
        print_json(answer.to_dict())
    else:
        typer.echo("\n".join(_lines(answer, results)))
    raise typer.Exit(_status(answer))


def _status(answer: Answer) -> int:
    if isinstance(answer, MeasureAnswer):
        held = answer.described.metrics.get(HELD_RATE)
        return 3 if held and not held.value else 0
    decided = answers.decision(answer)
    return _STATUS.get(decided, 0) if decided else 0


def _lines(answer: Answer, results: Results) -> list[str]:
    match answer:
        case TuneAnswer():
            return list(_tuned(answer, results))
        case CompareAnswer():
            return list(_compared(answer))
        case MinimiseAnswer():
            return list(_minimised(answer))
        case MeasureAnswer():
            return list(_measured(answer))
        case CalibrateAnswer():
            return noise(answer)
        case _:
            raise TunerError(answer.why)


def _tuned(answer: TuneAnswer, results: Results) -> Iterator[str]:
    baseline, winner = answer.baseline, answer.winner.described
    shown_beside = [baseline] if winner.profile == baseline.profile else [baseline, winner]
    yield verdict(answer.verdict, answer.why, *shown_beside)
    yield ""
    if answer.winner.path:
        yield from _settings(answer)
        yield f"\nprofile  {answer.winner.path}"
    yield from (wrapped(f"doubt    {doubt.message} ({doubt.suggestion})") for doubt in answer.doubts)
    yield f"summary  {results.summary(answer.session)}"
    if answer.calibration:
        yield from (wrapped(f"noise    {line}") for line in words.noise(answer.calibration)[-1:])
    share = 100 * answer.time.runs_s / answer.time.wall_s
    yield wrapped(
        f"spent    {answer.time.wall_s:.1f} s, {share:.0f} % of it inside {answer.runs} runs of {BENCHMARK.name}"
    )


def _settings(answer: TuneAnswer) -> Sequence[str]:
    if answer.minimised:
        return _worths(answer.minimised)[1:]
    return [f"  {name}={value}" for name, value in answer.winner.described.settings.items()]


def _compared(answer: CompareAnswer) -> Iterator[str]:
    yield verdict(answer.verdict, answer.why, answer.a, answer.b)
    yield from (wrapped(f"doubt: {doubt.message} ({doubt.suggestion})") for doubt in answer.doubts)


def _minimised(answer: MinimiseAnswer) -> Iterator[str]:
    yield verdict(answer.verdict, answer.why, answer.baseline, answer.winner.described)
    yield from _worths(answer.minimised)
    if answer.winner.path:
        yield f"\nprofile  {answer.winner.path}"


def _worths(found: Minimisation) -> list[str]:
    """Return the settings that stay and those that were dropped, each with what was seen of it."""
    lines = ["", *map(_worth, found.kept)]
    return [*lines, "", "dropped:", *map(_worth, found.dropped)] if found.dropped else lines


def _worth(found: Worth) -> str:
    return wrapped(f"  {found.name}={found.value}  {found.why}", indent="      ")


def _measured(answer: MeasureAnswer) -> Iterator[str]:
    metrics = answer.described.metrics
    if not metrics:
        raise TunerError(f"no run of {answer.described.profile} ended well; see `tuner sessions show latest`")
    if answer.why:
        yield answer.why
    rows = [[metric, *_cells(found)] for metric, found in metrics.items()]
    yield table(["metric", "median", "low", "high", "runs"], rows)


def _cells(found: Estimate) -> list[str]:
    return [*map(shown, (found.value, found.low, found.high)), str(found.count)]


def noise(answer: CalibrateAnswer) -> list[str]:
    """Return what a calibration alone found: the noise, what budgets can detect, and a host that was not calm."""
    measured = words.noise(answer.calibration) if answer.calibration else []
    said = [*measured, *map(words.detectable, answer.budgets), words.not_calm(answer.circumstances.host)]
    return ["noise", *(f"  {line}" for line in said if line)]
