"""A program under a profile inherits everything but what would silently change the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import stacks
from tuner.errors import UsageError
from tuner.stacks.inheritance import stack_of, under

KERNEL = stacks.named("kernel")
LIBRARY = Path("/opt/libtuner_kernel.so")


def test_the_environment_stays_but_for_the_stacks_own_variables() -> None:
    inherited = {"PATH": "/bin", "XLIO_STRAY": "1", "XLIO_RX_POLL": "0", "XLIO_MSS": "7"}
    launch = under(KERNEL, LIBRARY, {"XLIO_RX_POLL": "-1", "XLIO_MSS": "7"}, inherited)
    assert launch.environment == {
        "PATH": "/bin", "XLIO_RX_POLL": "-1", "XLIO_MSS": "7", "LD_PRELOAD": str(LIBRARY),
    }  # fmt: skip
    assert launch.set_aside == ("XLIO_STRAY=1", "XLIO_RX_POLL=0")


def test_what_is_preloaded_stays_behind_the_stacks_library() -> None:
    launch = under(KERNEL, LIBRARY, {}, {"LD_PRELOAD": "libasan.so: /x/liby.so"})
    assert launch.environment["LD_PRELOAD"] == "/opt/libtuner_kernel.so:libasan.so:/x/liby.so"
    assert launch.set_aside == ()


def test_another_stack_and_a_second_copy_are_set_aside() -> None:
    launch = under(KERNEL, LIBRARY, {}, {"LD_PRELOAD": f"{LIBRARY} /usr/lib64/libxlio.so.9 libz.so"})
    assert launch.environment["LD_PRELOAD"] == "/opt/libtuner_kernel.so:libz.so"
    assert launch.set_aside == ("LD_PRELOAD=/usr/lib64/libxlio.so.9",)


def test_a_library_that_the_loader_would_split_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot preload"):
        under(KERNEL, Path("/opt/my lib.so"), {}, {})


@pytest.mark.parametrize(
    ("preload", "stack"),
    [("/a/libxlio.so", "xlio"), ("libz.so:/b/libtuner_kernel.so", "kernel"), ("libxliox.so", None), ("", None)],
)
def test_a_preloaded_library_says_which_stack_it_is(preload: str, stack: str | None) -> None:
    assert stack_of(preload) == stack
