"""What happens when another host is lost in a block: it is reached again, and the block is measured again.

The budget does not run meanwhile. What was stored of the block stays: each of its runs was made whole.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from tuner.errors import HostLost, HostRefused, TunerError
from tuner.hosts.pair import Pair
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress

PATIENCE_S: Final = 60.0
"""How long a lost host is tried; after it the session stops, and can be gone on with."""
PAUSE_S: Final = 2.0
"""Between two tries: as long as sshd, or a switch, may take to be there again."""
MOST_LOSSES: Final = 5
"""So many blocks one after the other that a host was lost in show that the next one will be no better."""


@dataclass(slots=True)
class Losses:
    """How often a host was lost since a block went well."""

    in_a_row: int = 0
    good_s: float = 0.0
    """When the last thing went well, by the session's clock: what was tried since then is not the budget's."""

    def survived(self, lost: HostLost, pair: Pair, clock: Clock, progress: Progress) -> None:
        """Return once the hosts are reached again; raise the loss where they are not, or where this goes on and on."""
        self.in_a_row += 1
        began_s = clock.now()
        if self.in_a_row > MOST_LOSSES or clock.hurried:
            raise lost
        progress.note(
            f"{lost.message}: trying to reach it again, up to {PATIENCE_S:.0f} s; the block is measured again then"
        )
        deadline_s = time.monotonic() + PATIENCE_S
        time.sleep(PAUSE_S if self.in_a_row > 1 else 0.0)
        while (reason := unreached(pair)) is not None:
            late = time.monotonic() + PAUSE_S > deadline_s
            if late or isinstance(reason, HostRefused) or clock.hurried:
                raise HostLost(reason.message, findings=reason.findings, advice=reason.advice) from lost
            time.sleep(PAUSE_S)
        clock.hold(clock.now() - self.good_s)
        progress.note(f"reached again after {clock.now() - began_s:.0f} s")


def unreached(pair: Pair) -> TunerError | None:
    """Try to reach all hosts again; return why one is not, None where all are."""
    try:
        for host in pair.hosts:
            host.reconnect()
    except TunerError as reason:
        return reason
    return None
