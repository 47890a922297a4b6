"""NVIDIA VMA, the ancestor of XLIO: a library preloaded under the program, known by its banner."""

from __future__ import annotations

from typing import Final

from tuner.stacks.stack import Stack, from_loader_cache

STACK: Final = Stack(
    name="vma",
    version_tag="VMA_VERSION",
    locate=lambda cache: from_loader_cache(cache, "libvma.so"),
    # As with XLIO: without a card one socket call would fail and the rest be left to the kernel.
    forced={"VMA_TRACELEVEL": "info", "VMA_LOG_FILE": None, "VMA_EXCEPTION_HANDLING": "-2"},
    advice="install VMA (libvma), or name its library with --lib PATH",
)
