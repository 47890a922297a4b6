"""Writes the page of presets: `python tests/preset_tables.py` makes docs/presets.md from the catalogues and the profiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tuner import catalogue
from tuner.catalogue import presets
from tuner.catalogue.presets import Preset
from tuner.profiles.files import read

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "presets.md"
STACKS: Final = ("xlio", "vma", "kernel")
# What tells presets apart at a glance, by variable without its prefix.
TELLING: Final = ("RX_POLL", "SELECT_POLL", "RING_ALLOCATION_LOGIC_RX", "THREAD_MODE", "MEMORY_LIMIT", "TX_WRE", "STRQ_NUM_STRIDES", "TCP_NODELAY", "TCP_SEND_BUFFER_SIZE", "SELECT_SKIP_OS")  # fmt: skip
HEAD: Final = """# Presets

Which predefined profiles (`XLIO_SPEC`, `VMA_SPEC`) exist in which releases, and what each sets. A release that does not
know a name silently ignores it; the files in `profiles/` spell the values out, so that they work there too. Made by
`python tests/preset_tables.py` from the catalogues. VMA 8.0.3 to 8.2.4 know them by numbers (29, 554, 784, 623, 624, from 8.1.3
10); what earlier releases had is not known. XLIO 3.940.1 has the presets of 3.40.0, 3.940.2 and 3.941.0 those of 3.40.2. XLIO and VMA were not measured here: no card was available.

"""


def names() -> list[str]:
    """Return the presets of all stacks, spelled with underscores, without those that only had a number once."""
    every = [each for stack in STACKS for each in presets.load(stack)]
    lasting = {each.name for each in every if each.last is None or not each.name.isdigit()}
    return list(dict.fromkeys(_plain(each.name) for each in every if each.name in lasting))


def short() -> str:
    """Return the first table of the page: where each preset is known, what it sets, and in which of our files it is."""
    headers = ["preset", "XLIO", "VMA", "kernel stack", "sets, where it is newest", "ours"]
    rows = [[f"`{n}`", *(_where(stack, n) for stack in STACKS), _sets(_newest(n)), _ours(n)] for n in names()]
    return "".join(f"| {' | '.join(row)} |\n" for row in (headers, *rows)).replace(
        "|\n", f"|\n{'|---' * len(headers)}|\n", 1
    )


def page() -> str:
    """Return the page with every value of every form of every preset, and of our files."""
    parts = [HEAD, short()]
    for name in names():
        parts.append(f"\n## {name}\n")
        forms = ((stack, each) for stack in STACKS for each in presets.load(stack) if _plain(each.name) == name)
        parts += [f"\n{stack} {_window(each)} `{each.name}`: {_values(each)}\n" for stack, each in forms]
        parts += [f"\n{line}\n" for line in _files(name)]
    return "".join(parts)


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _window(preset: Preset) -> str:
    return f"from {preset.since} on" if preset.last is None else f"{preset.since} to {preset.last}"


def _where(stack: str, name: str) -> str:
    forms = [each for each in presets.load(stack) if _plain(each.name) == name]
    if not forms:
        return "–"
    # What a stack calls it is said where that is not the name of the row, or where it was renamed.
    words = list(dict.fromkeys(each.name for each in forms))
    told = [f"`{word}` " if words != [name] else "" for word in words]
    return ", ".join(each + _span(stack, forms, word) for each, word in zip(told, words, strict=True))


def _span(stack: str, forms: list[Preset], word: str) -> str:
    known = catalogue.load(stack).releases
    mine = [each for each in forms if each.name == word]
    first = min((each.since for each in mine), key=known.index)
    ends = [each.last for each in mine]
    last = None if None in ends else max((end for end in ends if end), key=known.index)
    return f"from {first}" if last is None else f"{first} to {last}"


def _newest(name: str) -> Preset:
    forms = (each for stack in STACKS for each in reversed(presets.load(stack)) if _plain(each.name) == name)
    return next(forms)


def _sets(preset: Preset) -> str:
    values = {**preset.settings, **preset.striding, **preset.formulas}
    told = [name for suffix in TELLING for name in values if name.partition("_")[2] == suffix][:3]
    return f"{len(values)}: " + ", ".join(f"`{name}={values[name]}`" if name not in preset.formulas else f"`{name}`" for name in told)  # fmt: skip


def _ours(name: str) -> str:
    found = [(stack, path) for stack in STACKS if (path := ROOT / "profiles" / stack / f"{name}.toml").is_file()]
    return ", ".join(f"`{stack}/{name}` ({len(read(path).settings)})" for stack, path in found) or "–"


def _values(preset: Preset) -> str:
    said = [f"`{name}={text}`" for name, text in {**preset.settings, **preset.formulas}.items()]
    said += [f"`{name}={text}` (striding queues)" for name, text in preset.striding.items()]
    said += [f"`{name}={text}` (plain queues)" for name, text in preset.plain.items()]
    return ", ".join(said)


def _files(name: str) -> Iterator[str]:
    for stack in STACKS:
        path = ROOT / "profiles" / stack / f"{name}.toml"
        if path.is_file():
            values = ", ".join(f"`{variable}={text}`" for variable, text in read(path).settings.items())
            yield f"Ours, `profiles/{stack}/{name}.toml`: {values}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
