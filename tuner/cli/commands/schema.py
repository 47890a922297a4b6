"""`tuner params import-schema`: parameters and defaults of a release that came after this package."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tuner import atomic_file
from tuner.catalogue import overlays, places
from tuner.cli.options import Json
from tuner.cli.screen.output import print_json
from tuner.errors import Finding, UsageError
from tuner.profiles.profile import errors_in
from tuner.stacks.xlio_schema import read_schema
from tuner.untrusted import text_of


def import_schema(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON Schema of XLIO's configuration.")],
    stack_version: Annotated[str, typer.Option("--stack-version", metavar="RELEASE", help="The release it is of.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there instead of your data folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Add the parameters of a new release, from its schema.

    Adds new parameters, other defaults and other keys to the catalogue. They are written to
    ~/.local/share/tuner/catalogue/xlio-RELEASE.toml (XDG_DATA_HOME), where every command finds it; remove that file
    to undo it.

    \b
    Examples:
      tuner params import-schema xlio_config_schema.json --stack-version 3.80.0
    """
    text = text_of(file, overlays.MOST_BYTES, "a schema")
    if isinstance(text, Finding):
        raise UsageError(f"{file} cannot be imported", findings=[text])
    made, findings = read_schema(text, str(file), stack_version)
    if errors_in(findings):
        raise UsageError(f"{file} cannot be imported", findings=findings)
    path = output or places.data_of(os.environ) / places.OVERLAYS / f"{made.stack}-{stack_version}.toml"
    atomic_file.save(path, overlays.write(made), overwrite=True)
    overlays.read(path)
    if json:
        said = {"path": str(path), "new": sorted(made.parameters), "defaults": dict(made.defaults)}
        print_json(said | {"keys": sorted(made.keys), "findings": [asdict(one) for one in findings]})
        return
    for finding in findings:
        typer.echo(finding, err=True)
    typer.echo(f"{path}: new {len(made.parameters)}, other defaults {len(made.defaults)}, other keys {len(made.keys)}")
