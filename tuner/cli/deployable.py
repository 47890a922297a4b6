"""What `export`, `apply` and `run` have in common: the profile that is meant, and the library of its stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from tuner import catalogue, stacks
from tuner.cli import options
from tuner.errors import UsageError
from tuner.export import Deployment, Form
from tuner.hosts.local import LocalHost
from tuner.intake.reference import meant
from tuner.profiles.library import shelves
from tuner.profiles.profile import Profile
from tuner.records import StoredSession
from tuner.results import Results
from tuner.stacks import probe
from tuner.stacks.stack import Stack

LATEST: Final = "latest"
Reference = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        help="A name, STACK/NAME, a path to a .toml or to any file that `import` reads, default, or latest.",
    ),
]
Lib = Annotated[
    str | None,
    typer.Option(
        "--lib",
        metavar="PATH",
        help="Path of the stack's library on the target; a bare name is resolved by the loader.",
    ),
]
Target = Annotated[
    str, typer.Option("--service", metavar="NAME", help="Service, unit or container that the profile is for.")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options say about a deployment, before the profile is looked up."""

    stack: str | None
    lib: str | None
    service: str
    release: str | None
    results: Results

    def deployment(self, reference: str, form: Form) -> Deployment:
        """Return the profile that is meant as a form deploys it; a doubt about its library goes to stderr."""
        profile = chosen(reference, self.stack, self.results)
        stack = stacks.named(profile.stack)
        release = options.release_of(catalogue.load(profile.stack), self.release)
        parameters = catalogue.load(profile.stack).parameters
        defaults = {name: parameters[name].default(release) for name in profile.settings}
        known = {name: value for name, value in defaults.items() if value is not None}
        preload = _preload(stack, self.lib) if form.preloads else ""
        return Deployment(profile, preload, stack.facts.prefix, self.service, known, release)


@options.made_from_options(where=options.where)
def choice(
    lib: Lib = None,
    stack: options.AnyStack = None,
    service: Target = "app",
    release: options.Release = None,
    *,
    where: Results,
) -> Choice:
    """Return what the options of a command that deploys say."""
    return Choice(stack, lib, service, release, where)


def chosen(reference: str, stack: str | None, results: Results) -> Profile:
    """Return the profile that is meant, with all that it extends."""
    if reference == LATEST:
        reference = str(_winner(results))
    found = meant(reference, stack, shelves(os.environ, Path.cwd()))
    for finding in found.findings:
        typer.echo(finding, err=True)
    return found.profile


def _winner(results: Results) -> Path:
    """Return the profile of the newest session; the honest no is the exit status of a session without a winner."""
    from tuner.session.answer.parts import Basis
    from tuner.store import Store

    session = Store.reading(results).session(LATEST)
    path = results.best(session.id)
    if not path.is_file() and _says_winner(session):
        message = f"the profile of session {session.id} is not in {results.folder}, where its host wrote it"
        raise UsageError(message, advice="name the folder with --results DIR")
    if not path.is_file():
        typer.echo(f"session {session.id} has no winner: there is nothing to deploy", err=True)
        raise typer.Exit(3)
    if (session.verdict or {}).get("winner", {}).get("basis") == Basis.BELIEVED:
        typer.echo(f"session {session.id} showed no improvement: its profile is only believed to be better", err=True)
        typer.echo(f"  find out: tuner compare default {path}; or name the file itself to use it as it is", err=True)
        raise typer.Exit(3)
    return path


def _says_winner(session: StoredSession) -> bool:
    from tuner.session.answer.parts import Decision

    return (session.verdict or {}).get("verdict") in {Decision.IMPROVED, Decision.MINIMISED, Decision.MINIMAL}


def _preload(stack: Stack, lib: str | None) -> str:
    found, is_here = probe.preloaded(stack, lib, LocalHost())
    if not is_here:
        typer.echo(f"warning: the library of stack {stack.name} is not on this host: the file names {found}", err=True)
    return found
