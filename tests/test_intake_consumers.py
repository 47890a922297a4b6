"""What is taken from made-up files is what bash and systemd take from them; where that is not sure, it is said."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import made_up_files as made_up
import pytest

FILES = 200
needs_systemd = pytest.mark.skipif(not made_up.SYSTEMD, reason="systemd's library is not installed")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_what_is_sure_of_a_shells_text_is_what_bash_has_in_the_end(tmp_path: Path) -> None:
    chance = random.Random(21)
    texts = [made_up.shell_file(chance) for _ in range(FILES)]
    assert [(fault, text) for text in texts for fault in made_up.shell_faults(text, tmp_path)] == []


@needs_systemd
def test_an_environment_file_is_read_as_systemd_reads_it(tmp_path: Path) -> None:
    chance = random.Random(22)
    texts = [made_up.environment_file(chance) for _ in range(5 * FILES)]
    assert [(fault, text) for text in texts for fault in made_up.environment_faults(text, tmp_path)] == []


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_a_unit_is_read_as_systemd_understands_it(tmp_path: Path) -> None:
    chance = random.Random(23)
    assert list(made_up.unit_faults([made_up.unit_file(chance) for _ in range(FILES)], tmp_path)) == []
