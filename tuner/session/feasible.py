"""What a candidate must pass before it is run: repaired where a rule says how, rejected where it cannot run."""

from __future__ import annotations

from collections.abc import Callable

from tuner.catalogue import Catalogue
from tuner.profiles import errors_in


def repairer(catalogue: Catalogue, release: str | None = None) -> Callable[[dict[str, str]], dict[str, str] | None]:
    """Return the function that repairs candidates of a stack's release, or turns them down with None.

    A setting that equals the stack's default does nothing and is left out, so that no two trials are the same
    profile in two spellings.
    """

    def repair(settings: dict[str, str]) -> dict[str, str] | None:
        mended = catalogue.repaired(settings, release)
        if errors_in(catalogue.check(mended, str, release)):
            return None
        return _without_defaults(catalogue, mended, release)

    return repair


def _without_defaults(catalogue: Catalogue, settings: dict[str, str], release: str | None) -> dict[str, str]:
    """Return the settings that change something, judged one by one, because one setting may move another's default."""
    kept = dict(settings)
    for name in settings:
        rest = {other: value for other, value in kept.items() if other != name}
        if catalogue.effective(rest, release).get(name) == settings[name]:
            kept = rest
    return kept
