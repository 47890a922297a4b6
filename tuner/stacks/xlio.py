"""NVIDIA XLIO: a library preloaded under the program, known by its banner."""

from __future__ import annotations

from typing import Final

from tuner.stacks.stack import Stack, from_loader_cache

STACK: Final = Stack(
    name="xlio",
    version_tag="XLIO_VERSION",
    locate=lambda cache: from_loader_cache(cache, "libxlio.so"),
    # Without a card XLIO fails one socket call and leaves the rest to the kernel; -2 makes it end instead.
    forced={"XLIO_TRACELEVEL": "info", "XLIO_LOG_FILE": None, "XLIO_EXCEPTION_HANDLING": "-2"},
    advice="install XLIO, or name its library with --lib PATH",
)
