"""A migrated profile means the same where it can, and what cannot be carried is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tuner import catalogue
from tuner.catalogue.effective import effective
from tuner.errors import UsageError
from tuner.profiles.files import parse, write
from tuner.profiles.lint import lint
from tuner.profiles.migration import Note, Step, edition, migrate
from tuner.profiles.profile import Profile, errors_in, problems

XLIO_RELEASES = catalogue.load("xlio").releases


def carried(settings: dict[str, str], source: str, target: str) -> tuple[dict[str, str], list[Note]]:
    one, other = (edition(*each.split(":")) for each in (source, target))
    profile, notes = migrate(Profile("mine", one.known.stack, settings, "A test."), one, other)
    return dict(profile.settings), list(notes)


def steps(notes: list[Note]) -> dict[str, Step]:
    return {note.name: note.step for note in notes}


def test_a_preset_that_is_gone_is_spelled_out() -> None:
    settings, notes = carried({"XLIO_SPEC": "multi_ring_latency"}, "xlio:3.40.0", "xlio:3.61")
    assert "XLIO_SPEC" not in settings
    assert settings["XLIO_RX_POLL"] == settings["XLIO_SELECT_POLL"] == "-1"
    assert settings["XLIO_SELECT_POLL_OS_RATIO"] == "0"
    assert steps(notes)["XLIO_SPEC"] is Step.EXPANDED
    assert steps(notes)["XLIO_TRIGGER_DUMMY_SEND_GETSOCKNAME"] is Step.DROPPED


def test_what_was_set_beside_a_preset_stands_over_it() -> None:
    settings, _ = carried({"XLIO_SPEC": "multi_ring_latency", "XLIO_RX_POLL": "500"}, "xlio:3.40.0", "xlio:3.61")
    assert settings["XLIO_RX_POLL"] == "500"


@pytest.mark.parametrize(("source", "target", "spelling"), [("3.40.2", "3.61.2", "ultra_latency"), ("3.61.2", "3.40.2", "ultra-latency")])  # fmt: skip
def test_a_preset_is_spelled_as_the_release_knows_it(source: str, target: str, spelling: str) -> None:
    old = "ultra_latency" if spelling == "ultra-latency" else "ultra-latency"
    settings, notes = carried({"XLIO_SPEC": old}, f"xlio:{source}", f"xlio:{target}")
    assert settings == {"XLIO_SPEC": spelling}
    assert notes[0].step is Step.RESPELLED


def test_a_preset_that_changed_says_what_changed() -> None:
    _, notes = carried({"XLIO_SPEC": "latency"}, "xlio:3.40.0", "xlio:3.61.2")
    said = [note.message for note in notes]
    assert any("XLIO_RX_WRE was not set and is 4" in each for each in said)
    assert not any("XLIO_THREAD_MODE" in each for each in said)


@pytest.mark.parametrize(
    ("settings", "source", "target", "became", "step"),
    [
        ({"XLIO_TCP_CTL_THREAD": "1"}, "3.10.5", "3.21.2", {"XLIO_TCP_CTL_THREAD": "with_wakeup"}, Step.RESPELLED),
        ({"XLIO_TCP_CTL_THREAD": "with_wakeup"}, "3.21.2", "3.10.5", {"XLIO_TCP_CTL_THREAD": "1"}, Step.RESPELLED),
        ({"XLIO_TCP_CTL_THREAD": "2"}, "3.21.2", "3.61.2", {}, Step.DROPPED),
        ({"XLIO_HUGEPAGE_LOG2": "21"}, "3.21.2", "3.61.2", {"XLIO_HUGEPAGE_SIZE": "2097152"}, Step.RENAMED),
        ({"XLIO_HUGEPAGE_SIZE": "2MB"}, "3.61.2", "3.21.2", {"XLIO_HUGEPAGE_LOG2": "21"}, Step.RENAMED),
        ({"XLIO_RX_SKIP_OS": "7"}, "3.21.2", "3.61.2", {"XLIO_RX_UDP_POLL_OS_RATIO": "7"}, Step.RENAMED),
        ({"XLIO_NGINX_DISTRIBUTE_CQ": "1"}, "3.20.1", "3.61.2", {"XLIO_DISTRIBUTE_CQ": "1"}, Step.RENAMED),
        ({"XLIO_THREAD_MODE": "0"}, "3.21.2", "3.61.2", {}, Step.DROPPED),
        ({"XLIO_SPEC": "bogus"}, "3.21.2", "3.61.2", {}, Step.DROPPED),
        ({"XLIO_RX_BUFS": "99"}, "3.20.3", "3.21.2", {"XLIO_RX_BUFS": "99"}, Step.CHANGED),
        ({"XLIO_TX_WRE": "32"}, "3.21.2", "3.61.2", {"XLIO_TX_WRE": "128"}, Step.CHANGED),
    ],
)  # fmt: skip
def test_a_setting_is_carried_by_its_meaning(
    settings: dict[str, str], source: str, target: str, became: dict[str, str], step: Step
) -> None:
    found, notes = carried(settings, f"xlio:{source}", f"xlio:{target}")
    assert found == became
    assert step in steps(notes).values()


def test_between_xlio_and_vma_it_goes_by_equivalents() -> None:
    settings, notes = carried(
        {"XLIO_RX_POLL": "-1", "XLIO_STRQ": "off", "XLIO_RX_WRE": "4"}, "xlio:3.61.2", "vma:9.8.84"
    )
    assert settings == {"VMA_RX_POLL": "-1"}
    assert (steps(notes)["XLIO_STRQ"], steps(notes)["XLIO_RX_WRE"]) == (Step.DROPPED, Step.DROPPED)
    back, _ = carried({"VMA_VMAD_NOTIFY_DIR": "/run/x", "VMA_TCP_CTL_THREAD": "1"}, "vma:9.8.84", "xlio:3.21.2")
    assert back == {"XLIO_SERVICE_NOTIFY_DIR": "/run/x", "XLIO_TCP_CTL_THREAD": "with_wakeup"}


@pytest.mark.parametrize(
    ("settings", "source", "target", "became"),
    [
        ({"XLIO_TSO": "off"}, "xlio:3.61.2", "vma:9.2.2", {"VMA_TSO": "0"}),
        ({"XLIO_TSO": "Enabled"}, "xlio:3.61.2", "vma:9.2.2", {"VMA_TSO": "1"}),
        ({"XLIO_TSO": "auto"}, "xlio:3.61.2", "vma:9.2.2", {}),
        ({"XLIO_TSO": "off"}, "xlio:3.61.2", "vma:9.8.84", {}),
        ({"VMA_TSO": "0"}, "vma:9.2.2", "xlio:3.61.2", {"XLIO_TSO": "off"}),
        ({"VMA_TSO": "1"}, "vma:9.2.2", "xlio:3.61.2", {"XLIO_TSO": "on"}),
    ],
)
def test_a_switch_is_carried_to_words_and_back(
    settings: dict[str, str], source: str, target: str, became: dict[str, str]
) -> None:
    found, notes = carried(settings, source, target)
    assert found == became
    assert [note.step for note in notes if note.name in settings and not became] == ([] if became else [Step.DROPPED])


def test_a_vma_preset_that_xlio_no_longer_has_is_spelled_out_in_its_names() -> None:
    settings, _ = carried({"VMA_SPEC": "multi_ring_latency"}, "vma:9.8.84", "xlio:3.61.2")
    assert settings["XLIO_RING_ALLOCATION_LOGIC_RX"] == "20"


@pytest.mark.parametrize(
    "target", ["xlio:2.0.6", "xlio:3.21.2", "xlio:3.40.2", "xlio:3.61.2", "xlio:3.70.2", "vma:9.8.84"]
)
@pytest.mark.parametrize(
    "path", sorted(Path("profiles").glob("[xv][lm]*/*.toml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_shipped_profile_is_sound_wherever_it_goes(path: Path, target: str) -> None:
    profile = parse(path.read_text(encoding="utf-8"), str(path)).profile
    assert profile is not None
    known = catalogue.load(profile.stack)
    source = edition(profile.stack, profile.releases.among(known.releases)[-1])
    made, _ = migrate(profile, source, edition(*target.split(":")))
    assert errors_in(problems(made, target.partition(":")[2])) == ()
    assert parse(write(made), "x").profile == made


def test_a_migrated_preset_has_the_effect_that_it_had() -> None:
    before = effective(catalogue.load("xlio"), {"XLIO_SPEC": "multi_ring_latency"}, "3.40.0").values()
    settings, _ = carried({"XLIO_SPEC": "multi_ring_latency"}, "xlio:3.40.0", "xlio:3.61.2")
    after = effective(catalogue.load("xlio"), settings, "3.61.2").values()
    assert {name: after[name] for name in settings} == {name: before[name] for name in settings}


def test_stacks_without_common_variables_are_refused() -> None:
    with pytest.raises(UsageError, match="share no variables"):
        carried({}, "xlio:3.61.2", "kernel:0.1.0")
    with pytest.raises(UsageError, match="'newest' is not a known release of xlio"):
        edition("xlio", "newest")


def test_a_release_that_is_not_known_is_its_older_neighbour_and_that_is_said() -> None:
    found = edition("xlio", "4")
    assert (found.release, "read as 3.70.2" in found.remark) == ("4", True)
    assert edition("vma", "9.7").remark == ""


def test_the_command_prints_a_profile_and_says_on_stderr_what_changed(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text('name = "old"\nstack = "xlio"\nsummary = "x"\nreleases = "<=3.40.0"\n[settings]\nXLIO_SPEC = "multi_ring_latency"\n')  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "tuner",
        "profiles",
        "migrate",
        "old.toml",
        "--to",
        "3.61",
        "-o",
        "new.toml",
        "--json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["to"] == "xlio 3.61.2"
    assert "expanded: XLIO_SPEC" in done.stderr
    assert errors_in(lint(tmp_path / "new.toml", "3.61.2")) == ()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (again.returncode, "exists and was not changed" in again.stderr) == (2, True)
