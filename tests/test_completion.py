"""What the shell offers after TAB, asked as bash, zsh and fish ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.results import Results


def asked(folder: Path, *words: str, of: str = "bash") -> list[str]:
    """Return what is offered for the last of the words."""
    line = " ".join(["tuner", *words])
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "_TUNER_COMPLETE": f"complete_{of}",
        "COMP_WORDS": line if of == "bash" else "",
        "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    code = (
        "import sys; sys.argv = ['tuner']\n"
        "from tuner.cli.main import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'numpy', 'pandas', 'scipy', 'skopt', 'sqlalchemy'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


def test_every_shell_completes_the_names_of_profiles(tmp_path: Path) -> None:
    (tmp_path / "profiles" / "kernel").mkdir(parents=True)
    (tmp_path / "profiles" / "kernel" / "lately.toml").write_text("", encoding="utf-8")
    assert asked(tmp_path, "tune", "lat") == ["lately", "latency", "latency-best", "latency_yield"]
    assert asked(tmp_path, "compare", "default", "xlio/nginx", of="fish") == ["xlio/nginx", "xlio/nginx_dpu"]
    assert '"nginx_dpu"' in "".join(asked(tmp_path, "profiles", "show", "--stack", "xlio", "ngi", of="zsh"))


def test_files_are_offered_where_a_profile_may_be_one(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("best.toml", "best.txt"):
        (tmp_path / "mine" / name).write_text("", encoding="utf-8")
    assert asked(tmp_path, "measure", "mi") == ["mine/"]
    assert asked(tmp_path, "measure", "mine/b") == ["mine/best.toml"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("params", "show", "XLIO_RX_POLL_"), ["XLIO_RX_POLL_INIT", "XLIO_RX_POLL_ON_TX_TCP", "XLIO_RX_POLL_YIELD"]),
        (("tune", "--protocol", ""), ["tcp", "udp"]),
        (("tune", "--objective", "t"), ["tail", "throughput"]),
        (("mea",), ["measure"]),
    ],
    ids=" ".join,
)
def test_names_are_offered_by_what_an_argument_is_called(
    tmp_path: Path, words: tuple[str, ...], expected: list[str]
) -> None:
    found = asked(tmp_path, *words)
    assert set(expected) <= set(found)
    assert all(name.startswith(words[-1]) for name in found)


def test_the_sessions_of_a_folder_are_offered(tmp_path: Path) -> None:
    from tuner.store import Store

    Store(Results(tmp_path / "r").url).add_session("20260102-150405-tune", {}, {})
    assert asked(tmp_path, "sessions", "show", "--results", "r", "2026") == ["20260102-150405-tune"]
    assert asked(tmp_path, "sessions", "show", "la") == ["latest"]
    assert Results(tmp_path / "nowhere").listed() == []
