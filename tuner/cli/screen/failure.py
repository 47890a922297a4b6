"""What a user sees of an error: one screen on a terminal, everything where it is piped, and JSON where that was asked for."""

from __future__ import annotations

import errno
import os
import platform
import re
import resource
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final, TextIO

from tuner.cli.screen.output import print_json, wrapped
from tuner.cli.screen.terminal import columns, terminal
from tuner.database_url import hidden
from tuner.errors import Busy, ProgramNotExecutable, ProgramNotFound, TunerError, UsageError, limit_of, of_memory
from tuner.terminal_text import shown
from tuner.version import __version__

DEBUG: Final = "TUNER_DEBUG"
"""The environment variable that lets a bug show its traceback."""
_STATUS: Final = ((UsageError, 2), (Busy, 75), (ProgramNotFound, 127), (ProgramNotExecutable, 126))
# The command line that was typed, the message and the advice are on the screen too.
_BESIDE_FINDINGS: Final = 6


def told(reason: Exception, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Say on stderr what became of a command, and return the exit status; what nobody foresaw is a bug."""
    if isinstance(reason, TunerError):
        return tell(reason, arguments)
    if of_memory(reason):
        return tell(_no_memory(), arguments)
    if isinstance(reason, OSError):
        return tell(_refused(reason), arguments)
    return tell_bug(reason, arguments, debug=bool(environ.get(DEBUG)))


def _no_memory() -> TunerError:
    """Return what is said where no memory is left: how much this process may have, where somebody limits it."""
    limit_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    limited = limit_bytes != resource.RLIM_INFINITY
    room = f" within the {limit_bytes >> 20} MB that this process may have" if limited else ""
    advice = f"all runs are kept; {'raise the limit (`ulimit -v`)' if limited else 'end other programs'} and try again"
    return TunerError(f"there is not enough memory{room}", advice=advice)


def _refused(reason: OSError) -> TunerError:
    """Return what is said of what the system refused: what, of which file, and what next."""
    if reason.errno == errno.ENOENT and not reason.filename and _is_nowhere():
        return TunerError("the current folder was removed", advice="change to another one")
    if gone := _temporary_gone(reason):
        advice = "make it again, or let TMPDIR name another one; all runs are kept"
        return TunerError(f"the folder for temporary files, {gone}, was removed", advice=advice)
    what = f"{reason.strerror or reason}{f': {shown(str(reason.filename))}' if reason.filename else ''}"
    return TunerError(what, advice="; ".join(filter(None, [limit_of(reason), "all runs are kept"])))


def _is_nowhere() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _temporary_gone(reason: OSError) -> str:
    """Return the folder for temporary files where something is not found because it is gone, else an empty text."""
    folder = tempfile.gettempdir() if reason.errno == errno.ENOENT and reason.filename else ""
    inside = folder and str(reason.filename).startswith(folder + os.sep)
    return shown(folder) if inside and not Path(folder).is_dir() else ""


def _on_its_line(reason: TunerError, arguments: Sequence[str]) -> TunerError:
    """Return an error in which no name that was typed begins a new line."""
    names = [part for word in arguments if "\n" in word for part in re.split("[/=]", word) if "\n" in part]

    def said(text: str) -> str:
        for name in names:
            text = text.replace(name, shown(name))
        return text

    findings = [replace(each, where=said(each.where), message=said(each.message)) for each in reason.findings]
    return TunerError(said(reason.message), findings=findings, advice=said(reason.advice)) if names else reason


def tell(reason: TunerError, arguments: Sequence[str]) -> int:
    """Say on stderr what is wrong, where, and what next, and return the exit status."""
    _say(_screen(_on_its_line(reason, arguments), sys.stderr))
    if "--json" in arguments:
        findings = [asdict(finding) for finding in reason.findings]
        answer = {"error": reason.message, "findings": findings, "advice": reason.advice}
        print_json(answer | ({"verdict": "failed"} if status(reason) == 1 else {}))
    return status(reason)


def status(reason: TunerError) -> int:
    """Return the exit status that an error ends a command with; programs that do not start end as under `env`."""
    return next((number for kind, number in _STATUS if isinstance(reason, kind)), 1)


def tell_bug(bug: Exception, arguments: Sequence[str], *, debug: bool) -> int:
    """Say that this program is wrong and not its user, keep the traceback in a file, and return the exit status."""
    frames = traceback.extract_tb(bug.__traceback__)
    at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    kept = _kept(bug, arguments)
    if debug:
        traceback.print_exception(bug)
    summary = hidden(" ".join(f"{type(bug).__name__}: {bug}".split()))
    hint = "" if debug else f"; {DEBUG}=1 shows the traceback"
    advice = f"please report it with {kept}{hint}"
    return tell(TunerError(f"this is a bug in tuner: {summary}{at}; all runs are kept", advice=advice), arguments)


def _screen(reason: TunerError, stream: TextIO) -> list[str]:
    """Return the lines of an error, wrapped and not more than a terminal has rows."""
    width = columns(stream)
    head = wrapped(f"error: {reason.message}", width).splitlines()
    findings = [wrapped(f"  {finding}", width, "    ") for finding in reason.findings]
    advice = wrapped(f"  → {reason.advice}", width, "    ").splitlines() if reason.advice else []
    found = terminal(stream, {})
    room = found.size()[1] - len(head) - len(advice) - _BESIDE_FINDINGS if found else sys.maxsize
    return [*head, *_fitting(findings, room), *advice]


def _fitting(findings: Sequence[str], room: int) -> list[str]:
    """Return the findings that have room, at least one, and how many have not."""
    taken: list[str] = []
    for at, finding in enumerate(findings):
        lines = finding.splitlines()
        if taken and len(taken) + len(lines) > room:
            return [*taken, f"  … and {len(findings) - at} more: `2>&1 | less` shows all"]
        taken += lines
    return taken


def _say(lines: Sequence[str]) -> None:
    try:
        sys.stderr.write("\n".join([*lines, ""]))
    except OSError:  # nobody listens; the exit status still says it
        return


def _kept(bug: Exception, arguments: Sequence[str]) -> str:
    """Return the file that now holds all that is needed to find the bug, or why there is none."""
    told = hidden("".join(traceback.format_exception(bug)))
    host = f"tuner {__version__}, Python {platform.python_version()}, {platform.platform()}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tuner-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write(f"{host}\narguments: {hidden(repr(list(arguments)))}\n\n{told}")
    except OSError as reason:
        return f"the traceback ({DEBUG}=1 shows it; no file was written: {reason.strerror})"
    return file.name
