"""The compiled libraries are found where the package is installed, or their absence is told with advice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.errors import MissingTool
from tuner.stacks import preloads

FINDERS = [preloads.kernel_library, preloads.faststart_library, preloads.stackname_library]


class Elsewhere:
    """A distribution in an empty directory."""

    def locate_file(self, path: str) -> Path:
        return Path("/nonexistent") / path


@pytest.mark.parametrize("find", FINDERS)
def test_the_library_is_a_shared_object(find: Callable[[], Path]) -> None:
    assert find().is_absolute()
    assert find().read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize("find", FINDERS)
def test_a_library_that_was_not_built_is_told(find: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloads, "distribution", lambda _name: Elsewhere())
    with pytest.raises(MissingTool, match=r"libtuner_\w+\.so is not there: /nonexistent") as caught:
        find()
    assert "install the package again" in caught.value.advice


def test_a_package_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloads, "DISTRIBUTION", "stack-tuner-that-is-not-installed")
    with pytest.raises(MissingTool, match="is not installed"):
        preloads.kernel_library()
