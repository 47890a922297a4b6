"""Readers that need more than a text, for `benchmarks/fuzz.py`: each takes a text and raises whatever is no `TunerError`."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from tuner import database_url, intake, json_text
from tuner.errors import TunerError
from tuner.export import forms, merge
from tuner.export.form import Deployment
from tuner.hosts.wire import Incoming
from tuner.judging import guards, own_goal
from tuner.profiles.profile import Profile
from tuner.runs import full_log, recipe_text, shipped_recipes, sockperf, workload
from tuner.runs.workload import Mode, Workload
from tuner.search import restriction, space
from tuner.stacks.onload import proof
from tuner.store import columns

FORMS: Final = tuple(intake.forms().values())
EDITED: Final = tuple(form for form in forms().values() if form.editor)
DEPLOYED: Final = Deployment(Profile("fuzzed", "xlio", settings={"XLIO_RX_POLL": "-1"}), "/lib/libxlio.so", "XLIO_")
LATENCY: Final = Workload()
THROUGHPUT: Final = Workload(mode=Mode.THROUGHPUT)


def each_of(calls: Iterable[Callable[[], object]]) -> None:
    """Call each, whatever another said of its text."""
    for call in calls:
        with contextlib.suppress(TunerError):
            call()


def every_form(text: str) -> None:
    """Read a text in every form of `tuner import`, and ask which of them it is in."""
    source = intake.Source(text, "f", "f")
    intake.recognised(source)
    each_of(lambda form=form: form.read(source) for form in FORMS)  # type: ignore[misc]


def every_edit(text: str) -> None:
    """Put a profile into a text that is somebody else's, in every form of `tuner apply` that does so."""
    each_of(lambda form=form: merge.merged(form, text, DEPLOYED) for form in EDITED)  # type: ignore[misc]


def benchmark_output(text: str) -> None:
    """Read a text as what sockperf printed, of latencies and of throughput, and as its help and its version."""
    each_of([lambda: sockperf.parse(text, text, LATENCY), lambda: sockperf.parse(text, text, THROUGHPUT)])
    sockperf.features(text, text, text)
    each_of([lambda: sockperf.playback_time_s(text)])


def logged(text: str) -> None:
    """Read a text as sockperf's log of all observations."""
    full_log.observed(io.BytesIO(text.encode("utf-8", "replace")), LATENCY, 1)


def recipe_output(text: str) -> None:
    """Look for the numbers of a recipe in a text, as JSON and by a regular expression."""
    for call in (lambda: recipe_text.led_to("a[*].b", text, several=True), lambda: recipe_text.number(text)):
        with contextlib.suppress(recipe_text.NotFound):
            call()
    recipe_text.regex_problem(text, 1)
    recipe_text.path_problem(text)


@cache
def _of_recipe() -> Workload:
    return workload.of_recipe(shipped_recipes.every()["redis"])


def limits(text: str) -> None:
    """Read a text as a guard and as an objective."""
    each_of([lambda: guards.parse([text]), lambda: own_goal.own_goal(text, _of_recipe())])


@cache
def _space() -> space.SearchSpace:
    return space.load("xlio", "latency", multiplexer=None, protocol="udp")


def space_option(text: str) -> None:
    """Read a text as `--space` has it."""
    restriction.restrict(_space(), text)


def store_url(text: str) -> None:
    """Read a text as the URL of a store, and show it."""
    database_url.hidden(text)
    database_url.shown(database_url.checked(text))
    database_url.file_of(text)


def notices(text: str) -> None:
    """Read a text as what Onload and the loader say."""
    proof.notices(text)
    proof.complaints(text)
    proof.version(text)


def messages(text: str) -> None:
    """Read a text as what another host sends; what is no message is a `ValueError` there."""
    with contextlib.suppress(ValueError, RecursionError):
        for _ in Incoming(json_text.parsed).fed(text.encode("utf-8", "replace")):
            pass


def stored(text: str) -> None:
    """Read each value of a JSON object as that of a column of every table of a store."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(row, dict):
        for read, table in ((columns.run_of, columns._RUN), (columns.trial_of, columns._TRIAL)):  # noqa: SLF001
            read("s", {**dict.fromkeys(table), **row})
        columns.session_of({**dict.fromkeys(columns._SESSION), **row})  # noqa: SLF001
