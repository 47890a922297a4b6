"""Text from outside never reaches a screen raw: from arguments, files, names, programs and stores, in every form of answer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import command_line
import fake
import many_trials
import pytest
import typer
from command_line import Tuner
from hypothesis import given
from hypothesis import strategies as st

from tuner import json_text
from tuner.report import files
from tuner.report.drawing import DrawnAs
from tuner.report.summary import summary
from tuner.results import Results
from tuner.session.setup.plan import Plan
from tuner.session.workspace import Ongoing
from tuner.terminal_text import escaped, safe
from tuner.toml_text import assignment, comment

EXAMPLE = Path(__file__).parent.parent / "results" / "example"
EVIL = "\x1b]0;title\x07\x1b]52;c;eA==\x07\x1b[2J\x9b31m\u202eevil\u2066\u061c\r"
STEERS = {"Cc", "Cs", "Zl", "Zp"}
TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def steering(text: str) -> list[str]:
    """Return the characters of a text that steer a terminal or turn letters round."""
    return [
        letter
        for letter in text
        if (unicodedata.category(letter) in STEERS and letter not in "\n\t")
        or unicodedata.bidirectional(letter) in TURNS
        or letter in "\u061c\u200e\u200f"
    ]


def ran(folder: Path, *arguments: str | bytes, **environment: str) -> tuple[str, str]:
    """Return what a command printed, on the two streams."""
    done = subprocess.run(
        [*command_line.STARTED, *arguments],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | environment,
    )
    return done.stdout.decode(), done.stderr.decode()


@given(st.text())
def test_nothing_that_is_safe_steers_and_lines_and_columns_stay(text: str) -> None:
    made = safe(text)
    assert steering(made) == []
    assert len(made) == len(text)
    assert [at for at, letter in enumerate(made) if letter == "\n"] == [
        at for at, letter in enumerate(text) if letter == "\n"
    ]


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cs"])))
def test_what_steers_nothing_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(st.recursive(st.text() | st.integers(-(2**40), 2**40) | st.booleans() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_json_says_the_same_and_holds_nothing_that_steers(answer: Any) -> None:
    made = json_text.written(answer)
    assert steering(made) == []
    assert json.loads(made) == answer


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_toml_holds_nothing_that_steers(text: str) -> None:
    import tomllib

    line = assignment("name", text)
    assert steering(line) == []
    assert tomllib.loads(line) == {"name": text}
    assert steering("\n".join(comment(text))) == []


def test_what_json_cannot_hold_as_it_is_is_escaped() -> None:
    assert escaped("\x7f\x9b\u202e\ud800µ") == r"\u007f\u009b\u202e\ud800µ"


@pytest.mark.parametrize(
    "arguments",
    [
        ("sessions", "show", EVIL),
        ("profiles", "show", EVIL),
        ("params", "show", EVIL),
        ("export", "latency", "--to", EVIL),
        ("effective", EVIL),
        (EVIL,),
        ("--" + EVIL,),
        ("import", EVIL),
        ("conf", "lint", EVIL),
        ("run", "latency", "--", EVIL),
        ("apply", "latency", "--target", f"env:{EVIL}", "--yes"),
        ("tune", "latency", "--objective", EVIL),
        ("tune", "latency", "--space", EVIL),
    ],
)
@pytest.mark.parametrize("json_too", [False, True])
def test_arguments_come_back_harmless(tuner: Tuner, arguments: tuple[str, ...], json_too: bool) -> None:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    given_too = (*arguments[:at], *(["--json"] if json_too else []), *arguments[at:])
    ended = tuner(*given_too)
    assert (steering(ended.out), steering(ended.err)) == ([], [])
    assert ended.out + ended.err


@pytest.mark.parametrize("suffix", [".env", ".toml", ".yaml", ".service", ".json", ".opf", ".conf", ".sh"])
def test_names_keys_and_values_of_files_come_back_harmless(tuner: Tuner, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / os.fsdecode(
        f"{EVIL}\udcff".encode(errors="surrogateescape").replace(b"\0", b"") + suffix.encode()
    )
    path.write_text(f"XLIO_RX_POLL={EVIL}\n{EVIL}=1\n{EVIL}: {EVIL}\n[{EVIL}]\nExecStart={EVIL}\n", newline="")
    for arguments in (
        ("import", path),
        ("profiles", "lint", path),
        ("profiles", "show", path),
        ("conf", "lint", path),
        ("onload", "import", path),
        ("effective", "latency", "--env-file", path),
        ("apply", "latency", "--target", f"env:{path}"),
    ):
        ended = tuner(*map(str, arguments))
        assert (steering(ended.out), steering(ended.err)) == ([], []), arguments
        assert ended.out + ended.err, arguments


def test_what_sockperf_says_comes_back_harmless(tmp_path: Path) -> None:
    program = fake.install(tmp_path, refuse=EVIL)
    for more in ((), ("--json",)):
        out, err = ran(tmp_path, "measure", "default", "--runs", "1", "--sockperf", str(program), *more)
        assert (steering(out), steering(err)) == ([], [])
    for arguments in (("sessions", "show"), ("sessions", "show", "--json")):
        out, err = ran(tmp_path, *arguments)
        assert (steering(out), steering(err)) == ([], [])


def test_every_document_made_of_a_store_is_harmless(tmp_path: Path) -> None:
    store = many_trials.stored(tmp_path, 8, word=EVIL.replace("\r", ""))
    session = store.session("latest")
    found = files.found(store, [session])
    texts = [summary(store, session), files.as_json(found), files.as_markdown(found, None, DrawnAs.SVG)]
    assert [steering(text) for text in [*texts, files.as_html(found)]] == [[]] * 4
    assert "evil" in texts[0]
    json.loads(texts[1])


@pytest.mark.parametrize("how", ["dies", "hangs", "floods", "lies", "fails"])
def test_a_drawing_that_fails_leaves_a_report_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    from tuner.report import drawing

    program = tmp_path / "vega.py"
    does = {
        "dies": "import os; os.abort()",
        "hangs": "import time; time.sleep(60)",
        "floods": "print('x' * 2_000)",
        "lies": "print('[' * 2_00)",
        "fails": "import sys; sys.exit(3)",
    }
    program.write_text(does[how], encoding="utf-8")
    monkeypatch.setattr(drawing, "_PROGRAM", program)
    monkeypatch.setattr(drawing, "_MOST_S", 2.0)
    monkeypatch.setattr(drawing, "_MOST_BYTES", 1000)
    store = many_trials.stored(tmp_path, 8)
    page = files.as_html(files.found(store, [store.session("latest")]))
    assert "It could not be drawn: " in page
    assert "<svg" not in page
    text = files.as_markdown(files.found(store, [store.session("latest")]), tmp_path / "report.md", DrawnAs.SVG)
    assert "![" not in text


def test_the_answer_is_out_before_the_report_is_drawn_and_an_interrupt_takes_nothing_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from tuner.cli import work
    from tuner.report import drawing
    from tuner.session.answer.stored import answer_of

    shutil.copytree(EXAMPLE, tmp_path / "results")
    at = work.workspace(Results(tmp_path / "results"))
    session = at.existing_store().session("latest")
    answer, plan = answer_of(session), Plan.from_dict(session.plan)
    assert answer is not None
    assert isinstance(at.watch, work._Screen)
    at.watch.unreported = Ongoing(session.id, plan, at.existing_store(), at.clock(1.0))
    before = []

    def interrupted(_wanted: object) -> None:
        before.append(capfd.readouterr().out)
        raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "pictures", interrupted)
    with pytest.raises(typer.Exit) as end:
        work.tell(answer, at, json=True)
    assert end.value.exit_code == 0
    assert json.loads(before[0])["verdict"] == "improved"
    assert "no report: interrupted" in capfd.readouterr().err
