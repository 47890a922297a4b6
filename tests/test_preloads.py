"""The compiled libraries are found where the package is installed, or their absence is told with advice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tuner
from tuner.errors import MissingTool
from tuner.stacks import preloads

FINDERS = [preloads.kernel_library, preloads.faststart_library, preloads.stackname_library]


@pytest.mark.parametrize("find", FINDERS)
def test_the_library_is_a_shared_object(find: Callable[[], Path]) -> None:
    assert find().is_absolute()
    assert find().read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize("find", FINDERS)
def test_a_library_that_was_not_built_is_told(find: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "__path__", ["/nonexistent"])
    monkeypatch.setattr(sys, "prefix", "/nonexistent")
    with pytest.raises(MissingTool, match=r"libtuner_\w+\.so was not built") as caught:
        find()
    assert "install the package again" in caught.value.advice
