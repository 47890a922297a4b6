"""Holds the reader of Onload's profiles against real shells: `python benchmarks/shells.py [TEXTS]`.

Makes TEXTS profiles at random (2,000 if nothing is said), lets dash and bash read each, and compares the environment that
a program would get with what `tuner` reads without running anything. Ends with 1 where the two differ in what is said to
be known. The generator and the comparison are those of the tests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from shell_texts import NAMES, SHELLS, Writer, environment, shown  # noqa: E402 the tests are no package
from test_shell_texts import differences, others, read  # noqa: E402 the tests are no package


def main(texts: int) -> int:
    """Compare, print what differs and what was known, and return how many texts were read wrongly."""
    wrong = known = endless = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(texts):
            reading = read(number)
            doubtful = {skipped.text for skipped in reading.skipped}
            known += sum(name not in doubtful for name in NAMES) if reading.complete else 0
            for name, text in {**others(number), "main": Writer(number).text()}.items():
                (Path(folder) / f"{name}.opf").write_text(text, encoding="utf-8")
            for shell, command in SHELLS.items():
                try:
                    found = differences(reading, shown(Path(folder), command, environment(number)))
                except subprocess.TimeoutExpired:
                    endless += 1
                    continue
                wrong += bool(found)
                if found:
                    print(f"text {number}, {shell}: {', '.join(found)}")
    print(f"texts: {texts}; wrong: {wrong}; variables known: {known} of {texts * len(NAMES)}; never ended: {endless}")
    return wrong


if __name__ == "__main__":
    sys.exit(min(1, main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)))
