"""What became of each setting that was asked for, by what the library says of itself when it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.effective import Effective, InEffect, effective
from tuner.catalogue.parameters import Parameter
from tuner.catalogue.reading import Fate
from tuner.stacks.banner import Banner
from tuner.stacks.shown import agrees, understood

NOT_SHOWN: Final = "not shown"
FORCED: Final = "forced by a rule, as predicted"
NOT_PREDICTED: Final = "not as predicted"
_AS_ASKED: Final = frozenset({Fate.APPLIED.value, NOT_SHOWN, Fate.UNKNOWN.value})
_FINE: Final = _AS_ASKED | {FORCED}


@dataclass(frozen=True, slots=True)
class Verified:
    """One setting: as it was asked for, as the banner shows it (None where it does not), what became of it, and why.

    `status` is a `Fate`, `not shown` where this library's banner never tells, `forced by a rule, as predicted` where a
    known rule of the release puts another value in its place, or `not as predicted`. `predicted` says whether the model
    of the release (`tuner.catalogue.effective`) expected what is shown.
    """

    name: str
    asked: str
    shown: str | None
    status: str
    why: str
    predicted: bool

    @property
    def fine(self) -> bool:
        """Whether nothing speaks against the setting."""
        return self.status in _FINE

    def to_dict(self) -> dict[str, object]:
        """Return JSON-ready values."""
        return asdict(self)

    def __str__(self) -> str:
        became = f" as {self.shown}" if self.shown is not None and self.status not in _AS_ASKED else ""
        return f"{self.name}={self.asked}: {self.status}{became}" + (f": {self.why}" if self.why else "")


def verify(
    known: Catalogue, settings: Mapping[str, str], banner: Banner, forced: Mapping[str, str | None]
) -> list[Verified]:
    """Return what became of each of `settings` in a banner read at the level `details`.

    `forced` are the variables that a run sets itself, so that the banner says nothing of what was asked for them.
    """
    release = known.read_as(banner.release or None)
    model = effective(known, settings, release)
    return list(_each(known, settings, banner, model, forced))


def _each(
    known: Catalogue, settings: Mapping[str, str], banner: Banner, model: Effective, forced: Mapping[str, str | None]
) -> Iterator[Verified]:
    for name, text in settings.items():
        parameter = known.parameters.get(name)
        if name in forced:
            yield Verified(name, text, None, NOT_SHOWN, "tuner sets it itself, to read the banner", predicted=True)
        elif parameter is None or name in model.ignored:
            yield Verified(name, text, None, Fate.IGNORED, model.ignored.get(name, ""), name not in banner.shown)
        elif name not in banner.shown:
            yield _unseen(name, text, banner, model)
        else:
            yield _seen(parameter, text, banner.shown[name], model)


def _unseen(name: str, text: str, banner: Banner, model: Effective) -> Verified:
    found = model.settings[name]
    if name in banner.cut:
        return Verified(name, text, None, NOT_SHOWN, "its line in the banner was cut short", predicted=True)
    if found.fate in {Fate.DEFAULTED, Fate.INERT, Fate.FATAL, Fate.IGNORED}:
        return Verified(name, text, None, found.fate, found.why, predicted=True)
    return Verified(name, text, None, NOT_SHOWN, "the banner of this release does not tell", predicted=True)


def _seen(parameter: Parameter, text: str, shown: str, model: Effective) -> Verified:
    expected = model.settings[parameter.name]
    meant = _meant(parameter, text, model.release)
    predicted = agrees(parameter, expected.value, shown, model.release, text)
    if expected.fate in {Fate.FATAL, Fate.INERT}:
        return Verified(
            parameter.name, text, understood(parameter, shown, model.release), expected.fate, expected.why, predicted
        )
    if agrees(parameter, meant, shown, model.release):
        # A banner that repeats what was asked for is no proof where its library is known to take something else.
        unlike = predicted and expected.value != meant and expected.fate is not Fate.APPLIED
        status, why = _predicted(expected) if unlike else (Fate.APPLIED, "")
        return Verified(parameter.name, text, meant, status, why, predicted)
    said = understood(parameter, shown, model.release)
    if predicted:
        return Verified(parameter.name, text, said, *_predicted(expected), predicted=True)
    default = parameter.default(model.release)
    defaulted = default is not None and agrees(parameter, default, shown, model.release)
    status = Fate.DEFAULTED if defaulted else NOT_PREDICTED
    why = f"the library shows {shown}, and {expected.value} was expected of {model.stack} {model.release}"
    return Verified(parameter.name, text, said, status, why, predicted=False)


def _predicted(expected: InEffect) -> tuple[str, str]:
    """Return status and reason of a setting in place of which another value is in effect, as the model expected."""
    if expected.fate is Fate.OVERRIDDEN:
        return FORCED, f"{expected.value} is in effect: {expected.why}"
    # `true` that is read as 0 counts as read by the library, but it is not what was asked for.
    return (Fate.CLAMPED if expected.fate in {None, Fate.APPLIED} else str(expected.fate)), expected.why


def _meant(parameter: Parameter, text: str, release: str) -> str:
    try:
        return parameter.canonical(text, release)
    except ValueError:
        return text
