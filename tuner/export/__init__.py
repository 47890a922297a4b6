"""The forms in which a profile is deployed: one file each, found by listing this package.

A new form is a module here with a tuple `FORMS`; nothing else has to know it. Another package adds one by an entry point.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from tuner import plugins
from tuner.errors import UsageError, did_you_mean
from tuner.export.form import Deployment, Form
from tuner.plugins import Group, Plugin

__all__ = ["Deployment", "Form", "form", "forms", "further"]


@cache
def forms() -> Mapping[str, Form]:
    """Return every form of this package by name, in the order of names."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    known = [each for module in modules for each in getattr(module, "FORMS", ())]
    return {each.name: each for each in sorted(known, key=lambda each: each.name)}


def form(name: str) -> Form:
    """Return the form called `name`, of this package or of another; raise `UsageError` naming the nearest one otherwise."""
    if found := forms().get(name):
        return found
    if plugin := plugins.find(Group.EXPORTS, name):
        return _of_plugin(plugin)
    known = {*forms(), *plugins.every(Group.EXPORTS)}
    advice = f"{did_you_mean(name, known)}; see `tuner export --list`".removeprefix("; ")
    raise UsageError(f"there is no form {name!r}", advice=advice)


def further() -> tuple[Mapping[str, Form], tuple[UsageError, ...]]:
    """Return the forms of other packages by name, and what is wrong with those that cannot be used."""
    found, wrong = {}, []
    for name, plugin in plugins.every(Group.EXPORTS).items():
        try:
            found[name] = _of_plugin(plugin)
        except UsageError as reason:
            wrong.append(reason)
    return found, tuple(wrong)


def _of_plugin(plugin: Plugin) -> Form:
    if plugin.name in forms():
        raise plugin.broken("has the name of a form of this package", "it is not used")
    found = plugin.load()
    if not isinstance(found, Form) or found.name != plugin.name:
        raise plugin.broken(f"is no Form called {plugin.name}")
    return found
