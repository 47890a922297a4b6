"""Which recipes a user has trusted: the SHA-256 of what each says, in the state folder of the XDG Base Directory Specification."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner import atomic_file
from tuner.errors import Finding, UsageError
from tuner.terminal_text import shown
from tuner.untrusted import text_of

FILE: Final = "trusted-recipes"
_BYTES: Final = 1 << 20
_LINE: Final = re.compile(r"(?P<sha256>[0-9a-f]{64})  .*")


@dataclass(frozen=True, slots=True)
class Trusted:
    """The file that names them, a line each: the SHA-256, and where the recipe was."""

    path: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Trusted:
        """Return the user's file."""
        stated = Path(environ.get("XDG_STATE_HOME", ""))
        home = Path(environ.get("HOME") or "/")
        return cls((stated if stated.is_absolute() else home / ".local" / "state") / "tuner" / FILE)

    def fingerprints(self) -> frozenset[str]:
        """Return what was trusted; nothing where the file is somebody else's, or others may write to it."""
        return frozenset(match["sha256"] for line in self._lines() if (match := _LINE.fullmatch(line)))

    def add(self, fingerprint: str, where: str) -> None:
        """Remember a recipe; raise `UsageError` where that cannot be written."""
        lines = [*self._lines(), f"{fingerprint}  {shown(where)}"]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic_file.write(self.path, "".join(f"{line}\n" for line in lines), mode=0o600, follow=False)
        except OSError as reason:
            raise UsageError(f"cannot write {self.path}: {reason.strerror}", advice="set XDG_STATE_HOME") from reason

    def _lines(self) -> list[str]:
        try:
            facts = self.path.lstat()
        except OSError:
            return []
        if facts.st_uid != os.getuid() or facts.st_mode & 0o022:
            return []
        text = text_of(self.path, _BYTES, "a list of recipes")
        return [] if isinstance(text, Finding) else text.splitlines()
