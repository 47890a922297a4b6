"""What a value in a start-up banner means, in the spelling of the environment: `2 GB`, `20(Ring per thread)`, `Spin`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tuner.catalogue import presets
from tuner.catalogue.parameters import Parameter, Type, as_integer

_NUMBER: Final = re.compile(r"(-?[0-9]+) ?(?:\(.*\)?)?", re.ASCII)
_SWITCH: Final = {"enabled": "1", "disabled": "0", "true": "1", "false": "0"}
# Words of the banner for values of an enumeration, by variable without its prefix.
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "TSO": {"enabled": "on", "disabled": "off"},
    "LRO": {"enabled": "on", "disabled": "off"},
    "STRQ": {"enabled": "on", "disabled": "off"},
    "PRINT_REPORT": {"enabled": "1", "disabled": "0"},
    "SKIP_POLL_IN_RX": {"disabled": "0", "enabled": "1"},
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
    },
    "TRACELEVEL": {"warning": "warn"},
}


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
