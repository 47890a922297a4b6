"""What the predefined profiles of a stack (`XLIO_SPEC`) set in each release, from `<stack>.presets.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from tuner.catalogue import facts, places
from tuner.catalogue.expressions import Values, parse
from tuner.catalogue.releases import in_window

# The value of the variable that chooses a preset where none is chosen.
NONE: Final = "none"
_PLAIN_QUEUES: Final = frozenset({"off", "regular_rq"})


@dataclass(frozen=True, slots=True)
class Preset:
    """The settings of one predefined profile, the same from release `since` to `last` (None: to the newest).

    `banner` is its name in the start-up banner. `striding` and `plain` are set only with striding receive queues on
    and off, which the variable `halves` says; `formulas` are expressions over other values.
    """

    name: str
    banner: str
    since: str = ""
    last: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    striding: Mapping[str, str] = field(default_factory=dict, hash=False)
    plain: Mapping[str, str] = field(default_factory=dict, hash=False)
    formulas: Mapping[str, str] = field(default_factory=dict, hash=False)
    halves: str = ""

    @property
    def reads(self) -> frozenset[str]:
        """The variables whose values decide what the preset sets."""
        computed = (parse(text).names for text in self.formulas.values())
        return frozenset({self.halves} - {""}).union(*computed)

    def values(self, known: Values) -> dict[str, str]:
        """Return what the preset sets where the values `known` are in effect; a number that is not known counts as 0."""
        half = self.plain if known.get(self.halves) in _PLAIN_QUEUES else self.striding
        numbers = {**dict.fromkeys(self.reads, 0), **known}
        computed = {name: str(parse(text).value(numbers)) for name, text in self.formulas.items()}
        return {**self.settings, **half, **computed}


def load(stack: str) -> tuple[Preset, ...]:
    """Return every preset of `stack` in every form that it had, none for a stack without presets."""
    return _read(places.folder_of(stack) / f"{stack}.presets.toml", facts.load(stack).preset_halves)


@cache
def _read(path: Path, halves: str) -> tuple[Preset, ...]:
    if not path.is_file():
        return ()
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["presets"]
    return tuple(Preset(**row, halves=halves) for row in rows)


def find(stack: str, name: str, release: str) -> Preset | None:
    """Return the preset that `release` knows by exactly this name, None when it ignores the name."""
    forms = (each for each in load(stack) if each.name == name)
    return next((each for each in forms if in_window(release, each.since, each.last)), None)


def variable(stack: str) -> str:
    """Return the variable that chooses a preset of `stack`, empty for a stack without presets."""
    return facts.load(stack).preset
