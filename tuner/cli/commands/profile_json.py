"""`tuner profiles json` and `tuner profiles import`: profiles as XLIO's own configuration (3.60 and later), and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tuner import catalogue
from tuner.cli.options import Json, release_of
from tuner.cli.screen.output import print_json
from tuner.errors import Finding, UsageError
from tuner.profiles.files import save
from tuner.profiles.library import load, shelves
from tuner.profiles.profile import Profile, errors_in
from tuner.stacks import xlio_json
from tuner.untrusted import text_of

Release = Annotated[
    str | None, typer.Option("--stack-version", metavar="RELEASE", help="The release of XLIO; the newest when absent.")
]
Inline = Annotated[bool, typer.Option("--inline", help="The text of XLIO_INLINE_CONFIG instead of a file.")]


def to_json(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="A name, STACK/NAME, or a path to a .toml.")],
    stack_version: Release = None,
    inline: Inline = False,
    json: Json = False,
) -> None:
    """Print a profile as XLIO's JSON configuration. If it cannot represent a setting, that is an error and nothing is printed.

    \b
    Examples:
      tuner profiles json xlio/latency > libxlio_config.json
      tuner profiles json xlio/nginx --inline --stack-version 3.61.2
    """
    found = load(profile, xlio_json.STACK, shelves(os.environ, Path.cwd()))
    release = release_of(catalogue.load(xlio_json.STACK), stack_version)
    text, findings = (xlio_json.to_inline if inline else xlio_json.to_json)(found.settings, release)
    _refuse(f"{found.name} cannot be expressed in {release}", findings)
    environment = {xlio_json.INLINE: text} if inline else {}
    environment = xlio_json.launched_with("FILE") | environment
    if json:
        print_json({"text": text, "release": release, "environment": environment, "findings": []})
        return
    typer.echo(text, nl=inline)
    typer.echo(f"launch with {' '.join(f'{k}={v}' for k, v in environment.items() if v != text)}", err=True)


def from_json(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON configuration, or with --inline its text.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PROFILE.toml", help="The profile to write.")],
    stack_version: Release = None,
    inline: Inline = False,
    json: Json = False,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Make a profile of XLIO's JSON configuration.

    Offload rules in it are left out, with a message.

    \b
    Examples:
      tuner profiles import /etc/libxlio_config.json -o profiles/xlio/mine.toml
    """
    release = release_of(catalogue.load(xlio_json.STACK), stack_version)
    text = text_of(file, xlio_json.MOST_BYTES, "a configuration")
    if isinstance(text, Finding):
        raise UsageError(f"{file} cannot be imported", findings=[text])
    read = xlio_json.from_inline if inline else xlio_json.from_json
    settings, findings = read(text.strip() if inline else text, str(file), release)
    _refuse(f"{file} cannot be imported", findings)
    summary = f"Imported from {file.name} of release {release}."
    save(Profile(output.stem, xlio_json.STACK, settings, summary), output, overwrite=force)
    if json:
        print_json({"path": str(output), "settings": settings, "findings": [asdict(one) for one in findings]})
        return
    for finding in findings:
        typer.echo(finding, err=True)
    typer.echo(output)


def _refuse(message: str, findings: Sequence[Finding]) -> None:
    if errors_in(findings):
        raise UsageError(message, findings=findings)
