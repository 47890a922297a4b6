"""Find the best profile of a network stack for this host and this traffic, and confirm it by measurement.

The words of this project, used in code, output and documents:

Parameter    one setting of a stack, named everywhere by its environment variable (`XLIO_RX_POLL`).
Catalogue    all parameters of a stack, with type, default, range, unit, releases, risk. Data, not code.
Stack        a way to run a program's sockets: `kernel`, `xlio`, … It knows how it is loaded into a program and
             how loading is verified.
Profile      a stack and values for some of its parameters. Whatever can be measured is a profile:
             "candidate", "baseline" and "winner" are roles, not classes.
Host         a machine. Every question about one goes through it; a pair is the host of the server and that of the client.
Benchmark    the program that measures between a server and a client.
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

from tuner.version import __version__

TYPE_CHECKING = False  # as type checkers know it; the module `typing` takes longer to load than an interpreter to start
if TYPE_CHECKING:  # what `__getattr__` hands on, for type checkers and editors
    from typing import Any, Final

    from tuner.catalogue.places import Places as Places
    from tuner.errors import BaselineFailed as BaselineFailed
    from tuner.errors import Busy as Busy
    from tuner.errors import Finding as Finding
    from tuner.errors import HostLost as HostLost
    from tuner.errors import MissingTool as MissingTool
    from tuner.errors import StoreError as StoreError
    from tuner.errors import TunerError as TunerError
    from tuner.errors import UsageError as UsageError
    from tuner.judging.statistics import Estimate as Estimate
    from tuner.judging.statistics import Gain as Gain
    from tuner.python.functions import calibrate as calibrate
    from tuner.python.functions import check as check
    from tuner.python.functions import check_regression as check_regression
    from tuner.python.functions import compare as compare
    from tuner.python.functions import history as history
    from tuner.python.functions import measure as measure
    from tuner.python.functions import minimise as minimise
    from tuner.python.functions import recommend as recommend
    from tuner.python.functions import resume as resume
    from tuner.python.functions import tune as tune
    from tuner.python.profiles import Profile as Profile
    from tuner.python.stores import OpenStore as OpenStore
    from tuner.python.stores import open_store as open_store
    from tuner.python.watching import Event as Event
    from tuner.python.watching import What as What
    from tuner.runs.own_benchmark import OwnBenchmark as OwnBenchmark
    from tuner.runs.recipe import Recipe as Recipe
    from tuner.search.optimizer import Optimizer as Optimizer
    from tuner.search.optimizer import Outcome as Outcome
    from tuner.session.answer.answers import Answer as Answer
    from tuner.session.answer.answers import CalibrateAnswer as CalibrateAnswer
    from tuner.session.answer.answers import CompareAnswer as CompareAnswer
    from tuner.session.answer.answers import Failure as Failure
    from tuner.session.answer.answers import MeasureAnswer as MeasureAnswer
    from tuner.session.answer.answers import MinimiseAnswer as MinimiseAnswer
    from tuner.session.answer.answers import TuneAnswer as TuneAnswer
    from tuner.session.answer.parts import Condition as Condition
    from tuner.session.answer.parts import Decision as Decision
    from tuner.session.answer.parts import Described as Described
    from tuner.session.answer.parts import Winner as Winner
    from tuner.session.answer.parts import Worth as Worth
    from tuner.session.history import ChangePoint as ChangePoint
    from tuner.session.history import History as History
    from tuner.session.history import Point as Point
    from tuner.session.measuring.progress import Progress as Progress
    from tuner.session.measuring.progress import Silent as Silent
    from tuner.session.recommendation import Recommendation as Recommendation
    from tuner.session.regression import Checked as Checked
    from tuner.session.setup.fitness import Fitness as Fitness
    from tuner.session.workspace import Ongoing as Ongoing
    from tuner.session.workspace import Workspace as Workspace

_HOMES: Final = {
    "tuner.catalogue.places": ("Places",),
    "tuner.errors": (
        "BaselineFailed",
        "Busy",
        "Finding",
        "HostLost",
        "MissingTool",
        "StoreError",
        "TunerError",
        "UsageError",
    ),
    "tuner.judging.statistics": (
        "Estimate",
        "Gain",
    ),
    "tuner.python.functions": (
        "calibrate",
        "check",
        "check_regression",
        "compare",
        "history",
        "measure",
        "minimise",
        "recommend",
        "resume",
        "tune",
    ),
    "tuner.python.profiles": ("Profile",),
    "tuner.python.stores": (
        "OpenStore",
        "open_store",
    ),
    "tuner.python.watching": (
        "Event",
        "What",
    ),
    "tuner.runs.own_benchmark": ("OwnBenchmark",),
    "tuner.runs.recipe": ("Recipe",),
    "tuner.search.optimizer": (
        "Optimizer",
        "Outcome",
    ),
    "tuner.session.answer.answers": (
        "Answer",
        "CalibrateAnswer",
        "CompareAnswer",
        "Failure",
        "MeasureAnswer",
        "MinimiseAnswer",
        "TuneAnswer",
    ),
    "tuner.session.answer.parts": (
        "Condition",
        "Decision",
        "Described",
        "Winner",
        "Worth",
    ),
    "tuner.session.history": (
        "ChangePoint",
        "History",
        "Point",
    ),
    "tuner.session.measuring.progress": (
        "Progress",
        "Silent",
    ),
    "tuner.session.recommendation": ("Recommendation",),
    "tuner.session.regression": ("Checked",),
    "tuner.session.setup.fitness": ("Fitness",),
    "tuner.session.workspace": (
        "Ongoing",
        "Workspace",
    ),
}
"""The API: its names, and the modules that are loaded when one of them is asked for."""
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}
__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - names, computed


def __getattr__(name: str) -> Any:
    """Return a name of the API, so that `import tuner` alone loads nothing else."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
