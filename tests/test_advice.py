"""The benchmark of the advice measures what it says, and sessions pass its small form: where nothing matters, nothing is claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import advice
import pytest
from advised import Claim, Files, advised
from beliefs import Role, beliefs, section
from truths import PRESET, TRUTHS, Truth

POLLING, QUICK = {"XLIO_RX_POLL": "-1"}, {"XLIO_TCP_QUICKACK": "1"}
BOTH = {**POLLING, **QUICK}
NOTHING = Files(None, None)


def described(profile: str, settings: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {"profile": profile, "settings": settings, "metrics": {"latency_p50_us": {}}, **more}


def gained(ratio: float, low: float, high: float | None) -> dict[str, Any]:
    return {"ratio": ratio, "low": low, "high": high}


def answer(winner: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """Return an answer to a tuning that judged both settings and knew the vendor's preset."""
    return {
        "verdict": "improved",
        "baseline": described("default", {}),
        "winner": described("winner", winner),
        "known": [described("default", {}), described("latency", PRESET.settings)],
        "finalists": [described("candidate-7", BOTH, gain=gained(1.7, 1.6, 1.8)), described("other", QUICK, gain=None)],
        "gain": gained(1.4, 1.2, 1.6),
        "minimised": None,
        **more,
    }


def test_a_loss_is_what_the_best_measured_profile_truly_performs_better() -> None:
    found = advised(TRUTHS["polling"], answer(POLLING), NOTHING)
    assert found.loss == pytest.approx(1 - 1.5 / 1.65)
    assert found.below_known == 0.0
    assert advised(TRUTHS["polling"], answer(BOTH), NOTHING).loss == 0.0


def test_a_known_profile_that_is_truly_best_is_what_others_lose_against() -> None:
    found = advised(TRUTHS["preset-5"], answer(BOTH), NOTHING)
    assert found.loss == found.below_known == pytest.approx(1 - 1 / 1.05)
    assert advised(TRUTHS["preset-5"], answer(PRESET.settings), NOTHING).loss == 0.0


def test_what_was_not_measured_is_nothing_to_lose_against() -> None:
    unmeasured = [described("latency", PRESET.settings) | {"metrics": {}}]
    assert advised(TRUTHS["preset-5"], answer(BOTH, known=unmeasured), NOTHING).loss == 0.0


def test_the_file_is_what_is_recommended() -> None:
    found = advised(TRUTHS["polling"], answer(POLLING), Files(BOTH, None))
    assert (found.loss, found.settings, found.worthless) == (0.0, 2, 0)


def test_settings_are_worthless_without_which_a_profile_is_as_good() -> None:
    found = advised(TRUTHS["polling"], answer({**BOTH, "XLIO_RX_POLL_YIELD": "100"}), NOTHING)
    assert (found.settings, found.worthless) == (3, 1)


def test_a_claim_is_measured_by_the_truth_of_what_it_is_about() -> None:
    truth = TRUTHS["polling"]
    assert advised(truth, answer(POLLING), NOTHING).claim == Claim(1.4, 1.2, 1.6, truth.gain(POLLING))
    assert advised(truth, answer(POLLING, gain=None), NOTHING).claim == Claim(1.7, 1.6, 1.8, truth.gain(BOTH))
    assert Claim(1.7, 1.6, 1.8, 1.65).covers
    assert not Claim(1.7, 1.66, 1.8, 1.65).covers
    assert Claim(1.1, 1.01, 1.2, 1.0).overclaim == pytest.approx(0.1)


def test_claims_are_false_where_nothing_is_better_also_over_the_best_known_profile() -> None:
    assert advised(TRUTHS["nothing"], answer(POLLING), NOTHING).false_claim
    assert not advised(TRUTHS["polling"], answer(POLLING), NOTHING).false_claim
    over = answer(BOTH, over_known={**gained(1.1, 1.05, 1.2), "profile": "latency"})
    assert advised(TRUTHS["preset-5"], over, NOTHING).false_claim
    assert not advised(TRUTHS["polling"], over, NOTHING).false_claim


def test_a_setting_of_the_minimal_profile_must_be_shown_by_its_own_interval() -> None:
    kept = [
        {"name": "XLIO_RX_POLL", "gain": gained(1.5, 1.4, 1.6)},
        {"name": "XLIO_TCP_QUICKACK", "gain": gained(1.1, 0.9, 1.2)},
    ]
    found = advised(TRUTHS["polling"], answer(BOTH, minimised={"kept": kept}), Files(BOTH, BOTH))
    assert found.unshown == 1


def test_a_tail_that_got_worse_must_be_told() -> None:
    silent = advised(TRUTHS["tail"], answer(POLLING), NOTHING)
    assert (silent.harmed, silent.told) == (True, False)
    assert advised(TRUTHS["tail"], answer(POLLING, costs=[{"metric": "latency_p99_9_us"}]), NOTHING).told
    unharmed = advised(TRUTHS["tail"], answer(QUICK), NOTHING)
    assert (unharmed.harmed, unharmed.told_falsely) == (False, False)
    assert advised(TRUTHS["tail"], answer(QUICK, costs=[{"metric": "cpu_s"}]), NOTHING).told_falsely


def test_beliefs_are_held_against_the_truth_of_each_profile() -> None:
    told = [
        {"profile": "candidate-7", "mean": 0.5, "sd": 0.1},
        {"profile": "latency", "mean": 0.0, "sd": 0.1},
        {"profile": "other", "mean": 0.0, "sd": 0.1},
    ]
    chosen, known, other = beliefs(answer(BOTH, beliefs=told), TRUTHS["preset-5"])
    assert [one.role for one in (chosen, known, other)] == [Role.CHOSEN, Role.KNOWN, Role.OTHER]
    assert chosen.error == pytest.approx(0.5 - math.log(1.65))
    assert known.error == pytest.approx(-math.log(1.65 * 1.05))
    assert [chosen.covers(0.80), other.covers(0.80)] == [True, True]
    assert not known.covers(0.95)
    assert "| known | 0 of 1" in section([chosen, known, other])
    assert section(beliefs(answer(BOTH), TRUTHS["preset-5"])).startswith("No beliefs")


def test_rules_say_in_which_rows_they_do_not_hold() -> None:
    good, bad = (advised(TRUTHS["polling"], answer(winner), NOTHING) for winner in (BOTH, POLLING))
    rows = {advice.Case("polling", 90.0): [good], advice.Case("polling", 180.0): [good, bad]}
    said = advice.verdicts(rows).splitlines()
    assert "| mean loss at most 0.5 % | not met | 1: polling 180 s |" in said
    assert "| false claims in at most 5 % | met | none |" in said


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=list(TRUTHS))
def test_every_truth_has_a_plan_whose_baseline_is_worth_nothing(truth: Truth) -> None:
    assert truth.gain(truth.plan().baseline.settings) == 1.0
    assert truth.harm({}) == 1.0


def test_where_nothing_matters_five_sessions_claim_nothing() -> None:
    found = [advice.Case("nothing", 60.0).advise(number) for number in range(5)]
    assert [one.false_claim for one in found] == [False] * 5
    assert [one.loss for one in found] == [0.0] * 5
    assert all(one.claim is not None and one.claim.truth == 1.0 for one in found)


def test_a_session_on_a_host_where_polling_helps_recommends_it() -> None:
    found = advice.Case("polling", 90.0).advise(1)
    assert found.improved
    assert found.settings > found.worthless
    assert found.claim is not None
    assert found.claim.truth >= 1.5


def test_files_that_were_not_written_are_none(tmp_path: Path) -> None:
    assert Files.read(tmp_path / "best.toml") == NOTHING
