"""What a user's own files add to a catalogue: parameters and defaults of a release that came after this package.

They lie in `$XDG_DATA_HOME/tuner/catalogue/<stack>-<release>.toml` and are written by `tuner params import-schema`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tuner.catalogue.parameters import Choice, Default, Kind, Parameter, Type
from tuner.catalogue.parsed import parsed
from tuner.catalogue.releases import order
from tuner.errors import Finding, UsageError, error
from tuner.terminal_text import shown
from tuner.toml_text import Scalar, assignment
from tuner.untrusted import text_of

MOST_BYTES: Final = 1 << 22
_FIELDS: Final = {"kind", "type", "summary", "json_path", "min", "max", "power_of_two", "default", "words", "source"}


@dataclass(frozen=True, slots=True)
class Overlay:
    """What one release adds: new `parameters`, other `defaults` by name, and other `keys` of the JSON configuration."""

    stack: str
    release: str
    parameters: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, str]
    keys: Mapping[str, Mapping[str, Any]]


def found(stack: str, folder: Path | None) -> tuple[Overlay, ...]:
    """Return the overlays of a stack in a folder, oldest release first; raise `UsageError` for a file that is none."""
    paths = folder.glob(f"{stack}-*.toml") if folder is not None else ()
    return tuple(sorted(map(read, sorted(paths)), key=lambda each: order(each.release)))


def applied(parameters: Mapping[str, Parameter], overlays: Sequence[Overlay]) -> Mapping[str, Parameter]:
    """Return the parameters of a catalogue with what the overlays add."""
    if not overlays:
        return parameters
    whole = dict(parameters)
    for one in overlays:
        whole |= {name: _parameter(name, one, fields) for name, fields in one.parameters.items() if name not in whole}
        for name, value in one.defaults.items():
            if name in whole:
                whole[name] = replace(whole[name], defaults=(*whole[name].defaults, Default(one.release, value)))
    return whole


def releases(known: tuple[str, ...], overlays: Iterable[Overlay]) -> tuple[str, ...]:
    """Return the releases of a catalogue with those of the overlays, oldest first."""
    return tuple(sorted({*known, *(one.release for one in overlays)}, key=order))


def read(path: Path) -> Overlay:
    """Return the overlay in a file; raise `UsageError` with the reason when it is none."""
    text = text_of(path, MOST_BYTES, "an overlay")
    try:
        if isinstance(text, Finding):
            raise UsageError(f"{path} cannot be read", findings=[text])
        made = _overlay(parsed(path, text))
        for name, fields in made.parameters.items():
            _parameter(name, made, fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as reason:
        finding = error(str(path), f"is not an overlay of a catalogue: {shown(str(reason))[:200]}")
        advice = "create it again with `tuner params import-schema`, or remove it"
        raise UsageError(f"{path} cannot be used", findings=[finding], advice=advice) from reason
    return made


def write(made: Overlay) -> str:
    """Return an overlay as the text of a file; reading that gives the same overlay."""
    lines = [assignment("stack", made.stack), assignment("release", made.release), *_table("defaults", made.defaults)]
    for kind, rows in (("parameters", made.parameters), ("keys", made.keys)):
        for name, fields in rows.items():
            words = fields.get("words", {})
            lines += _table(f"{kind}.{_quoted(name)}", {key: v for key, v in fields.items() if key != "words"})
            lines += _table(f"{kind}.{_quoted(name)}.words", words) if words else []
    return "\n".join(lines) + "\n"


def _overlay(data: Mapping[str, Any]) -> Overlay:
    defaults = {str(name): str(value) for name, value in data.get("defaults", {}).items()}
    parameters, keys = (dict(data.get(kind, {})) for kind in ("parameters", "keys"))
    return Overlay(str(data["stack"]), str(data["release"]), parameters, defaults, keys)


def _parameter(name: str, made: Overlay, fields: Mapping[str, Any]) -> Parameter:
    if unknown := fields.keys() - _FIELDS:
        raise ValueError(f"{name} has unknown fields: {', '.join(sorted(unknown))}")
    plain = {key: value for key, value in fields.items() if key not in {"kind", "type", "default", "words"}}
    words = fields.get("words", {})
    return Parameter(
        name=name,
        stack=made.stack,
        kind=Kind(fields["kind"]),
        type=Type(fields["type"]),
        defaults=(Default(made.release, str(fields["default"])),) if "default" in fields else (),
        choices=tuple(Choice(str(number), also=(word,)) for word, number in words.items()),
        since=made.release,
        **plain,
    )


def _table(name: str, fields: Mapping[str, Scalar]) -> list[str]:
    return ["", f"[{name}]", *(assignment(key, value) for key, value in fields.items())] if fields else []


def _quoted(name: str) -> str:
    return assignment(name, 0).removesuffix(" = 0")
