"""Every reader of `tuner import` as one, for `benchmarks/fuzz.py`: each of them gets each text, whatever it looks like."""

from __future__ import annotations

import contextlib
from typing import Final

from tuner import intake
from tuner.errors import TunerError

FORMS: Final = tuple(intake.forms().values())


def every_form(text: str) -> None:
    """Read a text in every form, and ask which of them it is in; raise whatever is no `TunerError`."""
    source = intake.Source(text, "f", "f")
    intake.recognised(source)
    for form in FORMS:
        with contextlib.suppress(TunerError):
            form.read(source)
