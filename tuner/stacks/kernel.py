"""Plain kernel sockets under a small library of ours that applies the XLIO settings which mean something there."""

from __future__ import annotations

from typing import Final

from tuner.stacks.preloads import kernel_library
from tuner.stacks.stack import Stack

BANNER_PID: Final = "TUNER_BANNER_PID"
"""The variable that names the one process under the library that prints the banner; without it each does."""

STACK: Final = Stack(
    name="kernel",
    version_tag="TUNER_KERNEL_VERSION",
    locate=lambda _cache: kernel_library(),
    forced={"XLIO_TRACELEVEL": "info", "XLIO_LOG_FILE": None},
    advice="install the package again: its build compiles this library",
)
