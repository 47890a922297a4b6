"""Commands of the program: how a test carries one out, what one left behind when it ended, and how one reads.

- The fixture `tuner` calls the program in the process of the tests: for what a command says, and with stand-ins.
- `run` gives it a process of its own: for sessions that start programs, with a folder and an environment of their own.
- `STARTED` are the first words of a command that really starts an interpreter: for what depends on how the program begins
  and ends, on its streams, on signals, on what it imports, and on what Python itself reads in the environment.
"""

from __future__ import annotations

import atexit
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typer import Context
from typer.main import get_command

from tuner.cli import entry
from tuner.cli.main import program

STARTED: Final = (sys.executable, "-m", "tuner")

# To import what a session needs takes longer than a short session computes. No command has run in the process that commands
# are forked from, and nothing of `tuner.cli` is imported there beyond `main`: options name the stacks of who asks.
_IMPORTED: Final = [
    "tuner.api",
    "tuner.export",
    "tuner.python.functions",
    "tuner.report.files",
    "tuner.report.summary",
    "tuner.runs.histogram",
    "tuner.search.bayesian",
    "jinja2",
    "sqlalchemy.dialects.sqlite",
]
_FORKED: Final = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(_IMPORTED)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Tuner = Callable[..., Ended]


def command(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command, or the noun, that the first words name, and the words behind it."""
    found: Any = get_command(program())
    while words and hasattr(found, "commands"):
        assert words[0] in found.commands, words
        _, found, words = found.resolve_command(Context(found), words)
    return found, words


def run(
    folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, limit_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Carry out a command in `folder` to its end, as `subprocess.run` would, in a process that begins with all imported.

    Raises `subprocess.TimeoutExpired` after `limit_s`.
    """
    with tempfile.TemporaryDirectory() as kept:
        said = [Path(kept) / name for name in ("out", "err")]
        given = dict(os.environ if environ is None else environ)
        process = _FORKED.Process(target=_carry_out, args=(arguments, folder, given, said))
        process.start()
        process.join(limit_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, limit_s)
        return subprocess.CompletedProcess(arguments, process.exitcode, *(path.read_text("utf-8") for path in said))


def _carry_out(arguments: tuple[str, ...], folder: Path, environ: dict[str, str], said: list[Path]) -> None:
    """Become the program: its words, folder, environment and streams, no other file, and what it does when it ends."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for number, path in enumerate((Path(os.devnull), *said)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115 - the same
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [STARTED[-1], *arguments]
    try:
        entry.main()
    finally:
        atexit._run_exitfuncs()
