"""Where the program begins: what must hold before anything else is imported, which takes a tenth of a second."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # `signal` makes enumerations first, and a Ctrl-C in that time is a traceback
import os
import sys

from tuner.interruption import AtOnce

TYPE_CHECKING = False  # `typing` takes longer than all that is done here
if TYPE_CHECKING:
    from types import FrameType
    from typing import Final, NoReturn

_INTERRUPTED: Final = 130
ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "1")
"""The linear algebra of numpy takes one thread, not one for each CPU: those would poll on the CPUs that are measured, each takes memory that
may be limited, and what a seed gives would depend on their number."""


def main() -> None:
    """Run the command line, with all three streams and without a traceback for a Ctrl-C at its beginning or end."""
    _open_missing_streams()
    os.environ.setdefault(*ONE_THREAD)
    hears = _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN  # as in the background of a shell
    if hears:
        _signal.signal(_signal.SIGINT, _leave)
    from tuner.cli.main import main as commands

    if hears:
        _signal.signal(_signal.SIGINT, AtOnce())
    try:
        commands()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        if hears:  # all is said and stored: what is left is the interpreter's end
            _signal.signal(_signal.SIGINT, _leave)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(_INTERRUPTED)


def _open_missing_streams() -> None:
    """Put /dev/null where a standard stream is closed: a database would take its number, and our messages go into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - as long as the process
