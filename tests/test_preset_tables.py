"""The page of presets says what the catalogues and the shipped profiles say."""

from __future__ import annotations

import preset_tables


def test_the_page_has_the_presets_of_today() -> None:
    assert preset_tables.PAGE.read_text(encoding="utf-8") == preset_tables.page(), "run python tests/preset_tables.py"
