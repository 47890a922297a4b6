"""The first sleep of two seconds is skipped, nothing else, and nothing is said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest
from preload_builds import run_quietly

from tuner.stacks.preloads import faststart_library, kernel_library

# Sleeps as often as it has arguments, and prints how many whole tenths of a second each took and what was left over.
SLEEPER: Final = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(int count, char **seconds)
{
    for (int i = 1; i < count; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        unsigned left = sleep((unsigned)atoi(seconds[i]));
        clock_gettime(CLOCK_MONOTONIC, &after);
        long long ns = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
        printf("%s:%s:%u\n", seconds[i], ns >= atoi(seconds[i]) * 1000000000LL ? "slept" : "skipped", left);
    }
}
"""


@pytest.fixture(scope="module")
def sleeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sleeper")
    (directory / "sleeper.c").write_text(SLEEPER)
    command = ["cc", "-D_GNU_SOURCE", "-o", str(directory / "sleeper"), str(directory / "sleeper.c")]
    subprocess.run(command, check=True, capture_output=True)
    return directory / "sleeper"


def test_only_the_first_sleep_of_two_seconds_is_skipped(sleeper: Path) -> None:
    printed = run_quietly([sleeper, "1", "0", "2", "2"], {}, [faststart_library()])
    assert printed.split() == ["1:slept:0", "0:slept:0", "2:skipped:0", "2:slept:0"]


def test_it_works_behind_the_kernel_library(sleeper: Path) -> None:
    assert run_quietly([sleeper, "2"], {}, [kernel_library(), faststart_library()]) == "2:skipped:0\n"


def test_it_says_nothing() -> None:
    assert run_quietly(["/bin/true"], {}, [faststart_library()]) == ""
