"""`tuner import`: a profile out of a file in which settings are deployed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from tuner import catalogue
from tuner.catalogue import facts
from tuner.cli import options
from tuner.cli.screen.output import print_json
from tuner.errors import Finding, UsageError, warning
from tuner.profiles.profile import Place, Profile, errors_in, problems

# Larger than any form of a profile, whose own file has at most 64 KiB.
_MOST_BYTES: Final = 1024 * 1024
_NO_NAME: Final = re.compile(r"[^a-z0-9_.-]+")


Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", "--out", metavar="PROFILE.toml", help="Write the profile here, not to stdout."),
]


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to read.")],
    source: Annotated[str, typer.Option("--from", metavar="FORM", help="Its form; see `tuner export --list`.")],
    out: Output = None,
    stack: Annotated[
        str | None,
        typer.Option("--stack", metavar="STACK", help=f"{options.STACK_NAMES}, where LD_PRELOAD does not say it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a profile that exists.")] = False,
    json: options.Json = False,
) -> None:
    """Read settings back from a form in which they are deployed, check them, and write them as a profile.

    Nothing in the file is run or expanded. Variables that are not the stack's are named and left out.

    \b
    Examples:
      tuner import /etc/default/app --from env --stack xlio
      tuner import app.env --from env -o profiles/kernel/app.toml
    """
    from tuner.export import form
    from tuner.profiles.files import save, write

    found = form(source).read(_text(file), str(file))
    if findings := errors_in(found.findings):
        raise UsageError(f"{file} cannot be read in the form {source}", findings=findings)
    profile, left_out = _profile(found.variables, stack, out.stem if out else _name(file), file)
    notes = [*found.findings, *left_out, *problems(profile, source=str(file))]
    if errors := errors_in(notes):
        raise UsageError(f"{file} sets what {profile.stack} would not take", findings=errors)
    for note in notes:
        typer.echo(note, err=True)
    if out is not None:
        save(profile, out, overwrite=force)
    if json:
        print_json(_answer(profile, out, notes))
    else:
        typer.echo(str(out) if out else write(profile), nl=out is not None)


def _answer(profile: Profile, out: Path | None, notes: Sequence[Finding]) -> dict[str, Any]:
    answer = {"name": profile.name, "stack": profile.stack, "settings": dict(profile.settings)}
    return answer | {"path": str(out) if out else None, "findings": [asdict(note) for note in notes]}


def _text(file: Path) -> str:
    if not file.is_file():  # a pipe or a device would be read for ever
        raise UsageError(f"{file} {'is not a file' if file.exists() else 'does not exist'}")
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(f"{file} is larger than {_MOST_BYTES} bytes: too large for a profile")
        return data.decode("utf-8-sig")
    except OSError as reason:
        raise UsageError(f"cannot read {file}: {reason.strerror}") from reason
    except UnicodeDecodeError as reason:
        raise UsageError(f"{file} is not UTF-8 text") from reason


def _profile(variables: Mapping[str, str], stack: str | None, name: str, file: Path) -> tuple[Profile, list[Finding]]:
    """Return the stack's settings as a profile, and what of `variables` is not the stack's."""
    from tuner.stacks.inheritance import PRELOAD, stack_of

    named = stack or stack_of(variables.get(PRELOAD, ""))
    if named is None:
        raise UsageError(f"{file} does not say which stack it is for", advice="add --stack")
    prefix, known = facts.load(named).prefix, catalogue.load(named).parameters
    settings = {key: value for key, value in variables.items() if key.startswith(prefix) or key in known}
    others = [key for key in variables if key not in settings and key != PRELOAD]
    message = f"is no variable of {named} and is left out"
    profile = Profile(name, named, settings, f"Imported from {file.name!r}.", place=Place.FILE)
    return profile, [warning(f"{file}: {key}", message) for key in others]


def _name(file: Path) -> str:
    return _NO_NAME.sub("-", file.stem.lower()).strip("-._") or "imported"
