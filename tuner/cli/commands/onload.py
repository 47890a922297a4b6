"""`tuner onload`: Onload's own profiles, in which stack sockets land, and what the library says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tuner import catalogue
from tuner.cli import options
from tuner.cli.commands.export import deployed
from tuner.cli.deployable import Choice
from tuner.cli.screen.output import print_json, table
from tuner.errors import Finding, Skipped, UsageError, error, warning
from tuner.profiles.files import save, write
from tuner.profiles.library import load, shelves
from tuner.profiles.profile import Profile, errors_in, is_name, problems
from tuner.results import Results
from tuner.stacks.onload.folders import Folders
from tuner.stacks.onload.opf import Reading, Source, read_profiles
from tuner.terminal_text import shown

Environment = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable that is set already. Repeatable.")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it here.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


def import_(
    profiles: Annotated[list[str], typer.Argument(metavar="PROFILE…", help="Files or names of Onload's profiles.")],
    output: Output = None,
    env: Environment = None,
    *,
    force_profiles: Annotated[
        bool, typer.Option("--force-profiles", help="As in Onload's wrapper: the last setting wins, not the first.")
    ] = False,
    leave_out: Annotated[
        bool,
        typer.Option("--leave-out-commands/--strict", help="Write what is understood, or nothing if it is not all."),
    ] = True,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown/--drop-unknown", help="Keep names that the catalogue does not have.")
    ] = False,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Make a profile of Onload's own profiles (.opf).

    They are read as Onload's wrapper does. The profile is printed or written. Nothing is run. A name is looked for
    in ~/.openonload/profiles, in /usr/libexec/onload/profiles, and as a path. Of several profiles the first setting
    of a name wins, as with `onload -p A,B`. What only a running shell could know (a command's output, a variable
    that --env does not give) is left out with all that depends on it, and named with its line.

    \b
    Examples:
      tuner onload import /usr/libexec/onload/profiles/latency.opf
      tuner onload import safe latency-best
      tuner onload import mine.opf -o profiles/onload/mine.toml --env HOME=/home/md --env SITE=prod
    """
    given = _variables(env)
    folders = _folders(given)
    sources = [_first(name, folders, fragments=number > 0) for number, name in enumerate(profiles)]
    reading = read_profiles(sources, folders.imported, given, force=force_profiles)
    checked = _checked(reading, Path(profiles[0]), output, keep_unknown=keep_unknown)
    findings = [*folders.unread(), *reading.findings, *checked.findings]
    refused = bool(errors_in(findings)) or not checked.profile.settings or not (leave_out or not checked.skipped)
    if not refused and output is not None:
        save(checked.profile, output, overwrite=force)
    if json:
        path = None if refused or output is None else str(output)
        print_json(_imported(checked, reading.imported, findings, path))
    else:
        _tell(findings, to_stderr=True)
        _say(checked, sources, reading.imported, output, refused=refused)
    if refused:
        raise typer.Exit(2)


def export(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name such as latency, or a path to a .toml.")],
    output: Output = None,
    *,
    force: Force = False,
) -> None:
    """Write a profile as Onload's own (.opf).

    The same as `tuner export PROFILE --to opf`. `onload -p FILE.opf COMMAND` uses it. The wrapper changes only what
    is not set yet, so a variable of its caller stays.

    \b
    Examples:
      tuner onload export latency
      tuner onload export profiles/onload/mine.toml -o mine.opf
    """
    stack = None if profile.endswith(".toml") else "onload"
    deployed(profile, "opf", output, Choice(stack, None, "", None, Results(options.RESULTS)), force=force)


def stackname(
    call: Annotated[
        list[str] | None,
        typer.Option("--call", metavar="CALL", help="A call, in order: 'WHO, SCOPE, \"NAME\"', socket, accept, …"),
    ] = None,
    env: Environment = None,
    *,
    json: options.Json = False,
) -> None:
    """Explain in which stack each new socket lands.

    A call is `WHO, SCOPE, "NAME"` as onload_set_stackname() takes it (this_thread or all_threads; thread, process,
    user, global or nochange; a name, "" or ONLOAD_DONT_ACCELERATE), save and restore, or socket, pipe, listen,
    accept, move and reuseport (a bind with SO_REUSEPORT) with the number of a socket. In front of it may be the
    caller: `thread 2:`, `process 7 thread 9:`, `user 1000:`. Variables are EF_NAME, EF_STACK_PER_THREAD,
    EF_DONT_ACCELERATE, EF_SHARE_WITH, EF_NO_FAIL, and those of clusters and scalable filters. The exit status is 1
    where Onload would refuse something.

    \b
    Examples:
      tuner onload stackname --env EF_NAME=web
      tuner onload stackname --call 'this_thread, process, "foo"' --call socket --call 'thread 2: socket'
      tuner onload stackname --call 'all_threads, global, "foo"' --call socket --call listen --call accept
      tuner onload stackname --env EF_NAME=web --call 'user 1000: socket' --call 'process 2 user 1001: socket'
    """
    from tuner.stacks.onload.stackname import explain

    found = explain(call or [], _variables(env))
    if json:
        print_json({"steps": [_step(landing) for landing in found.landings], "findings": _rows(found.findings)})
    else:
        rows = [_cells(_step(landing)) for landing in found.landings]
        typer.echo(table(("CALL", "PROCESS", "THREAD", "RESULT", "STACK", "WHY"), rows))
        _tell(found.findings, to_stderr=False)
    if errors_in(found.findings):
        raise typer.Exit(1)


def probe(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name such as latency, or default.")] = "default",
    lib: options.Lib = None,
    env: Environment = None,
    *,
    json: options.Json = False,
) -> None:
    """Show what Onload prints on a terminal.

    Opens one socket under Onload on a terminal of its own. The library reports unknown names and values out of
    range only there, and no variable changes that. The exit status is 1 if no stack was created, or if the library
    reads a value as another one.

    \b
    Examples:
      tuner onload probe latency
      tuner onload probe --lib /opt/onload/lib/libonload.so --env EF_RXQ_SIZE=99999
    """
    from tuner.hosts.host import Command
    from tuner.hosts.local import LocalHost
    from tuner.stacks.onload.proof import ONE_SOCKET, STACK, complaints
    from tuner.stacks.probe import usable
    from tuner.stacks.stack import Seen, environment

    host = LocalHost()
    library = usable(STACK, lib, host)
    settings = {**load(profile, "onload", shelves(os.environ, Path.cwd())).settings, **_variables(env)}
    said = host.said_on_terminal(Command(ONE_SOCKET, environment(STACK, [library], settings)))
    proof = STACK.proof(said, "", Seen(settings))
    findings = complaints(said)
    if json:
        print_json(_probed(proof, findings, said))
    else:
        typer.echo(
            f"{library}: " + (f"Onload {proof.banner.release}" if proof.loaded else f"not loaded: {proof.reason}")
        )
        _tell(findings, to_stderr=False)
    if not proof.loaded or errors_in(findings):
        raise typer.Exit(1)


def _probed(proof: Any, findings: Sequence[Finding], said: str) -> dict[str, object]:
    return {
        "loaded": proof.loaded,
        "reason": proof.reason,
        "release": proof.banner.release,
        "said": [line for line in said.splitlines() if line.strip()],
        "findings": _rows(findings),
    }


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was read as a profile of ours, what is left out of it, and what is wrong with its names and values."""

    profile: Profile
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...]


def _folders(given: Mapping[str, str]) -> Folders:
    home = given.get("HOME") or os.environ.get("HOME")
    return Folders(Path(home) if home else None)


def _first(name: str, folders: Folders, *, fragments: bool) -> Source:
    source = folders.first(name, fragments=fragments)
    if source is None:
        places = f"~/.openonload/profiles, {folders.system}, and as a path"
        raise UsageError(f"there is no profile {name!r} of Onload", advice=f"looked in {places}")
    return source


def _checked(reading: Reading, file: Path, output: Path | None, *, keep_unknown: bool) -> _Checked:
    """Return the profile, with values as Onload reads them, like `tuner import`."""
    from tuner.intake.profile import as_read

    known = catalogue.load("onload")
    settings: dict[str, str] = {}
    skipped, findings = [*reading.skipped], []
    for name, text in reading.settings.items():
        value, why = as_read(known, name, text) if name in known.parameters or keep_unknown else (None, _UNKNOWN)
        if value is None:
            skipped.append(Skipped(str(file), f"{name}={text}", why))
            findings.append(
                warning(name, f"is left out: {why}", _hint(name, known.parameters) if why == _UNKNOWN else "")
            )
            continue
        settings[name] = value
        findings += [warning(name, why)] if why else []
    profile = _profile(settings, file, output)
    wrong = [
        each for each in problems(profile, source=str(file)) if not keep_unknown or _is_known(each, known.parameters)
    ]
    return _Checked(profile, tuple(skipped), (*findings, *wrong))


_UNKNOWN: Final = "Onload has no such variable"


def _hint(name: str, known: Mapping[str, object]) -> str:
    from tuner.intake.owners import meant

    near = meant(name, known)
    return f"did you mean {near}?" if near else "--keep-unknown keeps it"


def _profile(settings: Mapping[str, str], file: Path, output: Path | None) -> Profile:
    stem = (output or file).stem.casefold()
    reasons = dict.fromkeys(settings, f"Taken from {file.name}.")
    name = stem if is_name(stem) else "imported"
    return Profile(name, "onload", settings, summary=f"Imported from {file.name}.", reasons=reasons)


def _is_known(finding: Finding, known: Mapping[str, object]) -> bool:
    name = finding.where.rpartition("settings.")[2]
    return name in known or not name.startswith("EF_")


def _imported(
    checked: _Checked, imported: Mapping[str, str], findings: Sequence[Finding], path: str | None
) -> dict[str, object]:
    return {
        "profile": checked.profile.name,
        "stack": "onload",
        "settings": dict(checked.profile.settings),
        "skipped": [asdict(each) for each in checked.skipped],
        "imports": dict(imported),
        "findings": _rows(findings),
        "path": path,
    }


def _say(
    checked: _Checked, sources: Sequence[Source], imported: Mapping[str, str], output: Path | None, *, refused: bool
) -> None:
    origins = {source.name: source.origin for source in sources if source.origin} | dict(imported)
    for name, origin in origins.items():
        typer.echo(f"{shown(name)} is read from {shown(origin)}", err=True)
    if not refused:
        typer.echo(str(output) if output else write(checked.profile).rstrip("\n"))
    elif not checked.profile.settings:
        typer.echo("error: nothing of Onload is set by this, and no profile is written", err=True)
    else:
        typer.echo("error: no profile is written", err=True)


def _variables(assignments: Iterable[str] | None) -> dict[str, str]:
    parts = [assignment.partition("=") for assignment in assignments or ()]
    if wrong := [name for name, equals, _ in parts if not equals or not name]:
        findings = [error(f"--env {name}", "has no value", "write --env NAME=VALUE") for name in wrong]
        raise UsageError("a variable is NAME=VALUE", findings=findings)
    return {name: value for name, _, value in parts}


def _step(landing: Any) -> dict[str, object]:
    place = landing.step.place
    return {
        "call": landing.step.text,
        "process": place.process,
        "thread": place.thread,
        "user": place.user,
        "result": landing.result,
        "stack": landing.stack,
        "accelerated": landing.accelerated,
        "shares": landing.group or None,
        "why": landing.why,
    }


def _cells(step: Mapping[str, Any]) -> tuple[str, ...]:
    stack = "kernel" if step["accelerated"] is False else step["stack"] or ""
    return step["call"], str(step["process"]), str(step["thread"]), step["result"], stack, step["why"]


def _rows(findings: Iterable[Finding]) -> list[dict[str, object]]:
    return [asdict(finding) for finding in findings]


def _tell(findings: Iterable[Finding], *, to_stderr: bool) -> None:
    for finding in findings:
        typer.echo(shown(str(finding)), err=to_stderr)
