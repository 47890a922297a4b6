"""`tuner verify`: does the installed library really do what a profile says?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner import catalogue, stacks
from tuner.cli import options
from tuner.cli.ends import Ends, connected, ends
from tuner.cli.options import AnyStack, Json, Lib, made_from_options
from tuner.cli.screen.output import print_json, table
from tuner.errors import UsageError
from tuner.hosts.host import HERE, Host

if TYPE_CHECKING:
    from tuner.profiles.profile import Profile
    from tuner.stacks.verification import Verified


@made_from_options(hosts=ends)
def verify(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name, STACK/NAME or a path to a .toml.")],
    stack: AnyStack = None,
    lib: Lib = None,
    json: Json = False,
    *,
    hosts: Ends,
) -> None:
    """Show what the installed library makes of each setting.

    Starts an empty program with the library and reads its banner. It takes a moment, measures nothing and needs no
    card. Exit status 0: everything was applied, or was replaced by a rule that this release is known to have; 1: the
    library was not loaded, or something came out differently: clamped, defaulted, ignored, or not as predicted. What a library's
    banner never tells is `not shown`: nothing is known of it, and it changes no exit status.

    \b
    Examples:
      tuner verify latency
      tuner verify xlio/latency --lib /usr/lib64/libxlio.so
      tuner verify profiles/vma/mine.toml --json
      tuner verify xlio/latency --server ssh://box1 --client ssh://box2
    """
    from tuner.hosts.local import LocalHost
    from tuner.hosts.pair import Pair
    from tuner.profiles.library import as_written, shelves

    written = as_written(profile, stack, shelves(os.environ, Path.cwd()))
    server, client = connected(hosts, LocalHost())
    pair = Pair(server, client or server)
    answers = [_answer(written, lib, host) for host in pair.hosts]
    if json:
        rows = [answer.to_dict() | ({} if pair.is_here else {"host": answer.host}) for answer in answers]
        print_json(rows[0] if len(rows) == 1 else {"hosts": rows})
    else:
        typer.echo("\n\n".join("\n".join(_lines(answer)) for answer in answers))
    if not all(answer.applied for answer in answers):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of each setting of a profile under a library, and what else has to be said of it."""

    stack: str
    release: str
    library: str
    profile: str
    settings: tuple[Verified, ...]
    warnings: tuple[str, ...]
    host: str = HERE

    @property
    def applied(self) -> bool:
        """Whether nothing speaks against any of the settings."""
        return all(each.fine for each in self.settings)

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return {
            "stack": self.stack,
            "version": self.release,
            "library": self.library,
            "profile": self.profile,
            "applied": self.applied,
            "settings": [each.to_dict() for each in self.settings],
            "warnings": self.warnings,
        }


def _answer(profile: Profile, lib: Path | None, host: Host) -> _Answer:
    """Return what became of each setting of a profile under the library of a host."""
    from tuner.session.setup.readback import verified
    from tuner.stacks import probe

    target = stacks.named(profile.stack)
    path = probe.usable(target, lib, host)
    banner = probe.banner(target, [path], profile.settings, host)
    settings = verified(target, profile.settings, banner)
    doubt = _unknown(target.name, banner.release)
    warnings = (*banner.warnings, *doubt)
    return _Answer(target.name, banner.release, str(path), profile.name, tuple(settings), warnings, host.name)


def _unknown(stack: str, release: str) -> list[str]:
    """Return what has to be said of a release that the catalogue does not list, nothing of one that it does."""
    known = catalogue.load(stack)
    if not release:
        return [f"the banner names no release: it is read as {known.releases[-1]}, the newest"]
    remark = known.taken(release).remark
    return [remark] if remark else []


def release_of_library(lib: Path, stack: str | None) -> str:
    """Return the release that a library's banner names; raise `UsageError` or `MissingTool` when it names none."""
    from tuner.hosts.local import LocalHost
    from tuner.stacks import probe

    if stack is None:
        raise UsageError("--lib needs the stack of the library", advice=f"add --stack: {options.STACK_NAMES}")
    target = stacks.named(stack)
    host = LocalHost()
    found = probe.banner(target, [probe.usable(target, lib, host)], {}, host).release
    if not found:
        raise UsageError(f"the banner of {lib} names no release", advice="say it with --stack-version RELEASE")
    return found


def _lines(answer: _Answer) -> Iterable[str]:
    where = "" if answer.host == HERE else f"  on {answer.host}"
    yield f"{answer.stack} {answer.release}  {answer.library}{where}"
    rows = [
        (each.name, each.asked, each.shown if each.shown is not None else "–", each.status, each.why)
        for each in answer.settings
    ]
    yield table(("VARIABLE", "ASKED", "SHOWN", "BECAME", "WHY"), rows) if rows else "the profile sets nothing"
    yield from (f"the library warns: {words}" for words in answer.warnings)
