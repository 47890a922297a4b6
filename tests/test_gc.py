"""`sessions gc` drops what programs printed and nothing that a verdict, a summary or a report is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Tuner
from sessions import PLAN, polling_helps, tune

from tuner.errors import StoreError
from tuner.records import State
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.judgement import judge
from tuner.store import Store, bulk, outputs
from tuner.store.bulk import DROPPED
from tuner.store.outputs import KEPT_CHARACTERS, MOST_WHOLE

LONG = " XLIO INFO   : something that a library says at length\n" * 60


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """Return the results folder of a tuning whose programs say much."""
    host = SimulatedHost(
        polling_helps, banner=lambda _environment: " XLIO INFO   : TUNER_KERNEL_VERSION: 0.1.0\n" + LONG
    )
    tune(tmp_path / "results", host, PLAN)
    return tmp_path / "results"


def stored_bytes(at: Path) -> int:
    return sum(each.stat().st_size for each in at.glob("tuner.db*"))


def test_verdict_summary_and_judgement_are_the_same_afterwards_and_the_store_is_smaller(at: Path, tuner: Tuner) -> None:
    store = Store.reading(Results(at))
    before, told = store.session("latest"), summary(store, store.session("latest"))
    size = stored_bytes(at)
    dry = tuner("sessions", "gc", "--older-than", "0", "--dry-run", "--json").json
    assert not dry["dropped"]
    assert stored_bytes(at) == size
    done = tuner("sessions", "gc", "--older-than", "0", "--json").json
    assert (done["characters"], done["dropped"]) == (dry["characters"], True)
    again = Store.reading(Results(at))
    assert again.session("latest") == before
    assert summary(again, before) == told
    assert judge(again, before).equal
    assert stored_bytes(at) < 0.8 * size
    said = again.runs(before.id)[0].evidence["server"]["stderr"]
    assert said.startswith(" XLIO INFO   : TUNER_KERNEL_VERSION")
    assert DROPPED in said
    assert len(said) < KEPT_CHARACTERS + 100
    assert tuner("sessions", "gc", "--older-than", "0", "--json").json["sessions"] == []


def test_young_sessions_small_ones_and_those_that_go_on_stay_as_they_are(at: Path, tuner: Tuner) -> None:
    assert tuner("sessions", "gc", "--json").json["sessions"] == []
    assert tuner("sessions", "gc", "--older-than", "0", "--larger-than", "1GB", "--json").json["sessions"] == []
    store = Store.existing(Results(at))
    row = store.session("latest")
    store.close_session(row.id, State.STOPPED, row.spent_s, row.verdict)
    assert tuner("sessions", "gc", "--older-than", "0", "--json").json["sessions"] == []


def test_every_long_output_is_cut_however_few_runs_are_read_and_written_at_once(
    at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.store.bulk._AT_ONCE", 2)
    monkeypatch.setattr("tuner.store.database._AT_ONCE", 3)
    store = Store.existing(Results(at))
    found = bulk.bulky(store, bulk.Asked())
    runs = store.runs(found[0].session.id)
    assert [each.runs for each in found] == [len(runs)]
    bulk.drop(store, found)
    cut = store.runs(found[0].session.id)
    assert all(len(run.evidence["client"]["stderr"]) < KEPT_CHARACTERS + 100 for run in cut)
    assert [run.evidence["environment"] for run in cut] == [run.evidence["environment"] for run in runs]
    assert bulk.bulky(store, bulk.Asked()) == []


def test_an_output_that_would_give_back_nothing_stays_whole() -> None:
    whole = {"server": {"stdout": "x" * MOST_WHOLE, "stderr": "x" * (MOST_WHOLE + 1)}}
    server = outputs.cut(whole, DROPPED, MOST_WHOLE)["server"]
    assert isinstance(server, dict)
    assert server["stdout"] == whole["server"]["stdout"]
    assert len(server["stderr"]) < KEPT_CHARACTERS + 100


@pytest.mark.parametrize(
    ("option", "value"), [("--older-than", "soon"), ("--larger-than", "-1"), ("--larger-than", "1TB")]
)
def test_what_is_no_age_or_size_is_refused(at: Path, tuner: Tuner, option: str, value: str) -> None:
    ended = tuner("sessions", "gc", option, value)
    assert ended.status == 2
    assert option in ended.err
    assert at.is_dir()


def test_a_store_that_cannot_be_written_loses_nothing(at: Path) -> None:
    store = Store.reading(Results(at))
    row = store.session("latest")
    with pytest.raises(StoreError):
        store.amend_runs(row.id, {run.number: run.evidence for run in store.runs(row.id)})
