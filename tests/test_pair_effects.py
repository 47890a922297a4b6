"""What a fleet knows: which setting harms on which pairs, and nothing where all pairs are alike."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import fleets
import pytest
import simulation

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.judging.joint import Difference
from tuner.judging.pair_effects import PairEffects, Seen, pair_effects
from tuner.records import Kind
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.session.answer.answers import CompareAnswer
from tuner.session.answer.stored import answer_of
from tuner.session.judgement import judge
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.pairs import Pairs, Seat
from tuner.session.measuring.progress import Silent
from tuner.session.setup.likeness import kind
from tuner.session.setup.plan import Contender, PairPlan, Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

EFFECTS = (0.15, 0.10, 0.05)
HARM = 0.25


def effects(seed: int, *, harms: bool) -> PairEffects:
    """Return what is believed of three settings on five pairs; the second harms on the last one, which is slow and noisy."""
    rng = random.Random(seed)
    seen = []
    for block in range(40):
        pair = block % 5
        level = rng.gauss(0.0, 0.5) - (0.7 if pair == 4 else 0.0)
        rows = [[0.0] * 3, *[[float(rng.random() < 0.6) for _ in EFFECTS] for _ in range(5)]]
        for at, row in enumerate(rows):
            whole = sum(share * effect for share, effect in zip(row, EFFECTS, strict=True))
            harm = HARM * row[1] if harms and pair == 4 else 0.0
            value = level + whole - harm + rng.gauss(0.0, 0.10 if pair == 4 else 0.04)
            seen.append(Seen(block * 5 + at if at else 0, block, pair, row, value))
    return pair_effects(seen, 5)


def test_a_setting_that_harms_on_one_pair_is_told_from_one_that_helps_everywhere() -> None:
    found = effects(1, harms=True)
    assert found.of(1, [4]).above(0.0) < 0.01
    assert found.of(1, [0, 1, 2, 3]).above(0.05) > 0.99
    assert found.of(0, [4]).above(0.0) > 0.99
    assert found.of(0, [0, 1, 2, 3]).mean == pytest.approx(0.15, abs=0.03)


def test_pairs_that_do_not_differ_are_believed_to_be_alike() -> None:
    found = effects(2, harms=False)
    for setting, true in enumerate(EFFECTS):
        assert found.of(setting, [4]).mean == pytest.approx(true, abs=0.05)
        assert found.of(setting, [4]).above(0.0) > 0.1


def of_class(seed: int, classes: Sequence[int]) -> Difference:
    """Return what is believed of the only setting on two of ten pairs, on which it costs as much as it gives on the others."""
    rng = random.Random(seed)
    true = [0.1] * 8 + [-0.1] * 2
    seen = [
        Seen(at, block, block % 10, [float(at)], at * true[block % 10] + rng.gauss(0.0, 0.08))
        for block in range(60)
        for at in range(2)
    ]
    return pair_effects(seen, 10, classes=classes, own=False).of(0, [8, 9])


def test_what_the_pairs_of_a_class_share_is_not_drawn_towards_the_other_class() -> None:
    known = [of_class(seed, [0] * 8 + [1] * 2).mean for seed in range(12)]
    unknown = [of_class(seed, ()).mean for seed in range(12)]
    assert sum(known) / 12 == pytest.approx(-0.1, abs=0.02)
    assert sum(known) < sum(unknown)


def test_what_lies_between_pairs_is_surer_than_what_either_does() -> None:
    found = effects(1, harms=True)
    between = found.between(1, [4], [0, 1, 2, 3])
    assert between.mean == pytest.approx(found.of(1, [4]).mean - found.of(1, [0, 1, 2, 3]).mean)
    assert between.above(0.0) < 0.001


@pytest.mark.parametrize("wild", [0.0, 3.0])
def test_a_belief_is_as_sure_as_its_blocks_allow_and_one_wild_score_moves_it_little(wild: float) -> None:
    rng, sd, blocks = random.Random(3), 0.04, 40
    seen = [
        Seen(at, block, 0, [float(at)], 0.1 * at + rng.gauss(0.0, sd) + (wild if at and block == 5 else 0.0))
        for block in range(blocks)
        for at in range(2)
    ]
    found = pair_effects(seen, 1, own=False).of(0, [0])
    assert found.mean == pytest.approx(0.1, abs=0.02)
    assert found.sd == pytest.approx(sd * math.sqrt(2 / blocks), rel=0.4)


def test_levels_of_pairs_say_nothing() -> None:
    rows = [
        Seen(at % 2, at // 2, at // 2 % 2, [float(at % 2)], 5.0 * (at // 2 % 2) + 0.1 * (at % 2)) for at in range(16)
    ]
    found = pair_effects(rows, 2)
    assert found.of(0, [0]).mean == pytest.approx(found.of(0, [1]).mean, abs=0.01)


def compared(folder: Path, *, harms: bool, kinds: bool = True, there: float = 1.25) -> tuple[CompareAnswer, Store]:
    """Return the comparison of all settings with none on a fleet of six, of which two are of another class."""
    names = [f"p{at}" for at in range(6)]

    def latency(name: str) -> simulation.Latency:
        def of(environment: Mapping[str, str]) -> float:
            better = there if harms and name in {"p4", "p5"} else 0.8
            return 36.0 * (better if environment.get("XLIO_RX_POLL") == "-1" else 1.0)

        return of

    hosts = {name: simulation.NoisyHost(latency(name), simulation.Noise(), random.Random(name)) for name in names}
    plan: Plan = replace(
        simulation.PLAN, kind=Kind.COMPARE, known=(Contender("fast", {"XLIO_RX_POLL": "-1"}),), blocks=48
    )
    own = PairPlan.of("", plan)
    of_kind = {name: ("old CPU" if name in {"p4", "p5"} else "new CPU") if kinds else "" for name in names}
    plan = replace(plan, pairs=tuple(replace(own, name=name, kind=of_kind[name]) for name in names))
    rigs = {
        name: Rig(on_one(host), stacks.named(plan.stack), tuple(map(Path, plan.preloads)), plan.program)
        for name, host in hosts.items()
    }
    carrier, store = fleets.InTurn(rigs), Store(Results(folder).url)
    session = begin(store, plan, {"doubts": []})
    pairs = Pairs(carrier, {name: tuple(map(Seat.of, plan.workloads)) for name in names})
    clock = Clock(plan.budget_s, 0.0, 0.0, lambda: carrier.now_s)
    answer = carry_out(Tuning(store, Results(folder), rigs["p0"], Silent(), pairs), plan, session, clock)
    assert isinstance(answer, CompareAnswer)
    return answer, store


def test_a_verdict_names_the_class_of_hosts_on_which_a_profile_harms(tmp_path: Path) -> None:
    answer, store = compared(tmp_path, harms=True)
    assert answer.on_pairs
    (found,) = answer.on_pairs.exceptions
    assert (found.kind, found.pairs) == ("old CPU", ("p4", "p5"))
    assert found.there.high < 1.0 < found.elsewhere.low
    assert "For this class of hosts (old CPU: pairs p4, p5) fast harms: 0." in answer.why
    assert [each.pair for each in answer.on_pairs.pairs] == [f"p{at}" for at in range(6)]
    row = store.session("latest")
    stored = answer_of(row)
    assert isinstance(stored, CompareAnswer)
    assert stored.on_pairs
    assert stored.on_pairs.exceptions == answer.on_pairs.exceptions
    assert judge(store, row).equal


def test_pairs_of_unknown_classes_are_named_by_themselves(tmp_path: Path) -> None:
    answer, _ = compared(tmp_path, harms=True, kinds=False)
    assert answer.on_pairs
    assert [(each.kind, each.pairs) for each in answer.on_pairs.exceptions] == [("", ("p4", "p5"))]
    assert "On pairs p4, p5 fast harms" in answer.why


def test_a_fleet_of_pairs_that_are_alike_has_no_exception(tmp_path: Path) -> None:
    answer, _ = compared(tmp_path, harms=False)
    assert answer.on_pairs
    assert answer.on_pairs.exceptions == ()
    assert "harms" not in answer.why


def test_a_profile_that_helps_less_on_a_class_of_hosts_does_not_harm_there(tmp_path: Path) -> None:
    answer, _ = compared(tmp_path, harms=True, there=0.95)
    assert answer.on_pairs
    assert answer.on_pairs.exceptions == ()


def test_a_report_and_a_summary_have_a_row_for_each_pair(tmp_path: Path) -> None:
    from tuner.report.content import content
    from tuner.report.markdown import page
    from tuner.report.summary import summary

    _, store = compared(tmp_path, harms=True)
    row = store.session("latest")
    found = content(store, row)
    rows = found["pairs"]["rows"]
    assert [each[:2] for each in rows][-2:] == [["p4", "old CPU"], ["p5", "old CPU"]]
    assert "| p5 | old CPU |" in page(found, {})
    assert "| p5 | old CPU |" in summary(store, row)
    assert "fast harms" in summary(store, row)


def test_the_class_of_a_pair_is_its_cpus_and_whether_they_are_virtual() -> None:
    client = {"cpu_model": "A", "hypervisor": True}
    assert kind(client) == "A, virtual"
    assert kind({**client, "ends": {"server": {"cpu_model": "B"}}}) == "B, A, virtual"
    assert kind({"hypervisor": True}) == ""
