"""`tuner serve`: pages that show the sessions of a store while they run."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tuner.cli import options
from tuner.results import Results

Port = Annotated[int, typer.Option("--port", metavar="PORT", help="The port; 0 takes a free one.")]
Address = Annotated[
    str,
    typer.Option("--address", metavar="ADDRESS", help="Listen there; whoever comes needs the token that is printed."),
]
Name = Annotated[
    list[str] | None, typer.Option("--name", metavar="HOST", help="A name that browsers know this host by; repeatable.")
]
AllowStart = Annotated[
    bool, typer.Option("--allow-start", help="Let who has the token start and stop sessions on this host.")
]
Token = Annotated[bool, typer.Option("--token", help="Ask for a token on this host's own address too.")]


@options.made_from_options(where=options.where)
def serve(
    port: Port = 8750,
    address: Address = "127.0.0.1",
    name: Name = None,
    token: Token = False,
    allow_start: AllowStart = False,
    *,
    where: Results,
) -> None:
    """Show the sessions of a store as pages, live as they run.

    Running sessions with their phase, what leads and by how much, and who disturbs them; the report of each session;
    the comparison of several; what profiles are worth where. Only this host can open the pages unless --address says otherwise. It runs at a
    low priority, off the CPUs that are measured, asks no other host for anything, and only reads, unless
    --allow-start lets sessions be started from a page. It needs the extra `stack-tuner[serve]`.

    \b
    Examples:
      tuner serve
      tuner serve --results DIR --port 0
      tuner serve --store postgresql+psycopg://tuner@db/fleet --token
      tuner serve --address 0.0.0.0 --name box.example
      tuner serve --allow-start
    """
    from tuner.serve import server, starting

    server.check_installed()
    at = server.Address(address, port, tuple(name or ()), token)
    if allow_start:
        serving = partial(server.serve, where, at, typer.echo)
        if status := starting.with_starter(where, os.environ, Path.cwd(), serving):
            raise typer.Exit(status)
    else:
        server.serve(where, at, typer.echo)
