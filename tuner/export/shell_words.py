"""What several forms write for a POSIX shell."""

from __future__ import annotations

from typing import Final

from tuner.stacks.inheritance import PRELOAD

# Behind the value of LD_PRELOAD: what is preloaded already stays.
ONWARD: Final = f'"${{{PRELOAD}:+:${PRELOAD}}}"'
