"""Variables that make a library write or read a file: a profile of somebody else's could name any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.parameters import FileUse, Parameter
from tuner.errors import Finding, error, warning

_DOES = {FileUse.WRITES: "the library writes there", FileUse.READS: "the library reads it"}


def told(known: Catalogue, settings: Mapping[str, str]) -> list[Finding]:
    """Return which settings name files, for whoever is to use them."""
    return [
        warning(f"settings.{each.name}", f"names {value}: {_does(each)}", "leave it out unless you want that")
        for each, value in _naming(known, settings)
    ]


def outside(known: Catalogue, settings: Mapping[str, str]) -> list[Finding]:
    """Return which settings name files outside of the folder that a run has for itself, which no session may use."""
    return [
        error(each.name, f"names {value}: {_does(each)}", "leave it out, or name a file without a folder")
        for each, value in _naming(known, settings)
        if "/" in value or value in {".", ".."}
    ]


def _does(parameter: Parameter) -> str:
    return _DOES[parameter.file] if parameter.file else ""


def _naming(known: Catalogue, settings: Mapping[str, str]) -> Iterator[tuple[Parameter, str]]:
    """Yield the settings that name a file, but for those that say what is so by default."""
    for name, value in settings.items():
        parameter = known.parameters.get(name)
        if parameter is not None and parameter.file and value not in {"", *(each.value for each in parameter.defaults)}:
            yield parameter, value
