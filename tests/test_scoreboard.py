"""The scoreboard's figures are what they say: the published formula, nearest rows, places among others, claims and truth."""

from __future__ import annotations

import json
import random
from pathlib import Path

import machines
import pytest
import scoreboard
import tables
from machines import Contest, Rule

TABLE = """root,POLL,SIZE,BATCH,$<performance
1,0,1,10,9
1,0,2,20,7
1,1,4,30,5
1,1,8,40,1
1,1,8,10,3
"""


@pytest.fixture
def table(tmp_path: Path) -> tables.Table:
    path = tmp_path / "made-up.csv"
    path.write_text(TABLE)
    return tables.read(path)


def test_options_that_never_vary_are_left_out_and_the_others_have_the_scale_of_their_values(
    table: tables.Table,
) -> None:
    poll, size, batch = table.space.dimensions
    assert list(poll.texts()) == ["0", "1"]
    assert list(size.texts()) == ["1", "2", "4", "8"]
    assert list(batch.texts()) == ["10", "20", "30", "40"]
    assert table.space.defaults == {"POLL": "0", "SIZE": "1", "BATCH": "10"}


ALTERNATIVES = """LZMA,BZIP,ENCRYPTED,AES,FAST,LEVEL,$<performance
1,0,0,0,0,1,9
0,1,0,0,1,2,7
0,0,1,1,0,3,5
0,1,1,1,0,3,4
1,0,1,1,1,3,1
"""


def test_columns_of_which_one_at_most_is_set_are_one_option(tmp_path: Path) -> None:
    path = tmp_path / "made-up.csv"
    path.write_text(ALTERNATIVES)
    table = tables.read(path)
    found = {dimension.parameter: list(dimension.texts()) for dimension in table.space.dimensions}
    assert found == {
        "LZMA|BZIP": ["none", "LZMA", "BZIP"],
        "ENCRYPTED": ["0", "1"],
        "AES": ["0", "1"],
        "FAST": ["0", "1"],
        "LEVEL": ["1", "2", "3"],
    }
    assert [table.cost(table._settings(row)) for row in range(5)] == [9, 7, 5, 4, 1]


def test_alternatives_are_all_as_far_from_each_other(tmp_path: Path) -> None:
    path = tmp_path / "made-up.csv"
    path.write_text("A,B,C,$<performance\n1,0,0,1\n0,1,0,2\n0,0,1,3\n")
    table = tables.read(path)
    (option,) = table.options
    assert option.name == "A|B|C"
    assert [list(option.apart(table._placed[0], place)) for place in (0.0, 1.0)] == [[0, 1, 1], [1, 1, 0]]


def test_the_regret_of_the_best_is_0_and_that_of_the_median_1(table: tables.Table) -> None:
    assert [table.regret(cost) for cost in (1, 3, 5, 9)] == [0.0, 0.5, 1.0, 2.0]


def test_what_is_no_row_counts_as_the_nearest_row(table: tables.Table) -> None:
    asked = {"POLL": "0", "SIZE": "8", "BATCH": "40"}
    assert table.repaired(asked) == {"POLL": "1", "SIZE": "8", "BATCH": "40"}
    assert table.cost(asked) == 1.0
    assert table.cost({}) == 9.0


@pytest.mark.parametrize("optimizer", ["random", "skopt"])
def test_a_search_of_a_table_asks_only_for_rows_and_never_gets_worse(table: tables.Table, optimizer: str) -> None:
    found = tables.best_so_far(table, optimizer, 3, 5)
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == (9.0, 1.0)  # five runs are all rows of this table


def test_a_board_has_ours_beside_the_published_tuners(tmp_path: Path) -> None:
    for system in ("A", "B"):
        (tmp_path / f"{system}.csv").write_text(TABLE)
    traces = {"worst": [[9, 9, 9]] * 3, "middle": [[5, 3, 1]] * 3}
    published = {"at_runs": [30, 50, 100], "best_so_far": {"A": traces, "B": traces}}
    (tmp_path / "published.json").write_text(json.dumps(published))
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({f"{system}/{seed}": [3, 1, 1] for system in "AB" for seed in range(2)}))
    found = scoreboard.board(tmp_path, range(2), kept)
    assert found["middle"]["A"].medians == (1.0, 0.5, 0.0)
    assert found[scoreboard.OURS]["B"].worst_deciles == (0.5, 0.0, 0.0)
    assert (
        "| A | 30 | 0.5000 | 1.0000 (middle) | 1 of 3 | 0.5000 | 1.0000 (middle) | 1 of 3 |"
        in scoreboard.system_rows(found)
    )
    assert [line.startswith("| **ours**") for line in scoreboard.mean_rows(found)] == [True, False, False]


@pytest.mark.parametrize(("values", "decile"), [([1.0, 2.0, 3.0], 3.0), ([float(n) for n in range(20)], 18.0)])
def test_a_tenth_is_worse_than_the_ninth_decile(values: list[float], decile: float) -> None:
    assert scoreboard.ninth_decile(values) == decile


def contest(gains: list[float], spread: float) -> Contest:
    noise = random.Random(1)

    def measured(gain: float) -> dict[int, float]:
        return {machine: gain + noise.gauss(0, spread) for machine in range(machines.MACHINES)}

    return Contest(measured(0.0), tuple(map(measured, gains)))


@pytest.mark.parametrize("rule", Rule)
def test_a_large_gain_is_claimed_by_every_rule(rule: Rule) -> None:
    made = contest([-0.1, 0.5, 0.1], 0.01).decided(rule, random.Random(2))
    assert made.claimed == pytest.approx(0.5, abs=0.05)
    assert made.truth == pytest.approx(0.5, abs=0.02)


def test_our_rule_claims_nothing_where_there_is_nothing_and_one_sample_does() -> None:
    made = contest([0.0] * 20, 0.1)
    draws = [random.Random(seed) for seed in range(20)]
    assert sum(made.decided(Rule.OURS, rng).claimed is not None for rng in draws) <= 1
    assert sum(made.decided(Rule.ONE_SAMPLE, rng).claimed is not None for rng in draws) >= 15


def test_only_what_every_machine_measured_takes_part(tmp_path: Path) -> None:
    lines = ["place,system,workload,run,configuration,worker,performance"]
    for configuration, workers in ((0, 10), (1, 10), (2, 4)):
        lines += [f"x,postgres,tpcc,0,{configuration},{worker},{100 + configuration}" for worker in range(workers)]
    path = tmp_path / "samples.csv"
    path.write_text("\n".join(lines))
    (name, found), *more = machines.contests(path).items()
    assert (name, len(found), more) == ("postgres tpcc", 2, [])
    assert [made.decided(Rule.MEDIAN, random.Random(1)).claimed is not None for made in found] == [True, False]
