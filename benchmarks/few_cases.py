"""A plugin of pytest that plays the first few cases of each test: what many cases of one test reach, its first reach for the most part.

`benchmarks/branches.py --cases N` uses it; properties are tried with few examples.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

import pytest
from hypothesis import settings

CASES: Final = "TUNER_TESTS_CASES"
EXAMPLES: Final = 10


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Try properties with few examples, unless a test says how many."""
    settings.register_profile("few", deadline=None, max_examples=EXAMPLES)
    settings.load_profile("few")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep so many cases of each test as the environment says."""
    seen: Counter[str] = Counter()
    kept = []
    for item in items:
        test = item.nodeid.partition("[")[0]
        seen[test] += 1
        kept += [item] if seen[test] <= int(os.environ[CASES]) else []
    items[:] = kept
