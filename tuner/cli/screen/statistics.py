"""What a statistician asks about an answer: noise, minimum detectable effect, the search, the host, the time."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.cli.screen.output import wrapped
from tuner.session.answer import answers, costs, disturbance, proposals, words
from tuner.session.answer.answers import Answer, CalibrateAnswer, Failure, MeasureAnswer, TuneAnswer
from tuner.session.answer.parts import Circumstances, Time


def lines(answer: Answer) -> list[str]:
    """Return the heading and one line per fact, nothing for an answer that has said all of them."""
    if isinstance(answer, CalibrateAnswer | Failure):
        return []
    return ["", "statistics:", *(wrapped(f"  {line}", indent="    ") for line in _facts(answer))]


def _facts(answer: Answer) -> Iterator[str]:
    if calibration := answers.noise(answer):
        yield from words.noise(calibration)
    yield from costs.sentences(answers.beside(answer))
    if searched := answers.searched(answer):
        yield from (f"search: {line}" for line in proposals.sentences(searched))
    if not isinstance(answer, CalibrateAnswer | Failure):
        yield from _host(answer.circumstances)
        if not isinstance(answer, MeasureAnswer):
            yield _time(answer.time, answer.runs if isinstance(answer, TuneAnswer) else None)


def _host(found: Circumstances) -> Iterator[str]:
    yield f"blocks disturbed by the host: {found.host.disturbed} of {found.host.blocks}; discarded: {found.quarantined}"
    for line in (disturbance.sentence(found.host), disturbance.standing_out(found.host)):
        if line:
            yield line


def _time(spent: Time, runs: int | None) -> str:
    phases = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in spent.runs_by_phase_s.items() if seconds)
    share = f"{100 * spent.runs_s / spent.wall_s:.0f} %" if spent.wall_s else "all"
    counted = "runs" if runs is None else f"{runs} runs"
    return f"time: {spent.wall_s:.1f} s, {share} of it in {counted} ({phases})"
