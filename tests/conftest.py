"""What holds for all property tests: no example has a deadline, and CI repeats the same ones."""

from __future__ import annotations

import os

from hypothesis import settings

# A machine that does other work is slow, which is no fault of the code. New examples are for people who can look at
# what they find; a change that has nothing to do with them should not fail by their chance.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
