"""The session that is kept as an example is a real one that this release still reads."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import example_texts

from tuner.profiles.files import read
from tuner.records import Kind
from tuner.report import files
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.launch import Loading
from tuner.session.setup.plan import ClearLead, Plan
from tuner.store import Store

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
OF_AN_EARLIER_RELEASE = Path(__file__).parent / "data" / "sessions"


def test_the_summary_of_the_example_is_made_again_from_its_database(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    store = Store.reading(Results(tmp_path))
    session = store.session("latest")
    assert summary(store, session) == (EXAMPLE / session.id / "summary.md").read_text(encoding="utf-8")


def test_the_terminal_of_the_example_says_at_its_end_what_its_database_says_today() -> None:
    recorded = example_texts.TERMINAL.read_text(encoding="utf-8")
    assert example_texts.texts(recorded)[1] == recorded


def test_the_profile_of_the_example_is_made_again_from_its_database() -> None:
    assert example_texts.profile() == read(example_texts.BEST)


def test_the_report_of_the_example_is_made_again_from_its_database() -> None:
    kept = _without_plots(example_texts.REPORT.read_text(encoding="utf-8"))
    assert _without_plots(files.as_html(example_texts.report())) == kept, "run python tests/example_texts.py"


def _without_plots(page: str) -> str:
    """Return a page without its plots: another release of what draws them may place a letter elsewhere."""
    return re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


def test_the_examples_winner_is_a_profile_that_can_be_used(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    session = Store.reading(Results(tmp_path)).session("latest")
    emitted = read(EXAMPLE / session.id / "best.toml")
    assert session.verdict is not None
    assert emitted.settings == session.verdict["winner"]["settings"]
    assert emitted.origin is not None
    assert emitted.origin["session"] == session.id


def test_the_plan_that_an_earlier_release_stored_is_read_as_what_it_meant(tmp_path: Path) -> None:
    shutil.copy(OF_AN_EARLIER_RELEASE / "tuner.db", tmp_path)
    plan = Plan.from_dict(Store.reading(Results(tmp_path)).session("latest").plan)
    assert (plan.kind, plan.objective.name, plan.load) == (Kind.TUNE, "latency", Loading.PRELOAD)
    assert plan.clear_lead == ClearLead("candidate-30", 9.8, 7)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_every_run_of_the_example_has_its_evidence(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    store = Store.reading(Results(tmp_path))
    runs = store.runs(store.session("latest").id)
    assert len(runs) > 50
    assert all("TUNER_KERNEL_VERSION" in run.evidence["client"]["stderr"] for run in runs)
