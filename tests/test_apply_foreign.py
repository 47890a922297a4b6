"""Putting a profile into somebody's file changes no line of theirs, and undo brings the file back to the byte."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import deploy
from tuner.deploy import Journal
from tuner.errors import UsageError
from tuner.export import Deployment, form, forms
from tuner.export.merge import merged
from tuner.profiles.profile import Profile

SETTINGS = {"XLIO_RX_POLL": "-1", "XLIO_LOG_FILE": "/var/log/a b#1.log"}
LIBRARY = "/usr/lib/libtuner_kernel.so"


def deployment(values: Mapping[str, str] = SETTINGS, target: str = "app", library: str = LIBRARY) -> Deployment:
    return Deployment(Profile("p", "kernel", dict(values)), library, "XLIO_", target)


def put_into(text: str, name: str = "env", values: Mapping[str, str] = SETTINGS, target: str = "app") -> str:
    return merged(form(name), text, deployment(values, target))


def is_subsequence(lines: list[str], of: list[str]) -> bool:
    rest = iter(of)
    return all(line in rest for line in lines)


def sourced(text: str) -> dict[str, str]:
    """Return the environment that bash has after it has read a file of assignments."""
    done = subprocess.run(
        ["env", "-i", "bash", "--norc", "-c", "set -a; . /dev/stdin; exec /usr/bin/env -0"],
        input=text.encode(errors="surrogateescape"),
        capture_output=True,
        check=True,
    )
    return dict(
        entry.split("=", 1) for entry in done.stdout.decode(errors="surrogateescape").split("\0") if "=" in entry
    )


APP_ENV = 'PORT=80\nJAVA_OPTS="-Xmx4g"\nEF_NAME=feed\n'
COMPOSE = 'services:\n  feed:\n    image: feed:1\n    ports: ["80:80"]\n'

FOREIGN_FILES = [
    ("env", APP_ENV),
    ("env", "# mine\n\nA=1 # c\r\nB='x y'"),
    ("env", "\ufeffA=1\n"),
    ("env", "XLIO_RX_POLL=100\nA=1\n"),
    ("env", "XLIO_TX_BUFS=7\n"),
    ("docker", 'A=1\n#c\nB=x "y" # no comment\n'),
    ("sh", "set -e\nexport A='1'\nif [ -f x ]; then . x; fi\n"),
    (
        "systemd",
        '[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\nEnvironment=A=1 "B=2 3"\n[Install]\nWantedBy=x\n',
    ),
]


@pytest.mark.parametrize(("name", "text"), FOREIGN_FILES)
def test_every_line_of_others_stays_where_it_is(name: str, text: str) -> None:
    after = put_into(text, name)
    assert after.startswith(text)
    assert "XLIO_RX_POLL=-1" in after


@pytest.mark.parametrize(("name", "text"), FOREIGN_FILES)
def test_a_second_profile_takes_the_place_of_the_first(name: str, text: str) -> None:
    first = put_into(text, name)
    assert put_into(first, name) == first
    other = put_into(first, name, {"XLIO_RX_POLL": "7"})
    assert other == put_into(text if text.endswith("\n") else text + "\n", name, {"XLIO_RX_POLL": "7"})
    assert "XLIO_LOG_FILE" not in other


def test_what_others_write_behind_the_block_stays_and_does_not_win() -> None:
    after = put_into(put_into("A=1\n") + "B=2\nXLIO_RX_POLL=5\n")
    assert after.startswith("A=1\nB=2\nXLIO_RX_POLL=5\n")
    assert sourced(after)["XLIO_RX_POLL"] == "-1"


@pytest.mark.parametrize("text", ["A='open\n", "A=1 \\", 'B="x\n'])
def test_a_file_whose_end_would_swallow_the_block_is_refused_with_what_to_merge(text: str) -> None:
    with pytest.raises(UsageError, match="certainty") as refusal:
        put_into(text)
    assert "XLIO_RX_POLL=-1" in refusal.value.advice


def test_another_preloaded_library_is_not_replaced_in_silence() -> None:
    with pytest.raises(UsageError, match=r"preloads libjemalloc\.so already"):
        put_into("LD_PRELOAD=libjemalloc.so\n")


def test_half_a_block_is_refused() -> None:
    with pytest.raises(UsageError, match="half a block"):
        put_into("# tuner: begin\nXLIO_RX_POLL=1\nA=1\n")


@pytest.mark.parametrize("text", ["./app -p 1\n", "A=1 /opt/app &\n", "sudo numactl -N 1 $D/app\n", 'nohup "$@"\n'])
def test_a_script_that_starts_its_program_before_its_end_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="may start its program before"):
        put_into(text, "sh")


def test_a_script_is_no_environment_file() -> None:
    with pytest.raises(UsageError, match="as a script does"):
        put_into("#!/bin/sh\nA=1\n", "env")


def test_a_unit_whose_command_sets_a_variable_itself_is_refused() -> None:
    with pytest.raises(UsageError, match="XLIO_RX_POLL would not be in effect"):
        put_into("[Service]\nExecStart=/usr/bin/env XLIO_RX_POLL=5 /opt/app\n", "systemd")


@pytest.mark.parametrize("text", ["exec app\n", "A=1; exit 0\n", "if x; then return; fi\n"])
def test_a_script_that_may_end_early_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="end it before"):
        put_into(text, "sh")


@pytest.mark.parametrize("name", sorted(name for name, each in forms().items() if not each.stacks))
def test_what_this_program_wrote_is_written_anew(name: str) -> None:
    target = form(name)
    plain = {"XLIO_RX_POLL": "-1", "XLIO_SELECT_POLL": "5"}
    text = target.write(deployment(plain))
    if name == "diff":
        pytest.skip("a difference is for people, and is replaced like any file of others")
    assert merged(target, text, deployment({"XLIO_RX_POLL": "3"})) == target.write(deployment({"XLIO_RX_POLL": "3"}))


@pytest.mark.parametrize("name", ["wrapper", "kubernetes", "kubernetes-patch", "ansible"])
def test_a_whole_file_of_others_is_refused_with_what_to_merge(name: str) -> None:
    with pytest.raises(UsageError, match="whole file") as refusal:
        put_into("kind: Deployment\n", name)
    assert "XLIO_RX_POLL" in refusal.value.advice


COMPOSE_FILES = {
    "no environment": COMPOSE,
    "a mapping": "# top\nservices:\n  feed: # the feed\n    environment: # here\n      A: 1   # one\n      XLIO_RX_POLL: '7' # old\n    image: x\n",
    "a list": "services:\n  feed:\n    image: x\n    environment:\n    - A=1\n    - XLIO_RX_POLL=7 # old\n    - B\n",
    "an empty one": "services:\n  feed:\n    environment:\n    image: x\n",
    "an anchor": "x-e: &e\n  Z: '1'\nservices:\n  feed:\n    environment:\n      <<: *e\n      A: 'x'\n    image: x\n",
    "two services": "services:\n  other:\n    image: y\n    environment: {K: v}\n  feed:\n    image: x\n",
    "a last line without its end": "services:\n  feed:\n    image: x",
    "block scalars": "services:\n  feed:\n    command: |\n      run\n      me\n    environment:\n      A: |\n        one\n        two\n      B: x\n",
}


def environment_of(text: str, service: str = "feed") -> dict[str, str | None]:
    found = yaml.safe_load(text)["services"][service].get("environment") or {}
    pairs = found.items() if isinstance(found, dict) else [(*entry.split("=", 1), None)[:2] for entry in found]
    return {name: None if value is None else str(value) for name, value in pairs}


@pytest.mark.parametrize("text", COMPOSE_FILES.values(), ids=COMPOSE_FILES)
def test_a_service_gets_its_variables_and_nothing_else_changes(text: str) -> None:
    after = put_into(text, "compose", {"XLIO_RX_POLL": "-1", "XLIO_X": "a$b"}, "feed")
    assert environment_of(after) == environment_of(text) | {
        "LD_PRELOAD": LIBRARY,
        "XLIO_RX_POLL": "-1",
        "XLIO_X": "a$$b",
    }
    kept = [line for line in text.split("\n") if "XLIO_RX_POLL" not in line]
    assert is_subsequence(kept, after.split("\n"))
    without = {"services": {"feed": {"environment": None}}}
    assert {**yaml.safe_load(after), **without} == {**yaml.safe_load(text), **without}
    assert put_into(after, "compose", {"XLIO_RX_POLL": "-1", "XLIO_X": "a$b"}, "feed") == after


def test_variables_of_an_earlier_profile_leave_a_service_again() -> None:
    first = put_into(COMPOSE, "compose", {"XLIO_RX_POLL": "-1", "XLIO_X": "1"}, "feed")
    assert "XLIO_X" not in put_into(first, "compose", {"XLIO_RX_POLL": "-1"}, "feed")


def test_the_only_service_is_meant_where_none_is_named() -> None:
    assert environment_of(put_into(COMPOSE, "compose"))["XLIO_RX_POLL"] == "-1"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services:\n  feed: {image: x}\n", "block style"),
        ("services:\n  feed:\n    environment: {A: b}\n", "flow style"),
        ("x: &e {A: b}\nservices:\n  feed:\n    environment: *e\n", "alias"),
        ("x: &e\n  environment: {A: b}\nservices:\n  feed:\n    <<: *e\n    image: x\n", "<<"),
        ("services:\n  feed:\n    environment:\n      XLIO_RX_POLL: &a '1'\n      B: *a\n", "plain text"),
        ("a: 1\n---\nb: 2\n", "documents"),
        ("services: [\n", "YAML"),
        ("[" * 5000, "YAML|levels"),
    ],
)  # fmt: skip
def test_a_compose_file_that_cannot_be_edited_surely_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refusal:
        put_into(text, "compose", target="feed")
    assert any(word in str(refusal.value) for word in why.split("|"))


def test_a_service_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="no service 'fed'") as refusal:
        put_into(COMPOSE, "compose", target="fed")
    assert "feed" in refusal.value.advice


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,6}", fullmatch=True).filter(lambda name: not name.startswith("XLIO_"))
LINES = st.one_of(
    st.builds("{}={}".format, NAMES, st.from_regex(r"[a-z0-9./:@%+,-]{0,8}", fullmatch=True)),
    st.builds("{}='{}'".format, NAMES, st.from_regex(r"[^'\n\r\0]{0,8}", fullmatch=True)),
    st.builds("# {}".format, st.from_regex(r"[^\n\r\0]{0,12}", fullmatch=True)),
    st.just(""),
)


@given(st.lists(LINES, max_size=6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_shell_sees_the_profile_and_what_it_saw_before(lines: list[str], ended: bool) -> None:
    text = "\n".join(lines) + ("\n" if ended else "")
    try:
        after = put_into(text)
    except UsageError:
        assert "LD_PRELOAD" in text or "\\" in text  # the only reasons that such a file can give
        return
    was, now = sourced(text), sourced(after)
    assert now == was | {"LD_PRELOAD": LIBRARY} | SETTINGS
    assert after.startswith(text) or not text.strip()


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_apply_and_undo_are_the_identity(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("apply")
    path, journal = folder / "app.env", Journal(folder / "state")
    path.write_bytes(data)
    try:
        change = deploy.planned(path, lambda before: merged(form("env"), before, deployment()))
    except UsageError:
        assert path.read_bytes() == data
        return
    applied = deploy.put(change, journal, "kernel/p as env", 0o644)
    deploy.undo(applied, deploy.undoing(applied), journal)
    assert path.read_bytes() == data
    assert sorted(each.name for each in folder.iterdir()) == ["app.env", "state"]


def test_a_wrapper_that_takes_a_files_place_can_be_run(tmp_path: Path) -> None:
    path = tmp_path / "app-run"
    path.write_text("")
    path.chmod(0o640)
    change = deploy.planned(path, lambda before: merged(form("wrapper"), before, deployment()))
    deploy.put(change, Journal(tmp_path / "state"), "kernel/p as wrapper", 0o755)
    assert path.stat().st_mode & 0o777 == 0o750
