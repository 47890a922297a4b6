"""What XLIO makes of an environment that switches to its JSON configuration: inline text over the file, and nothing else.

From strong to weak: XLIO_INLINE_CONFIG, the file of XLIO_CONFIG_FILE, the profile in them, the defaults; every other variable is left
unread. What is wrong in them keeps the library from starting. Seen in 3.61.2, read in the loaders of it and of 3.70.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.effective import AS_SET, Effective, InEffect, effective, reads_json
from tuner.errors import Finding, error, warning
from tuner.stacks.xlio_json import FILE, INLINE, MOST_BYTES, SWITCH, from_inline, from_json, separator
from tuner.untrusted import text_of

ALWAYS_READ: Final = "/etc/libxlio_config.json"
"""The file that is read where XLIO_CONFIG_FILE names none."""
ReadFile = Callable[[Path], "str | Finding"]
_INLINE_BEFORE: Final = "3.61.2"
_INLINE_SINCE: Final = "3.70.0"


@dataclass(frozen=True, slots=True)
class Configured:
    """What is in effect of an environment, and what is said of the configuration that it names."""

    found: Effective
    findings: tuple[Finding, ...] = ()


def text(path: Path) -> str | Finding:
    """Return the text of a configuration on this host, or what is wrong with it."""
    return text_of(path, MOST_BYTES, "a configuration")


def configured(known: Catalogue, settings: Mapping[str, str], release: str | None, read: ReadFile = text) -> Configured:
    """Return what `release` makes of an environment, its JSON configuration included where that is switched on.

    `read` returns the text of a file, or what is wrong with it; the file may be on another host.
    """
    target = known.read_as(release)
    if not reads_json(known, settings, target):
        return Configured(effective(known, settings, target), tuple(_unswitched(settings)))
    inline, first = _inline(settings, target)
    file, second = _file(settings, target, read)
    whole = {**file, **inline}
    found = effective(known, whole, target)
    sources = dict.fromkeys(file, _path(settings)) | dict.fromkeys(inline, INLINE)
    shown = {name: _said(each, sources.get(name)) for name, each in found.settings.items()}
    outside = effective(known, settings, target)
    switches = {
        name: outside.settings[name] for name in (SWITCH, FILE, INLINE) if name in settings and name in outside.settings
    }
    return Configured(replace(found, settings=shown | switches, ignored=outside.ignored), (*first, *second))


def _said(each: InEffect, source: str | None) -> InEffect:
    return replace(each, why=f"{AS_SET} in {source}") if source and each.why == AS_SET else each


def _unswitched(settings: Mapping[str, str]) -> list[Finding]:
    if INLINE not in settings:
        return []
    return [warning(INLINE, f"is not read without {SWITCH}=1", f"set {SWITCH}=1, or use variables")]


def _inline(settings: Mapping[str, str], release: str) -> tuple[dict[str, str], list[Finding]]:
    """Return what the inline text says; where it has the separator of other releases, what it would say to those."""
    written = settings.get(INLINE)
    if written is None:
        return {}, []
    said, findings = from_inline(written, INLINE, release)
    sign = separator(release)
    other = _INLINE_BEFORE if sign == ";" else _INLINE_SINCE
    meant, wrong = from_inline(written, INLINE, other)
    if not findings or wrong or sign in written:
        return said, findings
    message = f"{release} separates by `{sign}`: the library does not start with this text"
    return meant, [error(INLINE, message, f"write {written.replace(separator(other), sign)!r}")]


def _path(settings: Mapping[str, str]) -> str:
    return settings.get(FILE) or ALWAYS_READ


def _file(settings: Mapping[str, str], release: str, read: ReadFile) -> tuple[dict[str, str], list[Finding]]:
    path = _path(settings)
    found = read(Path(path))
    if isinstance(found, Finding):
        message = f"{found.message}: what it says is not known, and without the file the library does not start"
        return {}, [warning(path, message, "put {} there where it has nothing to say")]
    return from_json(found, path, release)
