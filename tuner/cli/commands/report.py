"""`tuner report`: what a session found, as a page that people look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tuner import atomic_file
from tuner.cli import options
from tuner.errors import UsageError, did_you_mean
from tuner.results import Results

if TYPE_CHECKING:
    from tuner.records import StoredSession
    from tuner.report.drawing import DrawnAs
    from tuner.store import Store

FORMATS: Final = ("html", "md", "json")
PLOTS: Final = ("svg", "png")


@options.made_from_options(where=options.where)
def report(
    sessions: Annotated[
        list[str] | None, typer.Argument(metavar="SESSION...", help="Their ids, beginnings of them, or `latest`.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="html, md or json.")] = "html",
    plots: Annotated[str, typer.Option("--plots", help="Plots beside a Markdown report: svg or png.")] = "svg",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.")] = None,
    all_hosts: Annotated[
        bool,
        typer.Option(
            "--all-hosts", help="Compare the session with the latest of every other host that was asked the same."
        ),
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    json: options.Json = False,
    *,
    where: Results,
) -> None:
    """Make the report of a session: one HTML file.

    It is made from the database alone and needs no network. Several sessions are compared: the same host later, two
    hosts, two stacks. Sessions that measured different workloads are refused. HTML goes to the session's folder
    unless -o says otherwise; Markdown and JSON are printed.

    \b
    Examples:
      tuner report
      tuner report 20260102-1504 --open
      tuner report latest --format md -o report.md
      tuner report 20260102 20260202 -o month.html
      tuner report --all-hosts --store postgresql+psycopg://tuner@db/fleet -o fleet.html
    """
    from tuner.report import files
    from tuner.report.drawing import DrawnAs
    from tuner.store import Store

    kind = _one_of("--format", "json" if json else format_, FORMATS)
    drawn_as = DrawnAs(_one_of("--plots", plots, PLOTS))
    if open_ and kind != "html":
        raise UsageError(f"--open shows a page, and --format is {kind}", advice="leave out one of them")
    store = Store.reading(where)
    rows = [*{row.id: row for row in _meant(store, sessions or [], all_hosts=all_hosts)}.values()]
    found = files.found(store, rows)
    if kind == "html":
        place = where.comparison if len(rows) > 1 else where.report
        target = output or place(rows[0].id)
        _written(target, _text(kind, found, target, drawn_as), shown=open_, follow=output is not None)
    else:
        _written(output, _text(kind, found, output, drawn_as), shown=False, follow=True)


def _meant(store: Store, sessions: list[str], *, all_hosts: bool) -> Sequence[StoredSession]:
    from tuner.report import fleet

    if not all_hosts:
        return [store.session(each) for each in sessions or ["latest"]]
    if len(sessions) > 1:
        raise UsageError("--all-hosts chooses the sessions itself", advice="name one of them, or none for the newest")
    found = fleet.of_all_hosts(store, store.session(sessions[0]) if sessions else None)
    for finding in found.left_out:
        typer.echo(finding, err=True)
    return found.sessions


def _text(kind: str, found: Mapping[str, Any], path: Path | None, drawn_as: DrawnAs) -> str:
    from tuner.report import files

    match kind:
        case "html":
            return files.as_html(found)
        case "json":
            return files.as_json(found)
        case _:
            return files.as_markdown(found, path, drawn_as)


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UsageError(f"{option} {value!r} must be one of {', '.join(known)}", advice=did_you_mean(value, known))
    return value


def _written(path: Path | None, text: str, *, shown: bool, follow: bool) -> None:
    """Write the report to its file and print the path, or print the report itself."""
    if path is None:
        typer.echo(text, nl=False)
        return
    atomic_file.write(path, text, follow=follow)
    typer.echo(path)
    if shown:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            typer.echo(f"no browser was found; open {path} yourself", err=True)
