"""`tuner run`: any program under a profile, for a quick try."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli import deployable, options
from tuner.cli.screen.output import print_json
from tuner.errors import Finding, MissingTool, TunerError
from tuner.profiles.profile import errors_in
from tuner.results import Results

if TYPE_CHECKING:
    from tuner.stacks.inheritance import Inherited
    from tuner.stacks.stack import Stack


Verify = Annotated[
    bool, typer.Option("--verify/--no-verify", help="First verify with a tiny program that the stack loads here.")
]


@options.made_from_options(where=options.where)
def run(
    profile: deployable.Reference,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND…", help="The program and its arguments.")
    ] = None,
    lib: options.Lib = None,
    stack: options.AnyStack = None,
    verify: Verify = True,
    show: Annotated[bool, typer.Option("--print", help="Print what would be set, and start nothing.")] = False,
    json: options.Json = False,
    *,
    where: Results,
) -> None:
    """Start a program with a profile. It takes the place of `tuner`: its exit status is the program's.

    The program inherits the environment, without the stack's own variables in it (they are named on stderr),
    with what the profile sets and with the stack's library in front of LD_PRELOAD. The library of the kernel stack prints its
    banner once, for the program itself and not for those that it starts (TUNER_BANNER_PID).

    \b
    Examples:
      tuner run latency -- redis-server --port 6380
      tuner run latest -- ./server --port 80
      tuner run xlio/latency --print
    """
    from tuner import catalogue, stacks
    from tuner.catalogue import named_files
    from tuner.hosts.become import inherited
    from tuner.hosts.local import LocalHost
    from tuner.stacks import probe
    from tuner.stacks.inheritance import under
    from tuner.stacks.kernel import BANNER_PID, STACK

    found = deployable.chosen(profile, stack, where)
    used = stacks.named(found.stack)
    library = probe.found(used, lib, LocalHost())
    variables = inherited()
    launch = under(used, library, found.settings, variables)
    for name in launch.set_aside:
        typer.echo(f"warning: set aside: {name}", err=True)
    for finding in named_files.told(catalogue.load(used.name), found.settings):
        typer.echo(finding, err=True)
    if show or json:
        _print(launch, variables, json=json)
    elif not command:
        raise typer.BadParameter("write the program behind --", param_hint="COMMAND")
    else:
        _look(used, command, launch.environment, library, verify=verify)
        if verify:
            _verify(used, library, found.settings)
        first = {BANNER_PID: str(os.getpid())} if used.name == STACK.name else {}
        _become(command, {**launch.environment, **first})


def _print(launch: Inherited, variables: Mapping[str, str], *, json: bool) -> None:
    """Print what differs from the environment that is inherited."""
    changed = {name: value for name, value in launch.environment.items() if variables.get(name) != value}
    if json:
        print_json({"environment": changed, "set_aside": list(launch.set_aside)})
        return
    removed = [name for name in variables if name not in launch.environment]
    lines = [*(f"unset {name}" for name in removed), *(f"{k}={shlex.quote(v)}" for k, v in changed.items())]
    typer.echo("\n".join(lines))


def _look(stack: Stack, command: Sequence[str], environment: Mapping[str, str], library: Path, *, verify: bool) -> None:
    """Look at the library and at what the command starts, and tell what keeps the one out of the other."""
    from tuner.hosts.local import LocalHost
    from tuner.stacks.library import problem

    if (unfit := problem(library, LocalHost())) is not None:
        _hear([unfit], f"the stack {stack.name} does not load here", verify=verify)
    else:
        _hear(_obstacles(command, environment, library), "the program would run without the stack", verify=verify)


def _obstacles(command: Sequence[str], environment: Mapping[str, str], library: Path) -> list[Finding]:
    """Return why the library would not be preloaded into the program that the command starts."""
    from tuner.hosts.program import image_of, images
    from tuner.stacks.program import Caller, obstacles

    ours = image_of(library)
    if ours is None:
        return []
    caller = Caller(os.getuid(), os.getgid())
    started = images(command, environment.get("PATH"))
    return [finding for image in started for finding in obstacles(image, ours.machine, caller)]


def _hear(findings: Sequence[Finding], what: str, *, verify: bool) -> None:
    """Tell what keeps the library out of the program; raise `TunerError` for it, that is `what`, unless nothing is to be verified."""
    wrong = errors_in(findings)
    if wrong and verify:
        advice = "--no-verify starts it anyway, without the stack"
        raise TunerError(what, findings=wrong, advice=advice)
    for finding in findings:
        typer.echo(f"warning: {finding.where}: {finding.message}", err=True)


def _verify(stack: Stack, library: Path, settings: Mapping[str, str]) -> None:
    from tuner.hosts.local import LocalHost
    from tuner.stacks import probe

    proof = probe.proof(stack, (library,), settings, LocalHost(), probe.ONE_SOCKET)
    if not proof.loaded:
        advice = f"{stack.advice}; --no-verify starts the program anyway"
        raise MissingTool(f"the stack {stack.name} does not load here: {proof.reason}", advice=advice)


def _become(command: list[str], environment: Mapping[str, str]) -> None:
    from tuner.hosts.become import become

    sys.stdout.flush()
    become(command, environment)
