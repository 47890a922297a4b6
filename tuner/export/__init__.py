"""The forms in which a profile is deployed: one file each, found by listing this package.

A new form is a module here with a tuple `FORMS`; nothing else has to know it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from tuner.errors import UsageError, did_you_mean
from tuner.export.form import Deployment, Form

__all__ = ["Deployment", "Form", "form", "forms"]


@cache
def forms() -> Mapping[str, Form]:
    """Return every form by name, in the order of names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    known = [each for module in modules for each in getattr(module, "FORMS", ())]
    return {each.name: each for each in sorted(known, key=lambda each: each.name)}


def form(name: str) -> Form:
    """Return the form called `name`; raise `UsageError` naming the nearest one otherwise."""
    found = forms().get(name)
    if found is None:
        advice = f"{did_you_mean(name, forms())}; see `tuner export --list`".removeprefix("; ")
        raise UsageError(f"there is no form {name!r}", advice=advice)
    return found
