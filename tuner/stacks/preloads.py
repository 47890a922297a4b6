"""Where the compiled libraries are that `tuner` puts under a program.

They are built with the package and live in the environment it is installed in, also when the Python files are
used from a checkout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tuner.errors import MissingTool
from tuner.installed import installed

_ADVICE: Final = "install the package again (`pip install .`): its build compiles this library and needs a C compiler"


def kernel_library() -> Path:
    """Return the library that applies settings to kernel sockets. Raises MissingTool where it was not built."""
    return _library("libtuner_kernel.so")


def faststart_library() -> Path:
    """Return the library that skips the benchmark's fixed two-second sleep. Raises MissingTool where it was not built."""
    return _library("libtuner_faststart.so")


def stackname_library() -> Path:
    """Return the library that names Onload's stacks before a program starts. Raises MissingTool where it was not built."""
    return _library("libtuner_stackname.so")


def _library(name: str) -> Path:
    found = installed(f"preload/{name}")
    if found is None:
        raise MissingTool(f"{name} was not built with this package", advice=_ADVICE)
    return found.resolve()
