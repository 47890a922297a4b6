"""`tuner sessions`: what was measured before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner.cli import options, recipe_options, session_options
from tuner.cli.ends import Ends, ends_or_pairs
from tuner.cli.screen.output import print_json, table
from tuner.errors import UsageError
from tuner.figures import shown
from tuner.results import Results
from tuner.runs.chosen import BENCHMARK

if TYPE_CHECKING:
    from tuner.records import StoredSession
    from tuner.store.bulk import Bulk

_HEADS: Final = ("session", "state", "verdict", "ratio", "spent s", "host")
AllHosts = Annotated[bool, typer.Option("--all-hosts", help="Also the sessions that other hosts began.")]
OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="AGE", help="Only sessions that began before: 30d, 12h, 0.")
]
LargerThan = Annotated[
    str, typer.Option("--larger-than", metavar="SIZE", help="Only sessions with more to drop than: 500KB, 10MB, 0.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped, and change nothing.")]
Session = Annotated[str, typer.Argument(help="Its id, a beginning of it, or `latest`.")]


@options.made_from_options(where=options.where)
def list_(all_hosts: AllHosts = False, json: options.Json = False, *, where: Results) -> None:
    """List the sessions of a store, oldest first.

    The store is that of the results folder. Of one that many hosts share (--store), those of this host are listed, unless
    --all-hosts is given.

    \b
    Examples:
      tuner sessions list
      tuner sessions list --store postgresql+psycopg://tuner@db/fleet --all-hosts
    """
    from tuner.store import Store

    store = Store.reading(where)
    found, wrong = store.readable()
    for finding in wrong:
        typer.echo(finding, err=True)
    listed = [session for session in found if all_hosts or store.is_mine(session)]
    if len(listed) < len(found):
        typer.echo(f"{len(found) - len(listed)} sessions of other hosts are not listed: --all-hosts", err=True)
    if json:
        print_json([_row(session) for session in listed])
    else:
        hosts = len({session.host for session in listed}) > 1 or all_hosts
        typer.echo(
            table(_HEADS[: None if hosts else -1], [_cells(session)[: None if hosts else -1] for session in listed])
        )


@options.made_from_options(where=options.where)
def show(session: Session = "latest", json: options.Json = False, *, where: Results) -> None:
    """Show a session's summary, made again from the database.

    \b
    Examples:
      tuner sessions show
      tuner sessions show 20260102-1504 --json
    """
    from tuner.report.summary import summary
    from tuner.store import Store

    store = Store.reading(where)
    row = store.session(session)
    if json:
        runs = [
            {"trial": run.trial, "phase": run.phase, "block": run.block, "status": run.status}
            for run in store.runs(row.id)
        ]
        print_json(_row(row) | {"plan": row.plan, "facts": row.facts, "answer": row.verdict, "runs": runs})
    else:
        typer.echo(summary(store, row), nl=False)


@options.made_from_options(where=options.where, hosts=ends_or_pairs, recipe=recipe_options.recipe)
def resume(
    session: Session = "latest",
    program: session_options.BenchmarkPath = BENCHMARK.name,
    lib: options.Lib = None,
    preload: session_options.Preload = None,
    no_wait: session_options.NoWait = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    *,
    where: Results,
    hosts: Ends,
    recipe: dict[str, object],
) -> None:
    """Continue an interrupted session.

    It uses the rest of its budget. The store may be anybody's: the benchmark and the libraries are looked up again on this
    host or named again, and what differs from those that the session began with is told; other hosts, and a recipe of one's
    own, are named again too. A session that is under way is refused.

    \b
    Examples:
      tuner sessions resume latest
      tuner sessions resume latest --lib ./libxlio.so
      tuner sessions resume latest --server ssh://me@box2
      tuner sessions resume latest --pairs pairs.toml
      tuner sessions resume latest --workload my-server.toml
    """
    from tuner import api
    from tuner.cli import work
    from tuner.runs.recipe import Recipe
    from tuner.session.setup.resumption import Named

    found = recipe.get("recipe")
    at = work.workspace(where, hosts, verbose=verbose)
    recipe_again = found if isinstance(found, Recipe) else None
    named = Named(program, lib, preload or (), not no_wait, recipe_again)
    work.tell(api.resume(session, named=named, at=at), at, json=json, verbose=verbose)


@options.made_from_options(where=options.where)
def judge(session: Session = "latest", json: options.Json = False, *, where: Results) -> None:
    """Compute a session's answer again, and compare.

    The answer is computed from the stored runs alone and compared with the one that the session gave. No benchmark
    is run and nothing is written. Exit status 0: equal, or nothing was answered yet; 1: not equal.

    \b
    Examples:
      tuner sessions judge
      tuner sessions judge latest --results results/example --json
    """
    from tuner.cli.screen import judged
    from tuner.session.judgement import judge as judge_again
    from tuner.store import Store

    store = Store.reading(where)
    row = store.session(session)
    judged.tell(row.id, judge_again(store, row), json=json)


@options.made_from_options(where=options.where)
def gc(
    older_than: OlderThan = "30d",
    larger_than: LargerThan = "0",
    dry_run: DryRun = False,
    json: options.Json = False,
    *,
    where: Results,
) -> None:
    """Drop the bulk of finished sessions, and keep their verdicts.

    What goes is the output of the measured programs but for its beginning, where it is longer than 2,000 characters. Verdicts, settings, metrics, counters and telemetry stay,
    so that `tuner sessions judge`, summaries and reports say what they said. Sessions that can be gone on with stay as they are.

    \b
    Examples:
      tuner sessions gc --dry-run
      tuner sessions gc --older-than 7d --larger-than 1MB
    """
    from tuner.store import Store, bulk

    store = Store.existing(where)
    asked = bulk.Asked(_days(older_than), _bytes(larger_than))
    found = [each for each in bulk.bulky(store, asked) if store.is_mine(each.session)]
    if not dry_run:
        bulk.drop(store, found)
    dropped = sum(each.characters for each in found)
    if json:
        rows = [{"session": each.session.id, "characters": each.characters} for each in found]
        print_json({"sessions": rows, "characters": dropped, "dropped": not dry_run})
        return
    if found:
        typer.echo(table(["session", "runs", "MB"], [_bulk(each) for each in found]))
    typer.echo(f"{'would drop' if dry_run else 'dropped'} {dropped / 1e6:.1f} MB of output of {len(found)} sessions")


def _bulk(found: Bulk) -> tuple[str, ...]:
    return found.session.id, str(found.runs), f"{found.characters / 1e6:.1f}"


def _days(text: str) -> float:
    """Return the days of `30d`, `12h` or `0`; raise `UsageError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,5})([dh]?)", text)
    if match is None:
        raise UsageError(f"--older-than {text!r} is not an age", advice="write for example 30d, 12h or 0")
    return int(match[1]) / (24 if match[2] == "h" else 1)


def _bytes(text: str) -> int:
    """Return the bytes of `10MB`, `500KB` or `0`; raise `UsageError` for anything else."""
    match = re.fullmatch(r"([0-9]{1,9})(|KB|MB|GB)", text)
    if match is None:
        raise UsageError(f"--larger-than {text!r} is not a size", advice="write for example 500KB, 10MB or 0")
    return int(match[1]) * {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[match[2]]


def _row(session: StoredSession) -> dict[str, object]:
    return {
        "session": session.id,
        "created_at": session.created_at,
        "state": session.state,
        "verdict": _verdict(session),
        "ratio": _ratio(session),
        "spent_s": session.spent_s,
        "host": session.host,
    }


def _cells(session: StoredSession) -> tuple[str, ...]:
    figures = (shown(_ratio(session)), shown(session.spent_s))
    return session.id, session.state, _verdict(session), *figures, session.host or "unknown"


def _verdict(session: StoredSession) -> str:
    return str((session.verdict or {}).get("verdict", ""))


def _ratio(session: StoredSession) -> float | None:
    ratio: float | None = ((session.verdict or {}).get("gain") or {}).get("ratio")
    return ratio
