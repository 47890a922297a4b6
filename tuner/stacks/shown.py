"""What a value in a start-up banner means, in the spelling of the environment: `2 GB`, `20(Ring per thread)`, `Spin`.

A banner shows sizes cut to whole units (`95 MB` for 100,000,000 bytes), so that several values look the same in it; whether
it agrees with one is what `agrees` says. `QUIRKS` are the variables of which a banner says something else than is in effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tuner.catalogue import presets
from tuner.catalogue.parameters import SIZE_UNITS, Parameter, Type, as_integer
from tuner.catalogue.reading import size
from tuner.catalogue.releases import in_window

_NUMBER: Final = re.compile(r"(-?[0-9]+) ?(?:\(.*\)?)?", re.ASCII)
_CUT: Final = re.compile(r"([0-9]+) ?(KB|MB|GB)", re.ASCII)
_SWITCH: Final = {"enabled": "1", "disabled": "0", "true": "1", "false": "0"}
# Words of the banner for values of an enumeration, by variable without its prefix.
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "TSO": {"enabled": "on", "disabled": "off"},
    "LRO": {"enabled": "on", "disabled": "off"},
    "STRQ": {"enabled": "on", "disabled": "off"},
    "PRINT_REPORT": {"enabled": "1", "disabled": "0"},
    "SKIP_POLL_IN_RX": {"disabled": "0", "enabled": "1", "epoll only": "2"},
    "MULTILOCK": {"spin": "0", "mutex": "1"},
    "THREAD_MODE": {
        "single": "0",
        "multi spin lock": "1",
        "multi mutex lock": "2",
        "multi more threads than cores": "3",
    },
    "MEM_ALLOC_TYPE": {"huge pages": "2", "regular pages": "0", "normal pages": "0"},
    "TCP_CTL_THREAD": {
        "delegated tcp timers": "delegate",
        "disabled": "disable",
        "enabled - with wakeup": "with_wakeup",
        "enabled - no wakeup": "no_wakeup",
        "with wakeup": "with_wakeup",
        "no wakeup": "no_wakeup",
    },
    "TRACELEVEL": {"warning": "warn"},
}


@dataclass(frozen=True, slots=True)
class Quirk:
    """A variable of which the banners of some releases say something else than is in effect, and why.

    `value` is shown as `shown`; without a `shown` the banner repeats what the environment says.
    """

    name: str
    cause: str
    value: str = ""
    shown: str = ""
    since: str = ""
    last: str | None = None

    def holds_for(self, parameter: Parameter, release: str) -> bool:
        """Return whether it concerns a parameter in a release."""
        return self.name in {parameter.name, parameter.name.partition("_")[2]} and in_window(
            release, self.since, self.last
        )


QUIRKS: Final = (
    Quirk(
        "XLIO_PRINT_REPORT",
        "the banner knows only Enabled and Disabled and prints Enabled for auto",
        "auto",
        "Enabled",
        since="3.60.0",
    ),
    Quirk("XLIO_TX_BUF_SIZE", "the library cuts it to 65280 after the banner", last="3.60.1"),
    Quirk("INTERNAL_THREAD_AFFINITY", "the banner repeats a text that names no CPUs, and CPU 0 is taken"),
)


def agrees(parameter: Parameter, value: str, shown: str, release: str, typed: str | None = None) -> bool:
    """Return whether a banner that shows `shown` agrees with `value` in effect; `typed` is what the environment says."""
    if understood(parameter, shown, release) == value.strip() or _is_cut_from(parameter, value, shown):
        return True
    quirks = (each for each in QUIRKS if each.holds_for(parameter, release))
    return any(_explains(quirk, parameter, value, shown, typed) for quirk in quirks)


def _explains(quirk: Quirk, parameter: Parameter, value: str, shown: str, typed: str | None) -> bool:
    if quirk.shown:
        return (value, shown.strip()) == (quirk.value, quirk.shown)
    if typed is None:
        return False
    return typed.strip() == shown.strip() or _is_cut_from(parameter, str(size(typed) % (1 << 32)), shown)


def _is_cut_from(parameter: Parameter, value: str, shown: str) -> bool:
    """Return whether `shown` is the size `value` without what is left below its unit."""
    match = _CUT.fullmatch(shown.strip())
    if parameter.type is not Type.SIZE or match is None or not value.isdecimal():
        return False
    return int(value) // SIZE_UNITS[match[2]] == int(match[1])


def understood(parameter: Parameter, shown: str, release: str) -> str:
    """Return the value that `shown` stands for; text that means nothing else is returned as it is."""
    text = shown.strip()
    if parameter.name == presets.variable(parameter.stack):
        return _preset(parameter.stack, text, release)
    if parameter.choices:
        return _choice(parameter, text, release)
    if parameter.type is Type.BOOL or (parameter.type is Type.INT and text.casefold() in _SWITCH):
        return _SWITCH.get(text.casefold(), text)
    return _quantity(parameter, text)


def _preset(stack: str, text: str, release: str) -> str:
    named = [each.name for each in presets.load(stack) if each.banner == text]
    known = (name for name in named if presets.find(stack, name, release))
    return next(known, text)


def _choice(parameter: Parameter, text: str, release: str) -> str:
    word = _WORDS.get(parameter.name.partition("_")[2], {}).get(text.casefold(), text)
    match = _NUMBER.fullmatch(word)
    number = match[1] if match else word
    choice = parameter.choice(number, release)
    return choice.value if choice else number


def _quantity(parameter: Parameter, text: str) -> str:
    if parameter.type is Type.SIZE:
        number = as_integer(text.replace(" ", ""))
        return text if number is None else str(number)
    match = _NUMBER.fullmatch(text) if parameter.type is Type.INT else None
    return match[1] if match else text
