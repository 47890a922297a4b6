"""`tuner sessions`: what was measured before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner.cli import options, recipe_options, session_options
from tuner.cli.ends import Ends, ends
from tuner.cli.screen.output import print_json, table
from tuner.figures import shown
from tuner.results import Results
from tuner.runs.chosen import BENCHMARK

if TYPE_CHECKING:
    from tuner.records import StoredSession

_HEADS: Final = ("session", "state", "verdict", "ratio", "spent s", "host")
AllHosts = Annotated[bool, typer.Option("--all-hosts", help="Also the sessions that other hosts began.")]
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


@options.made_from_options(where=options.where, hosts=ends, recipe=recipe_options.recipe)
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
