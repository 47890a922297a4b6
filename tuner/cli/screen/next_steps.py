"""What a person can do next after a session, as commands to type."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tuner.cli.screen.output import wrapped
from tuner.results import Results
from tuner.session.answer.answers import CompareAnswer, MinimiseAnswer, TuneAnswer


def lines(answer: TuneAnswer | CompareAnswer | MinimiseAnswer, results: Results) -> list[str]:
    """Return the heading and one line per command, each with what it does."""
    steps = list(_steps(answer, results))
    longest = max(len(command) for command, _ in steps)
    return ["", "next:", *(wrapped(f"  {command:<{longest}}  {why}", indent="      ") for command, why in steps)]


def _steps(answer: TuneAnswer | CompareAnswer | MinimiseAnswer, results: Results) -> Iterator[tuple[str, str]]:
    where = results.options()
    listed = results.listed()
    newest = bool(listed) and listed[-1].id == answer.session
    if not isinstance(answer, CompareAnswer) and answer.winner.path and answer.winner.only_believed:
        profiles = f"{shlex.quote(answer.baseline.profile)} {shlex.quote(answer.winner.path)}"
        yield (
            f"tuner compare {profiles} --budget {2 * answer.time.budget_s:.0f}s{where}",
            "find out whether it is better",
        )
    elif not isinstance(answer, CompareAnswer) and answer.winner.path:
        profile = "latest" if newest and not where else shlex.quote(answer.winner.path)
        yield f"tuner run {profile} -- COMMAND", "try it with your program"
        yield f"tuner apply {profile} --target env:app.env", "write it where your service reads it"
    yield f"tuner report {'latest' if newest else answer.session}{where} --open", "see every measurement"
