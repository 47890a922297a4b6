"""Find the best profile of a network stack for this host and this traffic, and confirm it by measurement.

The words of this project, used in code, output and documents:

Parameter    one setting of a stack, named everywhere by its environment variable (`XLIO_RX_POLL`).
Catalogue    all parameters of a stack, with type, default, range, unit, releases, risk. Data, not code.
Stack        a way to run a program's sockets: `kernel`, `xlio`, … It knows how it is loaded into a program and
             how loading is verified.
Profile      a stack and values for some of its parameters. Whatever can be measured is a profile:
             "candidate", "baseline" and "winner" are roles, not classes.
Host         a machine. Every question about one goes through it; a pair is the host of the server and that of the client.
Benchmark    the program that measures between a server and a client: sockperf.
Workload     what the benchmark does: traffic and CPUs. Measurements of different workloads are never compared.
Run          a noun: one execution of the benchmark (server and client).
Measurement  what one run reported, unrounded, in µs and msg/s.
Block        one workload measured once for each of several profiles, close in time, in random order.
             Comparisons are made inside blocks.
Trial        one profile measured in one or more blocks against the baseline, with a status.
Objective    the rule from a trial to one number, recomputable from what is stored.
Optimizer    proposes settings (`ask`) and learns their results (`tell`).
Session      one tuning, from calibration to verdict. The store is its only memory.
Verdict      the result of the confirmation: improved by how much, with its confidence interval, or not improved.
Report       a view of stored sessions, never the source of anything.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tuner.version import __version__

if TYPE_CHECKING:  # what `__getattr__` hands on, for type checkers and editors
    from tuner.api import calibrate as calibrate
    from tuner.api import check as check
    from tuner.api import compare as compare
    from tuner.api import measure as measure
    from tuner.api import minimise as minimise
    from tuner.api import resume as resume
    from tuner.api import tune as tune
    from tuner.catalogue.places import Places as Places
    from tuner.errors import BaselineFailed as BaselineFailed
    from tuner.errors import HostLost as HostLost
    from tuner.errors import MissingTool as MissingTool
    from tuner.errors import StoreError as StoreError
    from tuner.errors import TunerError as TunerError
    from tuner.errors import UsageError as UsageError
    from tuner.runs.launch import Loading as Loading
    from tuner.session.answer.answers import Answer as Answer
    from tuner.session.answer.answers import CalibrateAnswer as CalibrateAnswer
    from tuner.session.answer.answers import CompareAnswer as CompareAnswer
    from tuner.session.answer.answers import MeasureAnswer as MeasureAnswer
    from tuner.session.answer.answers import MinimiseAnswer as MinimiseAnswer
    from tuner.session.answer.answers import TuneAnswer as TuneAnswer
    from tuner.session.answer.parts import Decision as Decision
    from tuner.session.measuring.progress import Progress as Progress
    from tuner.session.measuring.progress import Silent as Silent
    from tuner.session.setup.fitness import Fitness as Fitness
    from tuner.session.setup.request import Search as Search
    from tuner.session.setup.request import Setup as Setup
    from tuner.session.setup.request import Task as Task
    from tuner.session.workspace import Ongoing as Ongoing
    from tuner.session.workspace import Workspace as Workspace

_HOMES: Final = {
    "tuner.api": ("calibrate", "check", "compare", "measure", "minimise", "resume", "tune"),
    "tuner.catalogue.places": ("Places",),
    "tuner.errors": ("BaselineFailed", "HostLost", "MissingTool", "StoreError", "TunerError", "UsageError"),
    "tuner.runs.launch": ("Loading",),
    "tuner.session.answer.answers": (
        "Answer",
        "CalibrateAnswer",
        "CompareAnswer",
        "MeasureAnswer",
        "MinimiseAnswer",
        "TuneAnswer",
    ),
    "tuner.session.answer.parts": ("Decision",),
    "tuner.session.measuring.progress": ("Progress", "Silent"),
    "tuner.session.setup.fitness": ("Fitness",),
    "tuner.session.setup.request": ("Search", "Setup", "Task"),
    "tuner.session.workspace": ("Ongoing", "Workspace"),
}
"""The API: its names, and the modules that are loaded when one of them is asked for."""
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}
__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - names, computed


def __getattr__(name: str) -> Any:
    """Return a name of the API, so that `import tuner` alone loads nothing else."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
