"""What was not shown may be believed: it is recommended where that is very probable, never claimed, and never deployed by `latest`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sessions
import simulation
from command_line import Tuner
from truths import TRUTHS

from tuner.profiles import files
from tuner.results import Results
from tuner.session.measuring.progress import Silent

SIX = TRUTHS["six-6"]
# Sessions of the benchmark of advice in which six settings of 6 % are not shown in 90 s, and in which nothing matters.
UNPROVED, NOTHING = 6, 5
# One in which the only run of a preset that is truly the best, in the search, has a hiccup that hides its whole gain.
SPOILED = 7


@pytest.fixture(scope="module")
def unproved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder, host = tmp_path_factory.mktemp("unproved"), SIX.host(f"six-6-90-{UNPROVED}")
    plan = replace(SIX.plan(), budget_s=90.0, seed=host.rng.randrange(2**31))
    return folder, sessions.carried_out(folder, host, plan, None, Silent(), host.now)


def test_a_profile_that_is_very_probably_better_is_recommended_without_being_claimed(
    unproved: tuple[Path, dict[str, Any]],
) -> None:
    folder, answer = unproved
    assert (answer["verdict"], answer["winner"]["role"], answer["winner"]["basis"]) == (
        "not improved",
        "found",
        "believed",
    )
    assert answer["gain"]["low"] <= 1.0
    assert "is probably better all the same: believed" in answer["why"]
    assert {row["basis"] for row in answer["recommended"]} == {"believed"}
    written = files.read(Results(folder).best(answer["session"]))
    assert written.settings == answer["winner"]["settings"]
    assert written.summary.startswith("Probably best for latency")
    assert "not shown to be better than default" in written.summary
    assert SIX.gain(written.settings) > 1.2


def test_what_is_only_believed_is_not_deployed_as_the_latest(
    unproved: tuple[Path, dict[str, Any]], tuner: Tuner
) -> None:
    folder, answer = unproved
    ended = tuner("export", "latest", "--to", "env", "--results", str(folder))
    assert ended.status == 3
    assert f"session {answer['session']} showed no improvement" in ended.err
    assert str(Results(folder).best(answer["session"])) in ended.err


def test_where_nothing_matters_nothing_is_recommended(tmp_path: Path) -> None:
    truth, name = TRUTHS["nothing"], f"nothing-90-{NOTHING}"
    answer = simulation.carried_out(tmp_path, truth.host(name), replace(truth.plan(), budget_s=90.0), name)
    assert (answer["verdict"], answer["winner"]["role"]) == ("not improved", "baseline")
    assert "basis" not in answer["winner"]
    assert not Results(tmp_path).best(answer["session"]).exists()


def test_a_preset_whose_only_run_in_the_search_was_spoiled_is_seen_again_and_recommended(tmp_path: Path) -> None:
    truth, name = TRUTHS["preset-10"], f"preset-10-180-{SPOILED}"
    answer = simulation.carried_out(tmp_path, truth.host(name), replace(truth.plan(), budget_s=180.0), name)
    assert (answer["winner"]["role"], answer["winner"]["profile"]) == ("known", "latency")
