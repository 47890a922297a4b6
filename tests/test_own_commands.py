"""Whole sessions with somebody's own commands: simulated ones find what is there, and real ones run, resume, and start nothing strange."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import far_hosts
import own_commands
import pytest
import simulation
from command_line import Tuner

from tuner.cli.recipe_trust import Trusted
from tuner.hosts.host import Command
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import BEFORE, WARM_UP, Pair
from tuner.hosts.simulated import Words
from tuner.judging.objective import objective
from tuner.profiles import library
from tuner.records import Kind, Run, Status
from tuner.runs import shipped_recipes
from tuner.runs.recipe_file import of_text
from tuner.session.phases.propose import search_space
from tuner.session.setup import prepare, rehearsal
from tuner.session.setup.plan import Contender, Plan
from tuner.session.setup.request import Request, Task

HERE: Final = Path(__file__).parent
RECIPE: Final = f"""
name = "stand-in"
[server]
command = "{sys.executable} -IS {HERE}/stand_in_server {{port}}"
ready = "listening"
[client]
command = "{sys.executable} -IS {HERE}/stand_in_client {{port}} 300"
[metrics.rate]
unit = "lines/s"
better = "higher"
regex = '^rate: ([0-9.]+) per s$'
[metrics.line]
unit = "us"
better = "lower"
json = "us[*]"
in = "samples.json"
samples = true
"""
AS_USER: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
HELPS: Final = ("XLIO_TCP_NODELAY", "1")


def helped(settings: Any) -> float:
    return simulation.BASE_US / (1.5 if settings.get(HELPS[0]) == HELPS[1] else 1.0)


def test_a_simulated_session_finds_what_helps_by_the_metrics_of_a_recipe(tmp_path: Path) -> None:
    found = own_commands.session(tmp_path, helped, "helps", own_commands.plan())
    assert found["verdict"] == "improved"
    assert found["winner"]["settings"].get(HELPS[0]) == HELPS[1]
    assert found["gain"]["ratio"] == pytest.approx(1.5, rel=0.15)
    assert {"requests_per_s", "p99_ms", "wall_s"} <= found["winner"]["metrics"].keys()


def test_what_a_server_said_in_its_end_is_told_on_one_line() -> None:
    assert rehearsal.told("the server ended during the run: ready\n\n  I die\n") == (
        "the server ended during the run: ready / I die"
    )


def test_where_nothing_helps_a_simulated_session_claims_nothing(tmp_path: Path) -> None:
    verdicts = [own_commands.nothing_helps(seed) for seed in range(1, 6)]
    assert verdicts.count("improved") <= 1


def test_how_a_recipes_programs_wait_is_not_known_so_that_nothing_is_left_out_of_the_search() -> None:
    searched = search_space(own_commands.plan()).names
    assert set(search_space(replace(simulation.PLAN, objective=objective("balanced"))).names) < set(searched)
    assert "XLIO_SELECT_POLL" in searched


@pytest.mark.parametrize("kind", [Kind.COMPARE, Kind.MINIMISE, Kind.MEASURE, Kind.CALIBRATE])
def test_every_kind_of_session_takes_a_recipe(kind: Kind, tmp_path: Path) -> None:
    known = (Contender("helps", dict([HELPS])),)
    alone = kind in {Kind.MEASURE, Kind.CALIBRATE}
    limits: dict[str, Any] = {"budget_s": 1e9, "blocks": 4} if alone else {"budget_s": 60.0}
    found = own_commands.session(tmp_path, helped, f"{kind}", own_commands.plan(kind=kind, known=known, **limits))
    assert found.get("verdict") == {"compare": "improved", "minimise": "minimal"}.get(kind)
    assert kind is not Kind.MEASURE or "requests_per_s" in found["metrics"]


def test_a_limit_behind_where_is_kept(tmp_path: Path) -> None:
    strict = own_commands.plan("max requests_per_s where p99_ms < 0.01")
    assert own_commands.session(tmp_path, helped, "limit", strict)["verdict"] == "not improved"


def recipe(folder: Path, text: str = RECIPE) -> str:
    path = folder / "stand-in.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_strangers_recipe_is_shown_and_starts_nothing_until_it_is_trusted(tuner: Tuner, tmp_path: Path) -> None:
    path = recipe(tmp_path, RECIPE.replace("[server]", "# a comment that is shown\n[server]"))
    asked = ("check", "--workload", path)
    refused = tuner(*asked)
    assert refused.status == 2
    assert "a comment that is shown" in refused.err
    assert "--trust" in refused.err
    assert tuner(*asked, "--trust").status == 0
    assert tuner(*asked).status == 0
    recipe(tmp_path, RECIPE.replace("300", "301"))
    assert tuner(*asked).status == 2


def test_what_others_could_have_written_trusts_nothing(tmp_path: Path) -> None:
    trusted = Trusted(tmp_path / "state" / "tuner" / "trusted-recipes")
    trusted.add("0" * 64, "some\nwhere")
    assert trusted.fingerprints() == {"0" * 64}
    trusted.path.chmod(0o622)
    assert trusted.fingerprints() == frozenset()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ((f"{HERE}/stand_in_client {{port}} 300", "-c pass"), "stand-in: metrics.rate.regex: the regex"),
        (("per s$", ""), ""),
        (("'^rate: ([0-9.]+) per s$'", "'([0-9])'"), "metrics.rate.regex: the regex '([0-9])' matches"),
        (('json = "us[*]"', 'json = "ms[*]"'), "metrics.line.json: the whole has no key 'ms'"),
        (('in = "samples.json"', 'in = "other.json"'), "metrics.line.json: no end left a file other.json"),
        (("stand_in_server {port}", "stand_in_server {port} late"), "stand-in: server.command: the server ended"),
        (('ready = "listening"', 'ready = "never"\n'), "stand-in: server.ready: the server was not ready within 1 s"),
        (("300", "0"), "stand-in: metrics.line.json: the path 'us[*]' leads to an empty list"),
        (("stand_in_client {port}", "stand_in_client 1"), "stand-in: client.exit_statuses: the client ended with status 1"),
    ],
    ids=lambda each: str(each)[:40],
)  # fmt: skip
def test_a_bad_recipe_is_told_on_one_screen_with_its_place(
    change: tuple[str, str], place: str, tuner: Tuner, tmp_path: Path
) -> None:
    assert change[0] in RECIPE
    path = recipe(
        tmp_path, RECIPE.replace(*change).replace('name = "stand-in"', 'name = "stand-in"\nready_limit_s = 1')
    )
    done = tuner("measure", "default", "--runs", "1", "--workload", path, "--trust")
    if not place:
        assert done.status == 0, done.err
        return
    assert done.status == 2
    assert place in done.err
    assert len(done.err.splitlines()) < 15
    assert not (tmp_path / "results").exists()


def test_a_port_that_is_taken_is_told_with_what_to_do(tuner: Tuner, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = RECIPE.replace("{port}", str(taken.getsockname()[1]))
        done = tuner("measure", "default", "--runs", "1", "--workload", recipe(tmp_path, text), "--trust")
    assert done.status == 2
    assert "stand-in: server.command: " in done.err
    assert "Address already in use" in done.err
    assert "write {port} for its port" in done.err


@pytest.mark.serial
def test_a_real_session_with_a_recipe_is_stored_judged_reported_and_resumed(tuner: Tuner, tmp_path: Path) -> None:
    path = recipe(tmp_path)
    done = tuner("compare", "default", "latency", "--budget", "12s", "--workload", path, "--trust", "--json")
    assert done.status in {0, 3}, done.err
    metrics = done.json["a"]["metrics"]
    assert {"rate", "line.p50", "line.p99", "cpu_s", "server_memory_mb"} <= metrics.keys()
    judged = tuner("sessions", "judge", "latest", "--json")
    assert judged.status == 0, judged.err
    report = tuner("report", "latest", "--format", "json")
    assert report.status == 0, report.err
    told = report.json
    assert told["of_a_run"] == ["rate", "cpu_s"]
    assert told["curves"]["source"] == "histograms"
    assert "PORT" in told["evidence"]["commands"][0]["client"]
    assert told["facts"]["measured with"]["recipe"].startswith("stand-in, SHA-256 ")
    for form in ("html", "md"):
        assert tuner("report", "latest", "--format", form).status == 0


def unfinished(folder: Path) -> None:
    """Make the stored session one that was interrupted."""
    with sqlite3.connect(folder / "results" / "tuner.db") as store:
        store.execute("UPDATE sessions SET state = 'stopped', verdict = NULL, spent_s = 0.0")
        store.execute("DELETE FROM runs WHERE number > 3")


def test_a_stored_recipe_is_named_again_before_anything_of_it_is_started(tuner: Tuner, tmp_path: Path) -> None:
    path = recipe(tmp_path)
    assert tuner("measure", "default", "--runs", "3", "--workload", path, "--trust").status == 0
    unfinished(tmp_path)
    refused = tuner("sessions", "resume", "latest")
    assert refused.status == 2
    assert "a store may be anybody's, and starts nothing" in refused.err
    other = recipe(tmp_path, RECIPE.replace("300", "299"))
    refused = tuner("sessions", "resume", "latest", "--workload", other, "--trust")
    assert refused.status == 2
    assert "is another one" in refused.err
    done = tuner("sessions", "resume", "latest", "--workload", recipe(tmp_path))
    assert done.status == 0, done.err


def test_commands_are_options_and_the_wall_time_is_ours(tuner: Tuner) -> None:
    client = f"{sys.executable} -IS -c 'print(7)'"
    done = tuner("measure", "default", "--runs", "2", "--client-cmd", client, "--metric", "seven=([0-9]+)", "--json")
    assert done.status == 0, done.err
    assert done.json["metrics"]["seven"]["value"] == 7.0
    assert 0.0 < done.json["metrics"]["wall_s"]["value"] < 30.0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--workload", "command"), "needs --client-cmd"),
        (("--server-cmd", "x"), "needs --client-cmd"),
        (("--client-cmd", "true", "--metric", "x"), "is not NAME=REGEX"),
        (("--client-cmd", "true", "--metric", "x=(y)", "--metric", "x=(z)"), "is named twice"),
        (("--client-cmd", "'open"), "No closing quotation"),
        (("--client-cmd", "true", "--mode", "ping-pong"), "workload.mode"),
        (("--client-cmd", "true", "--objective", "latency"), "is not a goal"),
        (("--client-cmd", "no-such-program"), "there is no program 'no-such-program'"),
        (("--workload", "redi"), "did you mean redis?"),
        (("--workload", "redis", "--client-cmd", "true"), "beside --workload redis"),
    ],
)
def test_what_nobody_could_mean_by_commands_is_refused(options: tuple[str, ...], why: str, tuner: Tuner) -> None:
    done = tuner("measure", "default", *options)
    assert done.status in {1, 2}
    assert why in done.err


def test_the_recipes_of_the_package_need_no_trust(tuner: Tuner, tmp_path: Path) -> None:
    path = recipe(tmp_path, shipped_recipes.texts()["redis"])
    assert "--trust" not in tuner("check", "--workload", path).err


@pytest.mark.serial
def test_two_commands_are_compared_as_they_are(tuner: Tuner) -> None:
    asked = ("--client-cmd", "sleep 0.3", "--other-cmd", "sleep 0.05", "--budget", "8s", "--json")
    done = tuner("compare", *asked)
    assert done.status == 0, done.err
    assert (done.json["a"]["profile"], done.json["b"]["profile"]) == ("first", "second")
    assert done.json["gain"]["ratio"] > 1.5
    assert tuner("sessions", "judge").status == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("compare", "default", "latency", "--workload", "two-commands"), "no profiles"),
        (("tune", "--workload", "two-commands"), "use tuner compare"),
        (("compare", "default"), "two profiles are needed"),
        (("compare",), "two profiles are needed"),
    ],
)
def test_two_commands_are_compared_and_nothing_else(words: tuple[str, ...], why: str, tuner: Tuner) -> None:
    done = tuner(*words)
    assert done.status == 2
    assert why in f"{done.out}{done.err}"


MEASURED = sorted(set(shipped_recipes.texts()) - {"two-commands"})


def programs_of(name: str) -> list[str]:
    return sorted({command[0] for command in shipped_recipes.every()[name].commands})


@pytest.mark.parametrize(
    "name", [*MEASURED, pytest.param("two-commands", marks=[pytest.mark.serial, pytest.mark.long])]
)
def test_a_recipe_of_the_package_measures_where_its_programs_are(name: str, tuner: Tuner, tmp_path: Path) -> None:
    if missing := [program for program in programs_of(name) if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    text = shipped_recipes.texts()[name]
    if (
        name == "postgresql" and os.geteuid() == 0
    ):  # it refuses to run as root, also where root has no rights beyond its own
        if subprocess.run([*AS_USER, "true"], check=False, capture_output=True).returncode:
            pytest.skip("PostgreSQL refuses to run as root, and there are no user namespaces")
        text = re.sub(r'"(initdb|postgres) -D', rf'"{" ".join(AS_USER)} \1 -D', text)
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    two = ("compare", "--budget", "20s") if name == "two-commands" else ("measure", "default", "--runs", "1")
    done = tuner(*two, "--workload", str(path), "--trust", "--json")
    assert done.status in {0, 3}, done.err
    metrics = (done.json.get("a") or done.json)["metrics"]
    assert metrics[shipped_recipes.every()[name].objective.split()[1]]["value"] > 0.0


def test_a_recipe_runs_between_two_hosts_each_with_its_own_programs() -> None:
    asked = Task("kernel", workload={"recipe": of_text(RECIPE, "stand-in.toml"), "address": "127.0.0.1"})
    with far_hosts.child() as there:
        pair = Pair(there, LocalHost())
        plan = prepare.plan(Request(Kind.MEASURE, "default", task=asked), pair, library.shipped())
        run = prepare.rig(plan, pair).execute({}, plan.workloads[0])
    assert run.status is Status.OK, run.reason
    assert list(plan.programs) == ["server", "client"]
    assert all(list(paths) == [sys.executable] for paths in plan.programs.values())
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


class Constant(own_commands.CommandHost):
    """A host whose client prints one number, whatever it measures."""

    def client(self, command: Command) -> Words:
        """Return what the client prints."""
        return replace(super().client(command), stdout="rate: 5\np99: 7\n")


def test_a_number_that_is_the_same_in_every_run_is_doubted(tmp_path: Path) -> None:
    host = Constant(helped, simulation.Noise(), simulation.chances("constant"))
    found = simulation.carried_out(tmp_path, host, own_commands.plan(), "constant")
    doubts = [each["what"] for each in found["doubts"]]
    assert [each for each in doubts if each.startswith("requests_per_s was 5 in each of ")], doubts


@pytest.mark.parametrize(
    ("reason", "place"),
    [
        (f"sh ended with status 9: no disk ({BEFORE})", "server.prepare"),
        (f"false ended with status 1: it printed nothing ({WARM_UP})", "client.warm_up"),
    ],
)
def test_a_command_before_a_run_is_told_by_its_own_key(reason: str, place: str) -> None:
    assert rehearsal.place(Run(Status.FAILED, reason, "", 1.0, None, {}))[0] == place


@pytest.mark.serial
def test_a_budget_is_held_against_what_a_run_takes_and_not_against_a_guess(tuner: Tuner) -> None:
    short = tuner("compare", "--client-cmd", "true", "--other-cmd", "true", "--budget", "5s", "--json")
    assert json.loads(short.out)["verdict"] in {"improved", "not improved"}, short.err
    long = tuner("compare", "--client-cmd", "sleep 1.5", "--other-cmd", "sleep 1.5", "--budget", "5s")
    assert "a budget of 5 s is too small" in long.err
