"""The memory that a host has to give: what a configuration takes is held against it (`tuner.catalogue.memory`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Room:
    """What a host has to give, None where it is not known.

    Bytes of memory, of free hugepages, of memory that may be locked, and the work requests that the card's queues hold
    (`max_qp_wr` of `ibv_devinfo -v`).
    """

    available_bytes: int | None = None
    hugepage_bytes: int | None = None
    memlock_bytes: int | None = None
    queue_entries: int | None = None

    def words(self) -> str:
        """Return what is known of the host as a line of text."""
        named = (
            (self.available_bytes, "available"),
            (self.hugepage_bytes, "free as hugepages"),
            (self.memlock_bytes, "that may be locked"),
        )
        known = [f"{has:,} bytes {what}" for has, what in named if has is not None]
        return "this host: " + (", ".join(known) or "nothing is known")
