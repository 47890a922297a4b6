"""The tables of presets in README and docs say what the catalogues and the shipped profiles say."""

from __future__ import annotations

import preset_tables


def test_the_readme_has_the_table_of_today() -> None:
    text = preset_tables.README.read_text(encoding="utf-8")
    assert preset_tables.BEGIN in text
    assert preset_tables.in_readme(text) == text, "run python tests/preset_tables.py"


def test_the_page_has_every_value_of_today() -> None:
    assert preset_tables.PAGE.read_text(encoding="utf-8") == preset_tables.page(), "run python tests/preset_tables.py"


def test_every_preset_of_a_stack_is_ours_in_some_file() -> None:
    without = {name for name in preset_tables.names() if preset_tables._ours(name) == "–"}
    assert without == set()
