"""Runs tests in random order: `python -m pytest -p shuffled`, with this folder on PYTHONPATH. SHUFFLED_BY has the seed."""

from __future__ import annotations

import os
import random

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put all tests into an order that follows from the seed alone."""
    random.Random(os.environ.get("SHUFFLED_BY", "1")).shuffle(items)  # noqa: S311 - no secret
