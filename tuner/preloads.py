"""Where the libraries are that the build compiles and that go under a program."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from tuner.errors import MissingTool

DISTRIBUTION = "stack-tuner"


def kernel_library() -> Path:
    """Return the library of the kernel stack; raise `MissingTool` when it was not built."""
    return _built("libtuner_kernel.so")


def faststart_library() -> Path:
    """Return the library that leaves out sockperf's fixed sleep; raise `MissingTool` when it was not built."""
    return _built("libtuner_faststart.so")


def _built(name: str) -> Path:
    """The build installs compiled parts beside the package, which an editable install keeps apart from its source."""
    try:
        path = Path(str(metadata.distribution(DISTRIBUTION).locate_file(f"tuner/preload/{name}")))
    except metadata.PackageNotFoundError as reason:
        raise MissingTool(f"{name} is not here: the package is not installed", advice="pip install .") from reason
    if not path.is_file():
        raise MissingTool(f"{name} is not at {path}", advice="install the package again: its build compiles it")
    return path
