"""What the predefined profiles of a stack (`XLIO_SPEC`, `VMA_SPEC`) set in each release, from `<stack>.presets.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from tuner.catalogue.catalogue import FOLDER
from tuner.catalogue.expressions import Values, parse
from tuner.catalogue.parameters import in_window

_PLAIN_QUEUES: Final = frozenset({"off", "regular_rq"})


@dataclass(frozen=True, slots=True)
class Preset:
    """The settings of one predefined profile, the same from release `since` to `last` (None: to the newest).

    `banner` is its name in the start-up banner. `striding` and `plain` are set only with striding receive queues on
    and off; `formulas` are expressions over other values.
    """

    name: str
    banner: str
    since: str = ""
    last: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    striding: Mapping[str, str] = field(default_factory=dict, hash=False)
    plain: Mapping[str, str] = field(default_factory=dict, hash=False)
    formulas: Mapping[str, str] = field(default_factory=dict, hash=False)

    def values(self, known: Values) -> dict[str, str]:
        """Return what the preset sets where the values `known` are in effect; `XLIO_STRQ` decides which half counts."""
        half = self.plain if known.get("XLIO_STRQ") in _PLAIN_QUEUES else self.striding
        computed = {name: str(parse(text).value(known)) for name, text in self.formulas.items()}
        return {**self.settings, **half, **computed}


@cache
def load(stack: str) -> tuple[Preset, ...]:
    """Return every preset of `stack` in every form that it had, none for a stack without presets."""
    path = FOLDER / f"{stack}.presets.toml"
    if not path.is_file():
        return ()
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["presets"]
    return tuple(Preset(**row) for row in rows)


def find(stack: str, name: str, release: str) -> Preset | None:
    """Return the preset that `release` knows by exactly this name, None when it ignores the name."""
    forms = (each for each in load(stack) if each.name == name)
    return next((each for each in forms if in_window(release, each.since, each.last)), None)


def variable(stack: str) -> str:
    """Return the variable that chooses a preset of `stack`."""
    return "VMA_SPEC" if stack == "vma" else "XLIO_SPEC"
