"""The module of a stack that a user has added: code beside its catalogue, run only where nobody else can have put it.

Profiles, catalogues and results are data and may come from anybody; a module is a program. So it is taken from one
folder only, the user's own (`$XDG_DATA_HOME/tuner/stacks`), and only when file and folder belong to this user or to
root and nobody else may write there: what could change it could change the user's other programs too.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path
from typing import Final

from tuner.errors import Finding, UsageError, error
from tuner.stacks.stack import Stack
from tuner.terminal_text import shown

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_ADVICE: Final = "see docs/adding-a-stack.md"


def record(path: Path) -> Stack:
    """Return the record `STACK` of a module; raise `UsageError` where it is not to be trusted, or has none."""
    if not path.is_file():
        raise UsageError(f"stack {path.stem} has a catalogue and no module: there is no {path}", advice=_ADVICE)
    if findings := [found for place in (path.parent, path) for found in _doubts(place)]:
        raise UsageError(f"{path} is not run", findings=findings, advice=_ADVICE)
    found = _run(path)
    if not isinstance(found, Stack) or found.name != path.stem:
        raise UsageError(f"{path} has no record STACK of a stack {path.stem}", advice=_ADVICE)
    return found


def _doubts(place: Path) -> list[Finding]:
    """Return why somebody else than this user, or root, may have written a file or a folder."""
    status = place.stat()
    found = []
    if status.st_uid not in {0, os.geteuid()}:
        found.append(error(str(place), "belongs to another user", "copy it, so that it is yours"))
    if status.st_mode & _OTHERS_WRITE:
        found.append(error(str(place), "can be written by others", f"chmod go-w {place}"))
    return found


def _run(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(f"tuner_stack_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python module", advice=_ADVICE)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as reason:  # whatever a stranger's code does wrong is said of its file
        raise UsageError(f"{path} cannot be run: {type(reason).__name__}: {shown(str(reason))[:200]}") from reason
    return getattr(module, "STACK", None)
