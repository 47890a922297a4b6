"""The command line: every command teaches, every error is one screen with the right exit status, results go to stdout."""

from __future__ import annotations

from pathlib import Path

import fake
import pytest
from command_line import Tuner, command

from tuner.cli.tree import COMMANDS, LONGEST_BRIEF, NOUNS, PROGRAM, beneath

SCREEN_LINES = 24


@pytest.fixture
def sockperf(tmp_path: Path) -> str:
    """Return a fake sockperf with exact numbers."""
    return str(fake.install(tmp_path, noise=0.01))


def leaves() -> list[list[str]]:
    """Return the words of every command."""
    return [[name] for name in COMMANDS] + [[name, verb] for name, noun in NOUNS.items() for verb in noun.commands]


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_the_list_of_commands_says_the_first_sentence_of_what_the_command_says(words: list[str]) -> None:
    entry = beneath(words[0] if words[1:] else PROGRAM)[words[-1]]
    assert entry.brief == command(words)[0].get_short_help_str(limit=1000)


@pytest.mark.parametrize("words", [[], *([name] for name in NOUNS)], ids=" ".join)
def test_no_line_of_a_list_of_commands_is_cut(tuner: Tuner, words: list[str]) -> None:
    listed = tuner(*words, "--help").out.partition("\nCommands:\n")[2]
    too_long = [line for line in listed.splitlines() if "..." in line or len(line) > 80]
    assert listed != ""
    assert too_long == []


@pytest.mark.parametrize("words", [*leaves(), *([name] for name in NOUNS)], ids=" ".join)
def test_the_line_of_a_command_has_at_most_60_characters(words: list[str]) -> None:
    brief = beneath(words[0] if words[1:] else PROGRAM)[words[-1]].brief.partition("\n\n")[0]
    assert len(brief) <= LONGEST_BRIEF


@pytest.mark.parametrize("words", [[], *([name] for name in NOUNS)], ids=" ".join)
def test_the_help_of_a_noun_lists_its_commands_in_order(tuner: Tuner, words: list[str]) -> None:
    listed = tuner(*words, "--help").out.partition("\nCommands:\n")[2]
    assert [line.split()[0] for line in listed.splitlines() if line[2:3].strip()] == list(
        beneath((words or [PROGRAM])[0])
    )


@pytest.mark.parametrize("words", leaves(), ids=" ".join)
def test_the_help_of_every_command_shows_an_example_that_starts_with_it(tuner: Tuner, words: list[str]) -> None:
    ended = tuner(*words, "--help")
    assert ended.status == 0
    assert f"tuner {' '.join(words)}" in ended.out.split("Example", 1)[1]


def test_the_version_is_the_packages(tuner: Tuner) -> None:
    from tuner.version import __version__

    assert tuner("--version").out == f"tuner {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["tune", "latancy"], 2, ["there is no profile 'latancy'", "did you mean latency?"]),
        (["tune", "--stack", "kernal"], 2, ["unknown stack 'kernal'", "did you mean kernel?"]),
        (["tune", "--objective", "troughput"], 2, ["unknown objective 'troughput'", "did you mean throughput?"]),
        (["tune", "--budget", "0s"], 2, ["budget '0s'", "90s, 10m or 1h"]),
        (["tune", "--budget", "3s"], 2, ["a budget of 3 s is too small", "--budget 11s is the least"]),
        (["tune", "--optimizer", "skoptt"], 2, ["unknown optimizer 'skoptt'", "did you mean skopt?"]),
        (["tune", "--space", "XLIO_RX_POL"], 2, ["XLIO_RX_POL", "did you mean XLIO_RX_POLL?"]),
        (["tune", "--baseline", "nowhere.toml"], 2, ["nowhere.toml"]),
        (["measure", "--sockperf", "/nowhere/sockperf"], 1, ["/nowhere/sockperf", "apt-get install sockperf"]),
        (["measure", "--sockperf", "/bin/true"], 1, ["not sockperf"]),
        (["measure", "--mode", "pingpong"], 2, ["'pingpong'", "did you mean ping-pong?"]),
        (["measure", "--message-bytes", "3"], 2, ["message_bytes", "from 14 to 65507"]),
        (["measure", "--server-cpus", "4711"], 2, ["CPU 4711 may not be used"]),
        (["measure", "--server-cpus", "one"], 2, ["not a CPU list"]),
        (["measure", "--mode", "throughput", "--objective", "tail"], 2, ["latency_p99_us", "another --mode"]),
        (["tune", "--objective", "balanced", "--mode", "under-load"], 2, ["takes no --mode"]),
        (["measure", "--preload", "/nowhere/lib.so"], 1, ["/nowhere/lib.so", "no such file"]),
        (["measure", "--preload", "/etc/passwd"], 1, ["/etc/passwd", "is not an ELF file"]),
        (["measure", "--lib", "/nowhere/libxlio.so", "--stack", "xlio"], 1, ["/nowhere/libxlio.so", "--lib PATH"]),
        (["minimise", "default"], 2, ["default has no settings to leave out"]),
        (["minimise", "latency", "--budget", "5s"], 2, ["three blocks of three runs", "--budget 13s is the least"]),
        (["params", "show", "XLIO_RX_POL"], 2, ["XLIO_RX_POL", "did you mean XLIO_RX_POLL?"]),
        (["sessions", "show", "yesterday"], 2, ["there are no sessions in results", "--results DIR"]),
        (["sessions", "list", "--results", "nowhere"], 2, ["there are no sessions in nowhere"]),
        (["tune", "--seed", "many"], 2, ["--seed"]),
        (["nothing"], 2, ["nothing"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_request_is_one_screen_that_says_what_next(
    tuner: Tuner, sockperf: str, arguments: list[str], status: int, words: list[str]
) -> None:
    measuring = arguments[0] in {"tune", "measure", "minimise"} and "--sockperf" not in arguments
    ended = tuner(*arguments, *(["--sockperf", sockperf] if measuring else []))
    assert ended.status == status
    assert [word for word in words if word not in ended.err] == []
    assert "Traceback" not in ended.err
    assert ended.err.count("\n") <= SCREEN_LINES
    assert ended.out == ""


def test_a_playback_lasts_as_long_as_its_file(tuner: Tuner, sockperf: str, tmp_path: Path) -> None:
    (tmp_path / "traffic.csv").write_text("0.001, 64\n0.5, 100\n2.2, 64\n", encoding="utf-8")
    playback = ("--mode", "playback", "--playback", "traffic.csv", "--objective", "tail")
    found = tuner("measure", *playback, "--runs", "1", "--sockperf", sockperf, "--json")
    assert found.status == 0, found.err
    plan = tuner("sessions", "show", "--json").json["plan"]
    assert plan["workloads"][0]["duration_s"] == 3
    assert plan["workloads"][0]["playback"] == str(tmp_path / "traffic.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [("0.1, 64\nhello\n", ["line 2"]), ("", ["not a playback file"]), (None, ["cannot read the playback"])],
)
def test_a_playback_file_that_cannot_be_used_is_refused(
    tuner: Tuner, sockperf: str, tmp_path: Path, text: str | None, words: list[str]
) -> None:
    if text is not None:
        (tmp_path / "traffic.csv").write_text(text, encoding="utf-8")
    ended = tuner("measure", "--mode", "playback", "--playback", "traffic.csv", "--sockperf", sockperf)
    assert ended.status == 2
    assert all(word in ended.err for word in words)


def test_all_that_is_wrong_with_a_workload_is_said_at_once(tuner: Tuner, sockperf: str) -> None:
    ended = tuner("measure", "--sockperf", sockperf, "--message-bytes", "3", "--connections", "4", "--address", "here")
    assert all(word in ended.err for word in ("message_bytes", "recvfrom", "not an IP address"))


def test_an_error_has_a_json_form(tuner: Tuner) -> None:
    ended = tuner("tune", "latancy", "--json")
    assert ended.status == 2
    assert ended.json["error"].startswith("there is no profile 'latancy'")
    assert "latency" in ended.json["advice"]


def test_a_results_folder_that_cannot_be_used_is_an_error_before_the_first_run(
    tuner: Tuner, sockperf: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ended = tuner("measure", "--sockperf", sockperf, "--results", str(tmp_path / "file"))
    assert ended.status == 1
    assert "--results DIR" in ended.err


def test_a_broken_profile_is_refused_with_every_reason(tuner: Tuner, sockperf: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nstack = "kernel"\n[settings]\nLD_PRELOAD = "/x.so"\nXLIO_RX_POLL = -7\n', encoding="utf-8"
    )
    ended = tuner("measure", str(path), "--sockperf", sockperf)
    assert ended.status == 2
    assert "LD_PRELOAD" in ended.err
    assert "-1 to 100000000" in ended.err


def test_xlio_without_its_library_never_measures_the_kernel_under_its_name(tuner: Tuner, sockperf: str) -> None:
    ended = tuner("measure", "--stack", "xlio", "--sockperf", sockperf)
    assert ended.status == 1
    assert "the library of stack xlio was not found" in ended.err


def test_a_library_that_is_not_the_stack_stops_the_session_with_the_reason(
    tuner: Tuner, sockperf: str, tmp_path: Path
) -> None:
    (tmp_path / "libxlio.so").write_bytes(b"not a library")
    ended = tuner("tune", "--stack", "xlio", "--lib", "libxlio.so", "--sockperf", sockperf, "--results", "r")
    assert ended.status == 1
    assert "libxlio.so: is not an ELF file" in ended.err


def test_check_says_what_is_there_and_what_is_not(tuner: Tuner, sockperf: str) -> None:
    assert "✓ sockperf" in tuner("check", "--sockperf", sockperf).out
    ended = tuner("check", "--sockperf", "/nowhere", "--json")
    assert ended.status == 1
    assert ended.json["fit"] is False
    assert {part["part"]: part["ok"] for part in ended.json["parts"]}["sockperf"] is False


@pytest.mark.long
def test_check_measures_the_noise_of_the_host_when_asked(tuner: Tuner, sockperf: str) -> None:
    arguments = ("check", "--noise", "--runs", "8", "--sockperf", sockperf)
    said = tuner(*arguments)
    assert said.status == 0
    assert " of 8 runs; CV " in said.out
    assert "minimum detectable effect at 300 s: " in said.out
    found = tuner(*arguments, "--objective", "throughput", "--json").json["noise"]
    assert found["calibration"]["runs"] == 8
    assert found["calibration"]["metrics"]["rate_mps"]["median"] > 0
    assert [row["budget_s"] for row in found["budgets"]] == [60, 300, 3600]
    assert found["quarantined"] <= 1


def test_a_noise_that_cannot_be_measured_is_an_error_and_no_number(tuner: Tuner, tmp_path: Path) -> None:
    broken = str(fake.install(tmp_path, crash="client"))
    ended = tuner("check", "--noise", "--sockperf", broken)
    assert ended.status == 1
    assert "the baseline (default) does not run" in ended.err


def test_a_measurement_prints_each_metric_with_its_interval_and_count(tuner: Tuner, sockperf: str) -> None:
    ended = tuner("measure", "latency", "--runs", "3", "--sockperf", sockperf, "--json")
    assert ended.status == 0
    p50 = ended.json["metrics"]["latency_p50_us"]
    assert p50["runs"] == 3
    assert p50["low"] <= p50["value"] <= p50["high"]
    assert p50["value"] == pytest.approx(3.0, rel=0.1)
    assert ended.json["settings"]["XLIO_RX_POLL"] == "-1"


def test_a_comparison_ends_with_the_verdicts_status(tuner: Tuner, sockperf: str) -> None:
    better = tuner("compare", "default", "latency", "--budget", "6s", "--sockperf", sockperf, "--json")
    assert (better.status, better.json["verdict"]) == (0, "improved")
    worse = tuner("compare", "latency", "default", "--budget", "6s", "--sockperf", sockperf, "--json")
    assert (worse.status, worse.json["verdict"]) == (3, "not improved")


def test_a_tuning_prints_the_fixed_json_shape_and_leaves_what_it_names(tuner: Tuner, sockperf: str) -> None:
    ended = tuner("tune", "latency", "--budget", "20s", "--sockperf", sockperf, "--seed", "3", "--json")
    found = ended.json
    assert ended.status == 0
    assert found["verdict"] == "improved"
    assert {
        "session",
        "stack",
        "objective",
        "workload",
        "baseline",
        "winner",
        "known",
        "gain",
        "trials",
        "runs",
    } <= set(found)
    assert set(found["gain"]) >= {"ratio", "low", "high", "confidence"}
    assert set(found["trials"]) == {"ok", "failed", "timeout", "not-loaded", "invalid"}
    assert set(found["time"]) >= {"wall_s", "runs_s"}
    assert Path(found["winner"]["path"]).is_file()
    shown = tuner("sessions", "show", found["session"])
    assert "Verdict: **improved**" in shown.out
    assert (Path("results") / found["session"] / "summary.md").read_text(encoding="utf-8") == shown.out
    unknown = tuner("sessions", "show", "yesterday")
    assert (unknown.status, "session 'yesterday' is not here" in unknown.err) == (2, True)
    assert "did you mean latest?" in tuner("sessions", "show", "latst").err
    unset = tuner("sessions", "show", "", "--results", "results")  # as "$ID" of a script that has none
    assert (unset.status, "session '' is not here" in unset.err) == (2, True)
    again = tuner("sessions", "resume", found["session"], "--json")
    assert again.json == found
    listed = tuner("sessions", "list", "--json").json
    assert [row["session"] for row in listed] == [found["session"]]


def test_minimising_says_what_it_dropped_and_what_the_rest_is_worth(tuner: Tuner, sockperf: str) -> None:
    ended = tuner("minimise", "latency", "--budget", "20s", "--sockperf", sockperf, "--json")
    assert (ended.status, ended.json["verdict"]) == (0, "minimised")
    assert [row["name"] for row in ended.json["minimised"]["kept"]] == ["XLIO_RX_POLL"]
    assert {row["name"] for row in ended.json["minimised"]["dropped"]} == {"XLIO_SELECT_POLL", "XLIO_TCP_NODELAY"}
    assert ended.json["gain"]["ratio"] == pytest.approx(12.0, rel=0.1)
    again = tuner("sessions", "resume", ended.json["session"])
    assert "removed:\n  XLIO_SELECT_POLL=-1" in again.out
    assert "next:\n  tuner run latest -- COMMAND" in again.out
    assert "statistics:" not in again.out
    asked = tuner("sessions", "resume", ended.json["session"], "--verbose")
    assert asked.out.startswith(again.out)
    assert "\ntime: " in asked.out.replace("  ", "").split("statistics:")[1]
    assert "XLIO_RX_POLL=-1  1" in again.out
    assert str(ended.json["winner"]["path"]) in again.out
    shown = tuner("sessions", "show", ended.json["session"])
    assert "Verdict: **minimised**" in shown.out
    measured = tuner("measure", ended.json["winner"]["path"], "--runs", "1", "--sockperf", sockperf, "--json")
    assert measured.json["settings"] == {"XLIO_RX_POLL": "-1"}


@pytest.mark.long
def test_a_warm_start_says_what_it_starts_from(tuner: Tuner, sockperf: str) -> None:
    warm = ("tune", "--budget", "13s", "--sockperf", sockperf, "--optimizer", "grid", "--warm-start", "--json")
    first = tuner(*warm)
    assert first.json["warm_start"] == {"sessions": 0, "outcomes": 0}
    assert "no finished session" in first.err
    second = tuner(*warm, "--seed", "1")
    assert second.json["warm_start"]["sessions"] == 1
    assert "results of 1 earlier session" in second.err
    assert "Warm start: " in tuner("sessions", "show", second.json["session"]).out


def test_a_profile_that_a_session_wrote_can_be_measured(tuner: Tuner, sockperf: str) -> None:
    found = tuner("tune", "--budget", "18s", "--sockperf", sockperf, "--json").json
    ended = tuner("measure", found["winner"]["path"], "--runs", "1", "--sockperf", sockperf, "--json")
    assert ended.json["settings"] == found["winner"]["settings"]


def test_nothing_is_written_outside_the_results_folder(tuner: Tuner, sockperf: str, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    tuner("measure", "--runs", "1", "--sockperf", sockperf, "--results", "out")
    new = {path.name for path in set(tmp_path.iterdir()) - before}
    assert {name for name in new if not name.startswith("sockperf")} == {"out"}
