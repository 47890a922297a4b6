"""What a lab consists of: the hosts, their names and their addresses, all computed from the number of pairs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tuner.errors import Finding, UsageError, error

MOST_PAIRS: Final = 64
SSH_PORT: Final = 22
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,29}")
_DELAY: Final = re.compile(r"\d{1,6}(?:\.\d{1,3})?(?:us|ms|s)")
_RATE: Final = re.compile(r"\d{1,6}(?:\.\d{1,3})?[kmg]bit")


class Side(StrEnum):
    """Which end of a pair a host is."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class LabHost:
    """One host of a lab.

    `name` is what ssh calls it. `address` is its address on the measured network, `management` the one that sshd listens
    on, and `outside` the other end of that link, where the keeper is. `number` counts the hosts of a lab from 0.
    """

    name: str
    side: Side
    pair: int
    number: int

    @property
    def address(self) -> str:
        """Return its address on the measured network: 198.18.0.0/15 is kept for benchmarks (RFC 2544, appendix C.2.2)."""
        return f"198.18.{self.pair}.{1 if self.side is Side.SERVER else 2}"

    @property
    def management(self) -> str:
        """Return the address that its sshd listens on."""
        return f"198.19.{self.number}.2"

    @property
    def outside(self) -> str:
        """Return the other end of the management link."""
        return f"198.19.{self.number}.1"

    @property
    def hostname(self) -> str:
        """Return what it calls itself: its name without the lab's."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Shape:
    """What was asked for: `delay` and `rate` are written as tc(8) reads them and hold in each direction; empty for none.

    `rootless` asks for a user namespace also where root could do without one.
    """

    name: str = "lab"
    pairs: int = 1
    delay: str = ""
    rate: str = ""
    rootless: bool = False

    @property
    def hosts(self) -> tuple[LabHost, ...]:
        """Return the hosts, pair by pair, the server first."""
        return tuple(
            LabHost(f"{side}-{pair}.{self.name}", side, pair, 2 * (pair - 1) + at)
            for pair in range(1, self.pairs + 1)
            for at, side in enumerate(Side)
        )


def checked(shape: Shape) -> Shape:
    """Return the shape; raise `UsageError` with all that is wrong with it."""
    wrong = [
        _unless(_NAME.fullmatch(shape.name), "--name", f"{shape.name!r} is not a name: small letters, digits and -"),
        _unless(1 <= shape.pairs <= MOST_PAIRS, "--pairs", f"{shape.pairs} is not between 1 and {MOST_PAIRS}"),
        _unless(
            not shape.delay or _DELAY.fullmatch(shape.delay), "--delay", f"{shape.delay!r} is not like 50us or 2ms"
        ),
        _unless(
            not shape.rate or _RATE.fullmatch(shape.rate), "--rate", f"{shape.rate!r} is not like 100mbit or 10gbit"
        ),
    ]
    if findings := [finding for finding in wrong if finding]:
        raise UsageError("such a lab cannot be made", findings=findings)
    return shape


def _unless(right: object, where: str, message: str) -> Finding | None:
    return None if right else error(where, message)
