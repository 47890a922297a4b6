"""A disturbed block has a culprit with a name and an advice; what is unknown is said to be unknown, and our own work is never blamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tuner.hosts.activity import Rate, Used
from tuner.hosts.telemetry import Telemetry
from tuner.records import Run, Status
from tuner.session.answer import disturbance, words
from tuner.session.answer.disturbance import disturbers
from tuner.session.answer.json_form import from_json, to_json
from tuner.session.answer.parts import HostCalm
from tuner.session.measuring.culprits import Cause, Culprit, of_disturbed, unusual

MEASURED = frozenset({1, 2})


def run(block: int = 0, **happened: Any) -> Run:
    evidence = {"telemetry": Telemetry(1.3, **happened).to_dict()}
    return replace(Run(Status.OK, "", "", 1.3, None, evidence), block=block)


def host(*culprits: Culprit, blocks: int = 31) -> HostCalm:
    """Return a host whose first blocks were disturbed by one culprit each."""
    found = disturbers({at: [each] for at, each in enumerate(culprits)}, MEASURED)
    return HostCalm(True, len(culprits), blocks, {"something": len(culprits)}, found)


def test_the_programs_of_a_disturbed_run_are_its_culprits_and_small_ones_are_not() -> None:
    programs = (Used("python3", 4711, 0.22, 1), Used("systemd", 1, 0.02, 1))
    assert of_disturbed([run(foreign_share=0.2, programs=programs)]) == [
        Culprit(Cause.PROGRAM, 0.22, "python3", 4711, 1)
    ]


def test_without_a_name_many_short_programs_are_blamed_and_else_it_is_unknown() -> None:
    (short,) = of_disturbed([run(foreign_share=0.2, programs=(), processes=400)])
    (unnamed,) = of_disturbed([run(foreign_share=0.2)])
    assert (short.cause, short.most) == (Cause.SHORT_PROGRAMS, 400)
    assert (unnamed.cause, unnamed.most) == (Cause.UNKNOWN_PROGRAMS, 0.2)


def test_steal_and_throttling_need_no_name() -> None:
    found = of_disturbed([run(steal_share=0.07, throttles=2)])
    assert [(each.cause, each.most) for each in found] == [(Cause.STEAL, 0.07), (Cause.THROTTLING, 2)]


def test_a_calm_run_has_no_culprit_though_programs_ran() -> None:
    assert of_disturbed([run(foreign_share=0.05, programs=(Used("cron", 9, 0.09, 1),))]) == []


def test_an_interrupt_line_stands_out_beside_the_runs_of_the_same_profile() -> None:
    usual = [run(block, interrupts_of=(Rate("disk", 40.0, "36"),)) for block in range(5)]
    storm = run(5, interrupts_of=(Rate("disk", 5300.0, "36"),))
    assert unusual([*usual, storm]) == {5: [Culprit(Cause.INTERRUPTS, 5300.0, "disk", line="36", usual=40.0)]}


def test_a_line_that_no_other_run_names_is_usually_silent() -> None:
    quiet = [run(block, interrupts_of=()) for block in range(5)]
    found = unusual([*quiet, run(5, interrupts_of=(Rate("disk", 5300.0, "36"),))])
    assert found[5][0].usual == 0.0


def test_where_interrupts_could_not_be_counted_they_are_unknown_and_not_none() -> None:
    unknown = [run(block) for block in range(5)]
    assert unusual([*unknown, run(5, interrupts_of=(Rate("disk", 5300.0, "36"),))]) == {}


def test_what_the_measured_traffic_raises_itself_never_stands_out() -> None:
    usual = [run(block, softirqs_of=(Rate("NET_RX", 100.0), Rate("BLOCK", 100.0))) for block in range(5)]
    busy = run(5, softirqs_of=(Rate("NET_RX", 90_000.0), Rate("BLOCK", 9_000.0)), interrupts_of=(Rate("LOC", 9e4),))
    assert [each.name for each in unusual([*usual, busy])[5]] == ["BLOCK"]


def test_a_slower_clock_and_more_preemptions_stand_out() -> None:
    usual = [run(block, frequency_khz=3_400_000, preemptions=13) for block in range(5)]
    slow = run(5, frequency_khz=2_100_000, preemptions=2600)
    assert [(each.cause, each.most, each.usual) for each in unusual([*usual, slow])[5]] == [
        (Cause.PREEMPTION, 2000.0, 10.0),
        (Cause.FREQUENCY, 2.1, 3.4),
    ]


def test_migrations_of_the_server_stand_out() -> None:
    def moved(block: int, times: int) -> Run:
        known = run(block)
        return replace(known, evidence={**known.evidence, "server": {"migrations": times}})

    found = unusual([*(moved(block, 2) for block in range(5)), moved(5, 130)])
    assert [(each.cause, each.most) for each in found[5]] == [(Cause.MIGRATIONS, 100.0)]


def test_a_few_runs_know_nothing_usual() -> None:
    runs = [run(block, interrupts_of=(Rate("disk", 9000.0 * block, "36"),)) for block in range(3)]
    assert unusual(runs) == {}


def test_the_sentence_says_how_many_blocks_each_culprit_disturbed_and_how_much() -> None:
    steal, program = Culprit(Cause.STEAL, 0.05), Culprit(Cause.PROGRAM, 0.22, "python3", 4711, 1)
    said = disturbance.sentence(host(steal, steal, replace(steal, most=0.07), program))
    assert said == (
        "4 of 31 blocks were disturbed: 3 by steal (up to 7 %), 1 by python3 (pid 4711) with up to 22 % of CPU 1"
    )


def test_one_program_in_several_runs_of_a_block_is_one_block() -> None:
    (row,) = disturbers({3: [Culprit(Cause.STEAL, 0.03), Culprit(Cause.STEAL, 0.09)]}, MEASURED)
    assert (row.blocks, row.most) == (1, 0.09)


def test_processes_of_one_name_are_told_together_without_a_number() -> None:
    cc = Culprit(Cause.PROGRAM, 0.5, "cc1", 10, 1)
    found = host(cc, replace(cc, pid=11, most=0.6))
    assert disturbance.sentence(found).endswith("2 by cc1 with up to 60 % of CPU 1")
    assert found.culprits is not None
    assert found.culprits[0].pid is None


def test_an_advice_has_the_exact_command_where_a_cpu_is_free() -> None:
    irq = Culprit(Cause.INTERRUPTS, 5300.0, "disk", line="36", usual=40.0)
    program = Culprit(Cause.PROGRAM, 0.22, "python3", 4711, 1)
    advice = {each.cause: each.advice for each in host(irq, program).culprits or ()}
    assert "systemctl stop irqbalance; echo 0 > /proc/irq/36/smp_affinity_list" in advice[Cause.INTERRUPTS]
    assert "taskset -acp 0 4711" in advice[Cause.PROGRAM]


def test_one_advice_for_several_programs_is_told_once() -> None:
    program = Culprit(Cause.PROGRAM, 0.22, "cc1", 4711, 1)
    found = host(replace(program, pid=1), program, replace(program, name="ld", pid=1), replace(program, name="ld"))
    assert len(disturbance.advice(found)) == 1
    assert disturbance.advice(found)[0].startswith("cc1, ld: stop ")


def test_an_advice_has_no_command_that_would_use_a_measured_cpu() -> None:
    program = Culprit(Cause.PROGRAM, 0.22, "python3", 4711, 1)
    (row,) = disturbers({0: [program]}, frozenset({0, 1}))
    assert "taskset" not in row.advice
    assert "isolcpus" in row.advice


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_words_and_an_advice(cause: Cause) -> None:
    found = host(Culprit(cause, 1.0, "name", 7, 1, "36", 0.5))
    (finding,) = disturbance.doubts(found)
    assert finding.message.startswith("1 of 31 blocks were disturbed by ")
    assert finding.suggestion


def test_a_noisy_host_is_told_with_its_culprits_and_an_earlier_answer_with_its_reasons() -> None:
    found = replace(host(Culprit(Cause.STEAL, 0.07)), calm=False)
    assert words.not_calm(found) == "noisy host: 1 of 31 blocks were disturbed: 1 by steal (up to 7 %)"
    old = replace(found, culprits=None)
    assert words.not_calm(old) == "noisy host: 1 of 31 blocks were disturbed: something (1)"


def test_a_calm_host_says_nothing() -> None:
    calm = HostCalm(True, 0, 31, {})
    assert (disturbance.sentence(calm), disturbance.standing_out(calm), disturbance.doubts(calm)) == ("", "", [])


def test_a_name_that_somebody_else_stored_steers_no_terminal() -> None:
    (row,) = disturbers({0: [Culprit(Cause.PROGRAM, 0.5, "a\x1b]0;b\x07", 7)]}, ())
    assert "\x1b" not in row.name


def test_culprits_come_back_from_json_as_they_were() -> None:
    found = host(Culprit(Cause.INTERRUPTS, 5300.0, "disk", line="36", usual=40.0), Culprit(Cause.STEAL, 0.07))
    assert from_json(HostCalm, to_json(found), "host") == found


def between_two(block: int, server: dict[str, Any], client: dict[str, Any]) -> Run:
    ends = {end: Telemetry(1.3, **happened).to_dict() for end, happened in (("server", server), ("client", client))}
    return replace(Run(Status.OK, "", "", 1.3, None, {"telemetry": ends}), block=block)


def test_of_two_hosts_the_one_that_was_disturbed_is_named() -> None:
    program = {"foreign_share": 0.2, "programs": (Used("python3", 4711, 0.22, 1),)}
    found = of_disturbed([between_two(0, program, {})])
    assert [(each.name, each.at) for each in found] == [("python3", "server")]
    assert disturbance.of_block(found) == ["python3 (pid 4711) with up to 22 % of CPU 1 at the server"]


def test_what_is_usual_is_known_of_each_host_by_itself() -> None:
    runs = [between_two(block, {"preemptions": 13}, {"preemptions": 4000}) for block in range(5)]
    assert unusual(runs) == {}
    storm = between_two(5, {"preemptions": 4000}, {"preemptions": 4000})
    assert [each.at for each in unusual([*runs, storm])[5]] == ["server"]
