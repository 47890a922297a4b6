"""The stacks that can be tuned: one file each, and their catalogues as data beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tuner.errors import UsageError, did_you_mean
from tuner.stacks.kernel import KERNEL
from tuner.stacks.onload import ONLOAD
from tuner.stacks.stack import Stack
from tuner.stacks.vma import VMA
from tuner.stacks.xlio import XLIO

STACKS: Final[Mapping[str, Stack]] = {stack.name: stack for stack in (KERNEL, XLIO, VMA, ONLOAD)}


def stack(name: str) -> Stack:
    """Return the stack called `name`; raise `UsageError` naming the known ones otherwise."""
    found = STACKS.get(name)
    if found is None:
        raise UsageError(f"unknown stack {name!r}", advice=did_you_mean(name, STACKS))
    return found
