"""Compile the check programs of `tests/preload`, and start programs under the preloaded libraries."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tuner.stacks.preloads import kernel_library

SOURCES: Final = Path(__file__).parent / "preload"
LIBRARY_SOURCES: Final = Path(__file__).parent.parent / "tuner" / "preload"


def _checks(*files: str) -> list[str]:
    """Return the names of the checks in files."""
    texts = [(SOURCES / file).read_text() for file in files]
    return sorted(name for text in texts for name in re.findall(r"^CHECK_THAT\((\w+)\)$", text, re.MULTILINE))


CHECKS: Final = _checks("receives.c", "signals.c", "watches.c")
UNSIGNALLED: Final = _checks("receives.c", "watches.c")
"""Those without signal handlers, which the thread sanitizer takes for its own: on plain sockets too it calls them later."""
# Libraries of their own, with nothing of the kernel stack.
APART: Final = ("faststart.c", "stackname.c")
LIMIT_S: Final = 60.0
SANITIZE: Final = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer")
SANITIZE_THREADS: Final = ("-fsanitize=thread", "-fno-omit-frame-pointer")
"""Its runtime comes with the program: preloaded before a library that is made with it, it ends both at their start."""
_C: Final = ("cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-U_FORTIFY_SOURCE", "-Wno-deprecated-declarations")


def compile_program(directory: Path, *options: str) -> Path:
    """Return the program with all checks, freshly compiled."""
    program = directory / "checks"
    sources = [str(SOURCES / name) for name in ("check.c", "receives.c", "signals.c", "watches.c", "looks.c")]
    _compile([*options, *sources, "-o", str(program), "-lpthread", "-ldl"])
    return program


def compile_library(directory: Path, source: str) -> Path:
    """Return a shared library made of one of the check sources."""
    library = directory / f"lib{Path(source).stem}.so"
    _compile(["-fPIC", "-shared", str(SOURCES / source), "-o", str(library), "-ldl"])
    return library


def compile_sanitized_kernel(directory: Path, sanitize: Sequence[str] = SANITIZE) -> Path:
    """Return the kernel stack's library, compiled from its sources with sanitizers."""
    library = directory / "libtuner_kernel_sanitized.so"
    sources = [str(path) for path in sorted(LIBRARY_SOURCES.glob("*.c")) if path.name not in APART]
    options = [*sanitize, "-fPIC", "-shared", "-fvisibility=hidden", "-fexceptions", '-DTUNER_VERSION="0.0.0"']
    _compile([*options, *sources, "-o", str(library), "-lpthread", "-ldl"])
    return library


def sanitizer_runtime() -> Path:
    """Return the address sanitizer's own library, which must be preloaded before any other."""
    found = subprocess.run(
        ["cc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True, timeout=LIMIT_S
    )
    return Path(found.stdout.strip()).resolve(strict=True)


def _compile(arguments: Sequence[str]) -> None:
    done = subprocess.run([*_C, *arguments], capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr


def run(
    command: Sequence[str | Path], settings: Mapping[str, str], preloads: Sequence[Path] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program under the kernel stack's library (or under `preloads`) in an environment of its own."""
    libraries = [kernel_library()] if preloads is None else preloads
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", **settings, "LD_PRELOAD": ":".join(map(str, libraries))}
    return subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )


def run_quietly(
    command: Sequence[str | Path], settings: Mapping[str, str], preloads: Sequence[Path] | None = None
) -> str:
    """Run a program that must succeed and say nothing on standard error; return what it printed."""
    done = run(command, {"XLIO_TRACELEVEL": "none", **settings}, preloads)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
