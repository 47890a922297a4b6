"""Whose variable a name is: which stack reads it, and which stack's library is preloaded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tuner.catalogue import facts
from tuner.errors import nearest
from tuner.intake.form import PRELOAD
from tuner.stacks.inheritance import stack_of


def is_stacks(name: str) -> bool:
    """Return whether a variable is one of a stack, or decides which is loaded."""
    return name == PRELOAD or name.startswith(tuple(each.prefix for each in facts.every()))


def libraries(preload: str) -> list[tuple[str, str]]:
    """Return the stacks whose libraries a value of LD_PRELOAD names, with the name that it has there."""
    names = [name for name in re.split(r"[ \t:]+", preload) if name]
    return [(stack, name) for name in names if (stack := stack_of(name)) is not None]


def stacks_of(names: Iterable[str]) -> list[str]:
    """Return the stacks whose variables are among `names`: of those that share names, the one that they are of."""
    owners = [each for each in facts.every() if not each.names_of]
    return list(dict.fromkeys(each.name for name in names for each in owners if name.startswith(each.prefix)))


def elsewhere(name: str, stack: str) -> str:
    """Return "STACK has NAME" for the same variable in another stack of the family, empty where none has it."""
    from tuner import catalogue

    mine = facts.load(stack)
    rest = name.removeprefix(mine.prefix)
    for other in facts.every():
        theirs = other.prefix + rest
        if other.prefix != mine.prefix and not other.names_of and theirs in catalogue.load(other.name).parameters:
            return f"{other.name} has {theirs}"
    return ""


def meant(name: str, known: Iterable[str]) -> str | None:
    """Return the variable that was meant by a name with a slip of the pen, None where none is that near."""
    near = nearest(name, known)
    return near if near is not None and _is_near(name, near) else None


def _is_near(name: str, other: str) -> bool:
    """Return whether two names differ by a slip of the pen: most names of a stack have much in common."""
    import difflib

    a, b = name.partition("_")[2], other.partition("_")[2]
    return _is_slip(a, b) or difflib.SequenceMatcher(None, a, b).ratio() >= 0.8  # noqa: PLR2004 # measured on the names that VMA never had: HUGETLB 0.86, IGMP_ENABLE 0.4


def _is_slip(a: str, b: str) -> bool:
    """Return whether two words differ by two neighbouring letters in the wrong order."""
    at = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    return len(a) > 1 and a[:at] + a[at + 1 : at + 2] + a[at : at + 1] + a[at + 2 :] == b
