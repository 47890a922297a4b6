"""`tuner history`: the same profile over months."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner import atomic_file
from tuner.cli import options
from tuner.errors import UsageError, did_you_mean
from tuner.results import Results

if TYPE_CHECKING:
    from tuner.session.history import History

_FORMATS: Final = ("table", "html", "json")


@options.made_from_options(where=options.where)
def history(
    profile: Annotated[
        str | None,
        typer.Argument(metavar="PROFILE", help="Its name or file; left out: the one that most sessions measured."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", metavar="NAME", help="latency_p99_us, …, or gain; left out: the first that was judged."
        ),
    ] = None,
    stack: options.AnyStack = None,
    all_hosts: Annotated[bool, typer.Option("--all-hosts", help="Sessions of other hosts may be meant too.")] = False,
    format_: Annotated[str, typer.Option("--format", help="table, html or json.")] = "table",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")] = None,
    json: options.Json = False,
    *,
    where: Results,
) -> None:
    """Show a profile's history, and where its figure changed.

    It is made from the store alone: every finished session of this host that measured the profile under the same traffic. A
    change point is told with its dates, its size with an interval, and what changed on the host there: kernel, drivers and
    firmware, C library, the stack's library. `gain` is measured inside blocks, other metrics are those of their day.

    \b
    Examples:
      tuner history latency
      tuner history results/SESSION/best.toml --metric gain
      tuner history latency --metric latency_p99_us --format html -o history.html
    """
    from tuner.profiles import library
    from tuner.session import history as found_in
    from tuner.store import Store

    kind = _format("json" if json else format_)
    asked = found_in.Wanted(None, stack, metric, all_hosts)
    wanted = found_in.wanted(profile, asked, library.shelves(os.environ, Path.cwd()))
    found = found_in.history(Store.reading(where), wanted)
    text = _text(kind, found)
    if output is None:
        typer.echo(text)
    else:
        atomic_file.write(output, text + "\n")
        typer.echo(output)


def _format(kind: str) -> str:
    if kind not in _FORMATS:
        raise UsageError(f"--format {kind!r} must be one of {', '.join(_FORMATS)}", advice=did_you_mean(kind, _FORMATS))
    return kind


def _text(kind: str, found: History) -> str:
    match kind:
        case "json":
            from tuner.json_text import written

            return written(found.to_dict())
        case "html":
            from tuner.report import history as report

            return report.page(found)
        case _:
            from tuner.cli.screen import history as screen

            return "\n".join(screen.lines(found))
