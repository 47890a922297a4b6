"""`tuner check`: is this host fit to measure?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuner.cli import options, work
from tuner.cli.output import print_json
from tuner.errors import TunerError


def check(
    stack: Annotated[str, typer.Option("--stack", help="kernel or xlio.")] = "kernel",
    lib: options.Lib = None,
    sockperf: options.Sockperf = "sockperf",
    results: options.Results = Path("results"),
    json: options.Json = False,
) -> None:
    """Say whether this host is fit to measure: what is missing, what makes it noisy, and what to do about it.

    Exit status 0: fit, or fit with doubts; 1: something that is needed is missing.

    \b
    Examples:
      tuner check
      tuner check --stack xlio --lib /opt/xlio/lib/libxlio.so
    """
    from tuner.hosts.local import LocalHost
    from tuner.session.prepare import examine

    found = examine(stack, lib, sockperf, results, LocalHost())
    facts = work.host_facts(stack)
    if json:
        print_json({"fit": all(part["ok"] for part in found), "parts": found, "host": facts})
    else:
        typer.echo("\n".join([*map(_line, found), *_host(facts)]))
    if not all(part["ok"] for part in found):
        raise TunerError("this host cannot measure yet", advice="see the lines marked with ✗")


def _line(part: dict[str, Any]) -> str:
    advice = f"\n      → {part['advice']}" if part["advice"] else ""
    return f"{'✓' if part['ok'] else '✗'} {part['part']}: {part['says']}{advice}"


def _host(facts: dict[str, Any]) -> list[str]:
    known = [f"  {name}: {value}" for name, value in facts.items() if value is not None and name != "doubts"]
    doubts = [f"! {doubt['what']}\n      → {doubt['advice']}" for doubt in facts["doubts"]]
    return [*doubts, "host", *known]
