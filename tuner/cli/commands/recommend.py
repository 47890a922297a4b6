"""`tuner recommend`: what sessions of other hosts, and of this one, say of a host like this one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tuner.cli import options, session_options
from tuner.cli.ends import Ends, ends
from tuner.cli.screen.output import print_json
from tuner.results import Results
from tuner.session.setup.request import Task

if TYPE_CHECKING:
    from tuner.session.recommendation import Recommendation

_NOTHING: Final = 3
_FILE: Final = Path("recommended.toml")
_FLAGS: Final = {"rate_mps": "--rate", "duration_s": "--duration"}
"""Options that are not called as their field is."""


@options.made_from_options(where=options.where, task=session_options.task, workload=session_options.workload, ends=ends)
def recommend(
    baseline: session_options.Baseline = "default",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the profile to this .toml.")
    ] = None,
    json: options.Json = False,
    *,
    where: Results,
    task: Task,
    workload: dict[str, object],
    ends: Ends,
) -> None:
    """Say what sessions of all hosts recommend for this one.

    Nothing is measured: it is what stored tunings of hosts with the same CPU model found for the same stack, objective,
    traffic and baseline, with how many they are, how alike their hosts, how far apart their answers, and the command
    that would show whether it holds here. Exit status 0: there is one; 3: no session of a host alike found anything better.

    \b
    Examples:
      tuner recommend --stack xlio --objective latency
      tuner recommend --store postgresql+psycopg://tuner@db/fleet --message-bytes 256 -o recommended.toml
    """
    from tuner import api
    from tuner.cli import work
    from tuner.cli.screen import recommended

    found = api.recommend(task=replace(task, workload=workload), baseline=baseline, at=work.workspace(where, ends))
    if output and found.chosen:
        _write(found, output)
    if json:
        print_json(recommended.to_json(found))
    else:
        typer.echo(
            "\n".join(recommended.lines(found, _commands(_Typed(task, workload, baseline, output, where, ends))))
        )
    raise typer.Exit(0 if found.chosen else _NOTHING)


@dataclass(frozen=True, slots=True)
class _Typed:
    """What was asked, as it was typed."""

    task: Task
    workload: Mapping[str, object]
    baseline: str
    output: Path | None
    where: Results
    ends: Ends


def _commands(typed: _Typed) -> dict[str, str]:
    """Return the commands that would make sure: what writes the profile, and what compares it, without its budget."""
    task, workload, baseline, output = typed.task, typed.workload, typed.baseline, typed.output
    asked = [] if task.stack is None else ["--stack", task.stack]
    asked += ["--objective", task.objective or "latency"]
    for name, value in workload.items():
        flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
        values = value if isinstance(value, list | tuple) else [value]
        asked += [flag] if value is True else [word for each in values for word in (flag, str(each))]
    hosts = typed.ends.hosts
    named = (("--server", hosts.server), ("--client", hosts.client)) if hosts else ()
    words = shlex.join([*asked, *(word for flag, end in named if end for word in (flag, str(end)))])
    file = shlex.quote(str(output or _FILE))
    against = "" if baseline == "default" else f" --baseline {shlex.quote(baseline)}"
    write = "" if output else f"tuner recommend {words}{against}{typed.where.options()} -o {file}"
    return {
        "write": write,
        "compare": f"tuner compare {shlex.quote(baseline)} {file} {words}",
        "tune": f"tuner tune {words}{against}",
    }


def _write(found: Recommendation, path: Path) -> None:
    from tuner.cli.screen import recommended
    from tuner.profiles.files import save

    profile = recommended.profile(found, path.stem)
    save(profile, path, overwrite=False)
    typer.echo(f"wrote {path}", err=True)
