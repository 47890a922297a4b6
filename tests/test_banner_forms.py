"""A banner is read as people hand it on: behind prefixes, quoted, coloured in any spelling, interleaved, cut off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.stacks.banner import Banner, every, read

FIELD = Path(__file__).parent / "data" / "field" / "banners"
LOCKED = (
    "Your current max locked memory is: 65536. Please change it to unlimited.",
    "Set this user's default to `ulimit -l unlimited`.",
    "Read more about this topic in the VMA's User Manual.",
)
REDIS = Banner(
    "VMA_VERSION",
    "9.2.2",
    {"VMA_TRACELEVEL": "INFO", "VMA_STATS_FD_NUM": "500", "VMA_THREAD_MODE": "Multi mutex lock"},
    LOCKED,
)
EXPECTED = {
    "b1_vma709": Banner(
        "VMA_VERSION",
        "7.0.9",
        {
            "VMA_TRACELEVEL": "4",
            "VMA_LOG_DETAILS": "2",
            "VMA_LOG_COLORS": "Enabled",
            "VMA_LOG_FILE": "/tmp/vma_log.txt",  # noqa: S108 - as the banner shows it
            "VMA_STATS_FILE": "",
            "VMA_RX_POLL": "100000",
            "VMA_GRO_STREAMS_MAX": "32",
            "VMA_THREAD_MODE": "Multi spin lock",
        },
    ),
    "b2_vma922": REDIS,
    "b4_esc_literal": Banner("VMA_VERSION", "8.2.10", {"VMA_RX_POLL": "-1"}),
    "b5_vma61": Banner("VMA_VERSION", "6.1.7.0", {"VMA_TRACELEVEL": "3", "VMA_RX_POLL": "-1"}),
    "b7_journal_prefix": REDIS,
    "b8_crlf": REDIS,
    "b9_quoted": REDIS,
}
PIDS = {"b1_vma709": 4242, "b4_esc_literal": 14620, "b5_vma61": 25628, "b7_journal_prefix": 4242}
PLAIN = (FIELD / "b2_vma922.txt").read_text(encoding="utf-8")

# What runtimes, tools and people put in front of each line; `{n}` is another number in every line.
PREFIXES = (
    "",
    "feed-1  | ",
    "\x1b[36mfeed-1  |\x1b[0m ",
    "2024-01-05T10:11:{n:02d}.123456789Z ",
    "2024-01-05T10:11:{n:02d}.123456789Z stdout F ",
    "Jan 05 10:11:{n:02d} hostA feed[4242]: ",
    "Jan  5 10:11:{n:02d} hostA feed[4242]:",
    "[ {n}.000123] feed: ",
    "> > ",
    "    ",
    "| ",
    "{n}:",
    "stderr: ",
    "ESC[0mESC[2m",
    "^[[2m",
    "\\x1b[0m",
    "\\033[31m",
    "\x1b[31m",
)
SUFFIXES = ("", "\r", "   ", " |", "`", "\x1b[0m", "ESC[0m", "^[[0m")


@pytest.mark.parametrize("name", EXPECTED)
def test_each_banner_of_the_field_is_read_to_the_letter(name: str) -> None:
    with (FIELD / f"{name}.txt").open(encoding="utf-8", newline="") as file:
        found = read(file.read())
    assert found == EXPECTED[name]
    assert found.pid == PIDS.get(name)


@given(st.sampled_from(PREFIXES), st.sampled_from(SUFFIXES), st.sampled_from(sorted(EXPECTED)))
def test_what_stands_around_the_lines_changes_nothing_that_is_read(prefix: str, suffix: str, name: str) -> None:
    with (FIELD / f"{name}.txt").open(encoding="utf-8", newline="") as file:
        lines = file.read().splitlines()
    around = [prefix.format(n=10 + number) + line + suffix for number, line in enumerate(lines)]
    found = read("\n".join(around))
    assert (found.tag, found.release, found.shown) == (
        EXPECTED[name].tag,
        EXPECTED[name].release,
        EXPECTED[name].shown,
    )


def test_a_log_that_docker_keeps_as_json_is_read() -> None:
    kept = [json.dumps({"log": f"{line}\n", "stream": "stderr"}) for line in PLAIN.splitlines()]
    assert read("\n".join(kept)) == REDIS


@pytest.mark.parametrize("prefixes", [("feed-1 | ", "feed-2 | "), ("x feed[11]: ", "x feed[12]: "), ("", "> ")])
def test_two_processes_whose_lines_alternate_are_told_apart(prefixes: tuple[str, str]) -> None:
    other = (FIELD / "b5_vma61.txt").read_text(encoding="utf-8")
    mine, theirs = (
        [prefix + line for line in text.splitlines()] for prefix, text in zip(prefixes, (PLAIN, other), strict=True)
    )
    longest = max(len(mine), len(theirs))
    mixed = [line for at in range(longest) for part in (mine, theirs) for line in part[at : at + 1]]
    found = {banner.release: banner.shown for banner in every("\n".join(mixed))}
    assert found == {"9.2.2": REDIS.shown, "6.1.7.0": EXPECTED["b5_vma61"].shown}


def test_two_lines_that_were_written_into_one_are_two() -> None:
    joined = PLAIN.replace("[VMA_TRACELEVEL]\n", "[VMA_TRACELEVEL]")
    assert "[VMA_TRACELEVEL] VMA INFO" in joined
    assert read(joined) == REDIS


@given(st.integers(0, len(PLAIN)))
def test_a_banner_that_was_cut_off_says_nothing_that_was_not_in_it(end: int) -> None:
    found = read(PLAIN[:end])
    assert found.shown.items() <= REDIS.shown.items()
    assert REDIS.release.startswith(found.release)


def test_without_its_first_lines_a_banner_still_shows_its_settings() -> None:
    found = read("\n".join(PLAIN.splitlines()[5:]))
    assert (found.tag, found.shown) == ("", REDIS.shown)


@pytest.mark.parametrize(
    ("line", "release"),
    [
        (" VMA INFO   : Version: 6.1.7.0", "6.1.7.0"),
        (" VMA INFO   : VMA_VERSION: 6.4.11-0 Release built on 2013-06-02-10:00:00", "6.4.11"),
        (" VMA INFO: VMA_VERSION: 9.7.2-1 Release built on Nov 14 2022 17:03:52", "9.7.2"),
        (" VMA INFO: VMA_VERSION: 9.8.84-1 Development Snapshot built on Jan 10 2026 10:00:00", "9.8.84"),
        (" XLIO INFO   : XLIO_VERSION: 2.0.6-1 Release built on May  1 2022 10:00:00", "2.0.6"),
        (" XLIO INFO   : XLIO_VERSION: 3.50.3-ea-target-api", "3.50.3"),
        (" XLIO INFO   : XLIO_VERSION: 3.940.2-1 Release built on Feb  3 2025 10:00:00", "3.940.2"),
        ("[10:11:12:123456][4242][DOCA][INF][sys_vars.cpp:77] XLIO_VERSION: 3.941.0-1 Release", "3.941.0"),
    ],
)
def test_the_release_of_every_form_of_version_line_is_read(line: str, release: str) -> None:
    assert read(line).release == release


@pytest.mark.parametrize(
    "line", ["OFED Version: 5.3", " VMA INFO: OFED Version: MLNX_OFED_LINUX-5.3", "libVMA INFO: VMA_VERSION: 9.2.2", ""]
)
def test_what_is_no_version_line_names_no_release(line: str) -> None:
    assert (read(line).tag, read(line).release) == ("", "")
