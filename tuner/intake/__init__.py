"""What people have: settings read out of the files in which they are deployed. Nothing in a file is run or expanded.

Each form is a module here with a tuple `FORMS`, found by listing this package; `form.py` is the contract. `read` takes
a text to what of it is a stack's (`taken.py`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from tuner.errors import UsageError, did_you_mean
from tuner.intake.form import Form, Source

__all__ = ["Form", "Source", "form", "forms", "recognised"]


@cache
def forms() -> Mapping[str, Form]:
    """Return every form by name, in the order of names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    known = [each for module in modules for each in getattr(module, "FORMS", ())]
    return {each.name: each for each in sorted(known, key=lambda each: each.name)}


def form(name: str) -> Form:
    """Return the form called `name`; raise `UsageError` naming the nearest one otherwise."""
    found = next((each for each in forms().values() if name in {each.name, *each.also}), None)
    if found is None:
        raise UsageError(f"unknown form {name!r}", advice=did_you_mean(name, forms()) or f"known: {', '.join(forms())}")
    return found


def recognised(source: Source, *, as_set: bool = False) -> Form:
    """Return the form that a text is most surely in; `as_set` looks for the variables themselves."""
    known = [each for each in forms().values() if not (as_set and each.rewrites)]
    return max(known, key=lambda each: each.certainty(source))
