"""What a check of a profile says: whether it is still good, what changed on its hosts, and its figures then and now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import typer

from tuner.cli.screen import answered
from tuner.cli.screen.output import print_json, table
from tuner.figures import interval
from tuner.judging.metrics import short
from tuner.judging.statistics import Estimate
from tuner.results import Results
from tuner.session.answer.json_form import Json
from tuner.session.regression import Checked
from tuner.session.setup.host_changes import Changes


def told(found: Checked, results: Results, *, json: bool, verbose: bool = False) -> int:
    """Print what was found and return the exit status that says it to a script."""
    if not json:
        typer.echo("\n".join([*answered.lines(found.answer, results, verbose=verbose), *lines(found)]))
        return answered.status(found.answer)
    print_json(found.to_dict())
    return answered.status(found.answer)


def lines(found: Checked) -> Iterator[str]:
    """Yield what changed on the hosts since the session, and the profile's figures then and now."""
    if found.since is None:
        return
    yield ""
    yield from _changes(found.since)
    if found.then:
        yield ""
        yield from _figures(found.then, found.answer.b.metrics)


def _changes(since: Changes) -> Iterator[str]:
    yield "changed since that session:" if since.changed else "nothing known changed since that session"
    yield from (f"  {each}" for each in since.changed)
    if since.unknown:
        yield f"  not known of both: {', '.join(since.unknown)}"


def _figures(then: Mapping[str, Estimate], now: Mapping[str, Estimate]) -> Iterator[str]:
    names = [name for name in short(then) if name in now]
    rows = [[name, *(interval(_row(each[name])) for each in (then, now))] for name in names]
    yield table(["median", "in that session", "now"], rows)
    yield "(in other blocks: the day may be the difference as well as the profile)"


def _row(found: Estimate) -> Json:
    return {"value": found.value, "low": found.low, "high": found.high}
