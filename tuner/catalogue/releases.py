"""Releases of a stack: their order, windows of them, and ranges as a profile states them: `>=3.20.4,<=3.40.0`.

Their order is one of lines and not of numbers. Beside the main line of XLIO there is one for DOCA, 3.940.1 to 3.941.0, which
left it at 3.40: what was true there when a release of it was made is true in it, and what changed on the main line later is
not. Its own changes name its own releases, and say nothing of the main line. Source: sys_vars.cpp of each release.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

_DOCA_FROM: Final = (3, 940)
# Each of its releases, and the release of the main line that it has in common with it.
_DOCA_FORKS: Final = (("3.940.1", "3.40.0"), ("3.940.2", "3.40.2"))
_BOUND: Final = re.compile(r"(>=|<=|==|!=|>|<)\s*([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})", re.ASCII)
EXAMPLE: Final = "bounds such as >=3.20.4,<=3.40.0"


@cache
def release_key(release: str) -> tuple[int, ...]:
    """Return the numbers of a release such as `3.40.2` (`3.50.3-ea` is 3.50.3, `3.40` is 3.40.0), to compare on one line."""
    key = [int(part) for part in re.findall(r"[0-9]{1,9}", release.partition("-")[0])]
    while key and key[-1] == 0:
        key.pop()
    return tuple(key)


@cache
def is_aside(release: str) -> bool:
    """Return whether a release is of the side line."""
    key = release_key(release)
    return key[:1] == _DOCA_FROM[:1] and key[1:2] >= _DOCA_FROM[1:]


@cache
def order(release: str) -> tuple[tuple[int, ...], bool, tuple[int, ...], str]:
    """Return the sort key of a release: one of the side line stands behind the release that it left the main line at."""
    return release_key(_on_main(release)), is_aside(release), release_key(release), release


@cache
def _on_main(release: str) -> str:
    """Return the release of the main line whose facts hold for a release: itself, unless it is of the side line."""
    if not is_aside(release):
        return release
    passed = [main for fork, main in _DOCA_FORKS if release_key(fork) <= release_key(release)]
    return passed[-1] if passed else _DOCA_FORKS[0][1]


def reached(release: str, bound: str) -> bool:
    """Return whether what came with `bound` is in `release`; a release of the main line has nothing of the side line."""
    if is_aside(bound) and not is_aside(release):
        return False
    mine = release if is_aside(bound) else _on_main(release)
    return release_key(mine) >= release_key(bound)


def in_window(release: str | None, since: str, last: str | None) -> bool:
    """Return whether `release` lies between `since` and `last`, both included; None is the newest of the main line."""
    if release is None:
        return last is None and not is_aside(since)
    return (not since or reached(release, since)) and (last is None or _ends_with(release, last))


def _ends_with(release: str, last: str) -> bool:
    mine = release if is_aside(last) else _on_main(release)
    return release_key(mine) <= release_key(last) or (is_aside(last) and not is_aside(release))


def window_words(since: str, last: str | None) -> str:
    """Return the releases from `since` to `last` in words, both included; empty where they are all."""
    if last is None:
        return f"from {since} on" if since else ""
    return f"from {since} to {last}" if since else f"until {last}"


@dataclass(frozen=True, slots=True)
class Window:
    """Releases from `since` to `last`, both included; `last` None: to the newest of that line."""

    since: str
    last: str | None = None

    def holds(self, release: str) -> bool:
        """Return whether a release lies in it."""
        return in_window(release, self.since, self.last)


@dataclass(frozen=True, slots=True)
class Taken:
    """The release whose facts are used for one that was `stated`, and what has to be said where they are not its own."""

    stated: str
    release: str
    remark: str = ""


def taken(stack: str, known: Sequence[str], stated: str | None) -> Taken:
    """Return which facts hold for a stated release of a stack (the newest when None); `known` are in order.

    Between known ones it is its older neighbour on its line; before the first and behind the last it is that one.
    Raises `ValueError` for text that has no number to compare.
    """
    if stated is None or stated in known:
        return Taken(stated or known[-1], stated or known[-1])
    if not release_key(stated):
        raise ValueError(f"{stated!r} is not a known release of {stack}: known are {known[0]} to {known[-1]}")
    earlier = [each for each in known if reached(stated, each) and is_aside(each) <= is_aside(stated)]
    if not earlier:
        remark = f"is older than {known[0]}, the first that is known: it is read as that one"
        return Taken(stated, known[0], f"{stack} {stated} {remark}")
    later = [each for each in known if is_aside(each) is is_aside(stated) and not reached(stated, each)]
    why = "which is its older neighbour" if later else "what changed since is not known"
    return Taken(stated, stated, f"{stack} {stated} is not in the catalogue: it is read as {earlier[-1]}: {why}")


_HOLDS: Final[dict[str, Callable[[str, str], bool]]] = {
    ">=": reached,
    "<=": _ends_with,
    ">": lambda release, bound: not _ends_with(release, bound),
    "<": lambda release, bound: not reached(release, bound),
    "==": lambda release, bound: release_key(release) == release_key(bound),
    "!=": lambda release, bound: release_key(release) != release_key(bound),
}


@dataclass(frozen=True, slots=True)
class Releases:
    """A range of releases; without bounds it covers every release."""

    bounds: tuple[tuple[str, str], ...] = ()

    def covers(self, release: str) -> bool:
        """Return whether every bound allows `release`."""
        return all(_HOLDS[sign](release, bound) for sign, bound in self.bounds)

    def among(self, known: Iterable[str]) -> tuple[str, ...]:
        """Return those of the `known` releases that this range covers."""
        return tuple(release for release in known if self.covers(release))

    def both(self, other: Releases) -> Releases:
        """Return the releases that this range and `other` cover."""
        return Releases(tuple(dict.fromkeys((*self.bounds, *other.bounds))))

    def __str__(self) -> str:
        return ",".join(sign + bound for sign, bound in self.bounds)


def parse(text: str) -> Releases:
    """Return the range that `text` states, every release when it is empty; raise `ValueError` when it is no range."""
    if not text.strip():
        return Releases()
    found = [_BOUND.fullmatch(part.strip()) for part in text.split(",")]
    bounds = tuple((match[1], match[2]) for match in found if match is not None)
    if len(bounds) != len(found):
        raise ValueError(f"{text!r} is not a range of releases: write {EXAMPLE}")
    return Releases(bounds)
