"""The benchmark of the advice measures what it says, and sessions pass its small form: where nothing matters, nothing is claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import advice
import advice_kept
import promises
import pytest
from advice_kept import Kept, Session
from advised import Claim, Files, advised
from beliefs import Role, beliefs, section
from promises import Word
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


def test_promises_say_in_which_rows_they_do_not_hold() -> None:
    good, bad = (advised(TRUTHS["polling"], answer(winner), NOTHING) for winner in (BOTH, POLLING))
    rows = {advice.Case("polling", 90.0): [good] * 100, advice.Case("polling", 180.0): [good] * 50 + [bad] * 50}
    said = advice.verdicts(rows).splitlines()
    assert (
        "| mean loss at most 0.5 % | 2.27 % (1.72 to 2.82), n = 200 | does not hold | 1 | 0 | 1: polling 180 s |"
        in said
    )
    assert "| false claims in at most 5 % | 0.00 % (0.00 to 1.83), n = 200 | holds | 2 | 0 | none |" in said
    assert "| a worse tail is always told | – | – | 0 | 0 | none |" in said


@pytest.mark.parametrize(
    ("held", "of", "said"),
    [(0, 20, Word.UNSAID), (0, 100, Word.HOLDS), (1, 20, Word.UNSAID), (5, 20, Word.BROKEN), (0, 0, Word.EMPTY)],
)
def test_a_promise_is_judged_by_its_interval_and_not_by_its_count(held: int, of: int, said: Word) -> None:
    sessions = [advised(TRUTHS["polling"], answer(POLLING if each < held else BOTH), NOTHING) for each in range(of)]
    assert promises.PROMISES["more than 1 % lost in at most 5 % of sessions"].word(sessions) is said


def test_what_must_never_happen_is_broken_by_one_case() -> None:
    told, silent = (
        advised(TRUTHS["tail"], answer(POLLING, costs=costs), NOTHING)
        for costs in ([{"metric": "latency_p99_9_us"}], [])
    )
    promise = promises.PROMISES["a worse tail is always told"]
    assert [promise.word([told] * 50), promise.word([told] * 50 + [silent])] == [Word.UNSEEN, Word.BROKEN]


def test_sessions_are_kept_and_read_again_as_they_were(tmp_path: Path) -> None:
    told = [{"profile": "candidate-7", "mean": 0.5, "sd": 0.1}]
    over = {**gained(1.1, 1.05, None), "profile": "latency"}
    costs = [{"metric": "latency_p99_9_us"}]
    found = advised(TRUTHS["tail"], answer(BOTH, beliefs=told, over_known=over, costs=costs), NOTHING)
    session, path = Session("tail", 90.0, 3), tmp_path / "kept.jsonl"
    advice_kept.append(path, session, Kept(found, "an earlier state"))
    advice_kept.append(path, session, Kept(found, advice_kept.code()))
    (kept,) = advice_kept.read(path).values()
    assert kept.code == advice_kept.code()
    assert advice_kept.line(session, kept) == path.read_text(encoding="utf-8").splitlines()[1]
    assert (kept.advice.costs, kept.advice.loss) == (found.costs, found.loss)
    assert kept.advice.over_known == Claim(1.1, 1.05, 1e9, 1.65)


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"truth":"tail","budget_s":90.0,"number":0}'])
def test_a_line_that_is_no_session_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"kept\.jsonl, line 1: no session"):
        advice_kept.read(path)


def test_a_table_goes_on_where_it_ended_smallest_budgets_first(tmp_path: Path) -> None:
    cases = [advice.Case("tail", 180.0), advice.Case("tail", 90.0)]
    turns = list(advice.in_turn(cases, 5))
    assert [turns[0], turns[4], turns[8]] == [
        Session("tail", 90.0, 0),
        Session("tail", 180.0, 0),
        Session("tail", 90.0, 4),
    ]
    path, found = tmp_path / "kept.jsonl", advised(TRUTHS["tail"], answer(BOTH), NOTHING)
    advice_kept.append(path, turns[0], Kept(found, "an earlier state"))
    rows = advice.by_case(cases, advice.completed(turns, 1, 0.0, path))
    assert {case: len(each) for case, each in rows.items()} == {cases[1]: 1}


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
