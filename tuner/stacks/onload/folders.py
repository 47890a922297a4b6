"""Where the wrapper finds a profile by its name, and what is recorded of the vendor's where it is not installed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tuner.errors import Finding, UsageError, warning
from tuner.stacks.onload.opf import MAX_CHARACTERS, Source
from tuner.untrusted import text_of

SYSTEM: Final = Path("/usr/libexec/onload/profiles")
_OWN: Final = Path(".openonload/profiles")
_CONFIGURATION: Final = (Path("/etc/openonload.sh"), Path(".openonload.sh"))
_MOST_BYTES: Final = 4 * MAX_CHARACTERS
_VENDOR: Final = Path(__file__).with_name("vendor_profiles.toml")
_RELEASES: Final = "9.1 and 9.2"


@dataclass(frozen=True, slots=True)
class Folders:
    """The user's home (None where nobody knows it) and where Onload has its profiles."""

    home: Path | None
    system: Path = SYSTEM

    def first(self, name: str, *, fragments: bool) -> Source | None:
        """Return the profile that `onload -p NAME` reads, None where there is none; any path is taken.

        Fragments are found behind another profile only.
        """
        return self._found(name, fragments=fragments, paths=True)

    def imported(self, name: str) -> Source | None:
        """Return the profile that `onload_import NAME` reads, or the file that `. NAME` does.

        A name without a folder is no path there: a shell would look for it in PATH. Nothing is ever found beside the
        file that imports it.
        """
        return self._found(name, fragments=True, paths="/" in name)

    def unread(self) -> Iterator[Finding]:
        """Yield what the wrapper reads before any profile, and nobody reads here."""
        for path in _CONFIGURATION:
            where = path if path.is_absolute() else self.home and self.home / path
            if where and where.is_file():
                hint = "give what it sets by --env NAME=VALUE"
                yield warning(str(where), "is read by the wrapper before any profile, and not here", hint)

    def _found(self, name: str, *, fragments: bool, paths: bool) -> Source | None:
        endings = (".opf", ".opf-fragment") if fragments else (".opf",)
        folders = [self.home / _OWN] if self.home else []
        files = [folder / f"{name}{ending}" for folder in (*folders, self.system) for ending in endings]
        path = next((path for path in [*files, *([Path(name)] if paths else [])] if path.is_file()), None)
        return _read(path) if path else vendor(name, fragments=fragments)


def vendor(name: str, *, fragments: bool) -> Source | None:
    """Return what is recorded of a profile of the vendor, as a text that sets the same in the same order."""
    entry = _vendor().get(name)
    if entry is None or (entry.get("fragment") and not fragments):
        return None
    text = "".join(f"{_command(statement)}\n" for statement in entry["statements"])
    note = f"; {entry['note']}" if "note" in entry else ""
    where = f"the vendor's profile {name} of {_RELEASES}, as tuner has it (it is not installed here{note})"
    return Source(name, text, where)


def _command(statement: str) -> str:
    if statement.startswith("import "):
        return f"onload_{statement}"
    name, _, value = statement.partition("=")
    return f"onload_set {name} {value}"


@cache
def _vendor() -> dict[str, Any]:
    return tomllib.loads(_VENDOR.read_text(encoding="utf-8"))


def _read(path: Path) -> Source:
    text = text_of(path, _MOST_BYTES, "a profile of Onload")
    if isinstance(text, Finding):
        raise UsageError(f"{path} cannot be read", findings=[text])
    return Source(str(path), text)
