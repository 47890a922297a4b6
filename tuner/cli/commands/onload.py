"""`tuner onload`: Onload's own profiles, in which stack sockets land, and what the library says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tuner.cli import options
from tuner.cli.commands.export import deployed
from tuner.cli.deployable import Choice
from tuner.cli.screen.output import print_json, table
from tuner.errors import Finding, UsageError, error
from tuner.profiles.files import MAX_BYTES, save, write
from tuner.profiles.library import load, locate, shelves
from tuner.profiles.profile import Profile, errors_in, is_name
from tuner.stacks.onload.opf import from_opf, to_opf

FOLDERS: Final = (Path(".openonload/profiles"), Path("/usr/libexec/onload/profiles"))
"""Where Onload's wrapper looks for profiles: under the user's home first, then where it is installed."""

Environment = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable that is set already. Repeatable.")
]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it here.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.opf", help="A profile of Onload.")],
    output: Output = None,
    env: Environment = None,
    *,
    force_profiles: Annotated[
        bool, typer.Option("--force-profiles", help="As in Onload's wrapper: the last setting wins, not the first.")
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out-commands", help="Take what is data, though commands are left out.")
    ] = False,
    force: Force = False,
    json: options.Json = False,
) -> None:
    """Read a profile of Onload (.opf) as data and print or write it as a profile of tuner. Nothing in it is run.

    What would run a command is an error with its line, and nothing is written unless --leave-out-commands says so.

    \b
    Examples:
      tuner onload import /usr/libexec/onload/profiles/latency.opf
      tuner onload import mine.opf -o profiles/onload/mine.toml --env EF_POLL_USEC=50
    """
    settings, findings = from_opf(_text(file), str(file), _importer(file.parent), _variables(env), force=force_profiles)
    profile = _profile(file, output, settings)
    usable = bool(settings) and (leave_out or not errors_in(findings))
    if usable and output is not None:
        save(profile, output, overwrite=force)
    path = str(output) if usable and output else None
    if json:
        print_json({"profile": profile.name, "settings": settings, "findings": _rows(findings), "path": path})
    else:
        _tell(findings, to_stderr=True)
        if usable:
            typer.echo(path or write(profile).rstrip("\n"))
    if not usable:
        raise typer.Exit(1)


def export(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name such as latency, or a path to a .toml.")],
    output: Output = None,
    *,
    force: Force = False,
) -> None:
    """Write a profile in the form of Onload's wrapper: the same as `tuner export PROFILE --to opf`.

    `onload -p FILE.opf COMMAND` uses it. The wrapper changes only what is not set yet, so a variable of its caller stays.

    \b
    Examples:
      tuner onload export latency
      tuner onload export profiles/onload/mine.toml -o mine.opf
    """
    stack = None if profile.endswith(".toml") else "onload"
    deployed(profile, "opf", output, Choice(stack, None, "", None, options.RESULTS), force=force)


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
    user, global or nochange; a name, "" or ONLOAD_DONT_ACCELERATE), or socket, pipe, listen, accept and move with the
    number of a socket. In front may stand who makes it: `thread 2:`, `process 7 thread 9:`. Variables are EF_NAME,
    EF_STACK_PER_THREAD and EF_DONT_ACCELERATE. The exit status is 1 where Onload would refuse something.

    \b
    Examples:
      tuner onload stackname --env EF_NAME=web
      tuner onload stackname --call 'this_thread, process, "foo"' --call socket --call 'thread 2: socket'
      tuner onload stackname --call 'all_threads, global, "foo"' --call socket --call listen --call accept
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
    """Start one socket under Onload on a terminal of its own, and tell what the library says there and nowhere else.

    Unknown names and values out of range are told to a terminal only, before any variable can say otherwise. The exit
    status is 1 where no stack was made, or the library takes a value for another.

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


def _probed(proof: Any, findings: Sequence[Finding], said: str) -> dict[str, Any]:
    return {
        "loaded": proof.loaded,
        "reason": proof.reason,
        "release": proof.banner.release,
        "said": [line for line in said.splitlines() if line.strip()],
        "findings": _rows(findings),
    }


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode()
    except OSError as reason:
        raise UsageError(f"{path} cannot be read: {reason.strerror}", advice="name an .opf file") from reason
    except UnicodeDecodeError as reason:
        raise UsageError(f"{path} is not UTF-8 text: byte {reason.start}") from reason


def _importer(beside: Path) -> Any:
    """Return what finds imported profiles: beside the file, where Onload's wrapper looks, then among ours."""
    home = os.environ.get("HOME", "")
    folders = [beside, *(Path(home) / folder for folder in FOLDERS if home or folder.is_absolute())]

    def text(name: str) -> str | None:
        if not is_name(name):
            return None
        files = (folder / f"{name}{ending}" for folder in folders for ending in (".opf", ".opf-fragment"))
        found = next((path for path in files if path.is_file()), None)
        return _text(found) if found else _ours(name)

    return text


def _ours(name: str) -> str | None:
    places = shelves(os.environ, Path.cwd())
    try:
        where = locate(f"onload/{name}", None, places)
    except UsageError:
        return None
    return None if where is None else to_opf(load(str(where.path), "onload", places).settings, name)


def _profile(file: Path, output: Path | None, settings: Mapping[str, str]) -> Profile:
    stem = (output or file).stem.casefold()
    name = stem if is_name(stem) else "imported"
    reasons = dict.fromkeys(settings, f"Taken from {file.name}.")
    return Profile(name, "onload", dict(settings), summary=f"Imported from {file.name}.", reasons=reasons)


def _variables(assignments: Iterable[str] | None) -> dict[str, str]:
    parts = [assignment.partition("=") for assignment in assignments or ()]
    if wrong := [name for name, equals, _ in parts if not equals or not name]:
        findings = [error(f"--env {name}", "has no value", "write --env NAME=VALUE") for name in wrong]
        raise UsageError("a variable is NAME=VALUE", findings=findings)
    return {name: value for name, _, value in parts}


def _step(landing: Any) -> dict[str, Any]:
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


def _rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]


def _tell(findings: Iterable[Finding], *, to_stderr: bool) -> None:
    for finding in findings:
        typer.echo(finding, err=to_stderr)
