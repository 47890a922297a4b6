"""What is true of a stack in every release: the table `[stack]` in the head of its catalogue.

Modules ask here instead of knowing a stack by its name, so that a new one is data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from tuner.catalogue import places
from tuner.catalogue.parsed import parsed
from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.terminal_text import shown
from tuner.untrusted import text_of

DEFAULT: Final = "kernel"
"""The stack that is meant where none is named: the only one that every host has."""
MOST_BYTES: Final = 1 << 22
# Rules and parameters are nearly all of a catalogue and take a hundred times as long to parse as its head.
_BODY: Final = re.compile(r"^\s*\[\[?\s*(?:rules|parameters)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a stack whatever its release. Text is empty where the stack has nothing of the kind.

    The fields are those of the table `[stack]`.
    """

    name: str
    """The stack as `--stack` takes it: the name of its catalogue."""
    title: str
    """The stack as sentences name it."""
    prefix: str
    """What the names of its variables begin with."""
    family: str = ""
    """Stacks of one family share the names behind their prefix, and print start-up banners of one shape."""
    names_of: str = ""
    """The stack whose variables these are, for one that reads another's."""
    preset: str = ""
    """The variable that chooses a predefined profile."""
    presets_since: str = ""
    """The first release of which it is known what its presets set; empty where that is every one."""
    preset_halves: str = ""
    """The variable that decides which half of a preset counts: `plain` where it switches striding queues off."""
    rule_file: str = ""
    """The variable that names the file of offload rules."""
    application_id: str = ""
    """The variable with the name by which offload rules know a program."""
    statistics: str = ""
    """The variable that names the file to which the counters of closed sockets are written."""
    statistics_sockets: str = ""
    """The variable that says of how many sockets counters are kept; with 0 that file stays empty."""
    os_loopback: bool = False
    """Whether it leaves sockets on loopback addresses to the operating system."""
    trace: str = ""
    """The variable that makes the banner tell everything, with the value `details`."""
    load_option: str = ""
    """The option by which the benchmark opens the library itself."""
    load_since: str = ""
    """The first release of the benchmark that has `load_option`."""
    bypass: bool = False
    """Whether it takes sockets past the kernel, for which locked memory and huge pages matter."""
    strict: bool = False
    """Whether it takes a value only where it understands all of it; others read with `atoi` and `strtoul`."""
    pools: bool = False
    """Whether the memory of its buffers can be summed (`tuner.catalogue.memory`)."""
    memory_block: str = ""
    """The variable with the size of the one block from which every buffer is served."""
    memory_block_since: str = ""
    """The first release that has such a block; earlier ones take their pools directly."""
    hangs_before: str = ""
    """The first release whose first socket does not hang for ever on Linux from `hangs_on_linux` on."""
    hangs_on_linux: str = ""
    """The first release of Linux on which earlier releases of the library hang."""
    workers: str = ""
    """The variable with the number of worker processes among which that block is divided."""
    receive_queue_cut_until: str = ""
    """The last release that cuts a receive queue to what the card holds; empty where every release does."""
    json_switch: str = ""
    """The variable that makes the library read a JSON configuration instead of variables."""
    json_strict_since: str = ""
    """From this release on only exactly 1 switches that on, before it any value."""
    json_names: tuple[str, ...] = ()
    """The variables that are read beside a JSON configuration."""
    migrates: tuple[str, ...] = ()
    """The stacks whose releases a profile can be migrated to."""
    equivalents: str = ""
    """The stack whose variables the catalogue names as equivalent to its own, under the key of that stack's name."""
    named_stacks: bool = False
    """Whether its sockets lie in stacks that a program can name (`--stackname`)."""
    other_unit: tuple[str, ...] = ()
    """Variables, without prefix, that count something else than those of the same name in `equivalents`."""


def load(stack: str) -> Facts:
    """Return the facts of a stack; raise `UsageError` naming the known stacks, or what is wrong with its file."""
    return _read(places.folder_of(stack) / f"{stack}.toml")


def every() -> tuple[Facts, ...]:
    """Return the facts of all stacks whose catalogue can be read, in the order of their names.

    A broken file of a user is told where its stack is asked for; no other command suffers from it.
    """
    return tuple(found for stack in places.stacks() if (found := _readable(stack)) is not None)


def first() -> str:
    """Return the stack whose catalogue is looked in first: the one whose names the default stack reads."""
    return load(DEFAULT).names_of or DEFAULT


def owner(names: Iterable[str]) -> str | None:
    """Return the stack that the prefix of variables belongs to, None where no stack has it."""
    wanted = tuple(names)
    owners = (each for each in every() if not each.names_of)
    return next((each.name for each in owners if any(name.startswith(each.prefix) for name in wanted)), None)


def _readable(stack: str) -> Facts | None:
    try:
        return load(stack)
    except UsageError:
        return None


@cache
def _read(path: Path) -> Facts:
    text = text_of(path, MOST_BYTES, "a catalogue")
    if isinstance(text, Finding):
        raise UsageError(f"{path} cannot be read", findings=[text])
    head, *_ = _BODY.split(text, maxsplit=1)
    try:
        rows = parsed(path, head, "-head").get("stack", {})
    except (ValueError, RecursionError) as reason:
        raise UsageError(f"{path} is not TOML: {shown(str(reason))[:200]}") from reason
    if wrong := _problems(rows, str(path)):
        raise UsageError(f"{path} is not a catalogue of a stack", findings=wrong, advice="see docs/adding-a-stack.md")
    told: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in rows.items()}
    return Facts(path.stem, **told)


def _problems(rows: Any, where: str) -> list[Finding]:
    """Return everything that is wrong with the table `[stack]` of a file."""
    known = {each.name: _KINDS[str(each.type)] for each in fields(Facts) if each.name != "name"}
    if not isinstance(rows, dict):
        return [error(f"{where}: stack", "is not a table")]
    missing = [error(f"{where}: stack.{name}", "is missing") for name in ("title", "prefix") if name not in rows]
    strange = [name for name in rows if name not in known]
    bad = [name for name, value in rows.items() if name in known and not known[name](value)]
    return [
        *missing,
        *(
            error(f"{where}: stack.{shown(name)}", "is not a known fact of a stack", did_you_mean(name, known))
            for name in strange
        ),
        *(error(f"{where}: stack.{name}", f"{shown(str(rows[name]))} is of another type") for name in bad),
    ]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_KINDS: Final = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "tuple[str, ...]": _is_list,
}
