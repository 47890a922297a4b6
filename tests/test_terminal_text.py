"""What a program said for a terminal is taken out of its words, and what others wrote cannot steer ours."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.terminal_text import plain, shown


@pytest.mark.parametrize(
    "said",
    [
        "\x1b[1;31mword\x1b[0m",
        "\x1b[2K\x1b[?25lword\x1b[?25h",
        "\x1b[38;5;196mword",
        "\x1b[38:2::1:2:3mword",
        "\x9b31mword\x9b0m",
        "\x1b]0;a title\x07word",
        "\x1b]8;;http://elsewhere\x1b\\word\x1b]8;;\x1b\\",
        "\x9d0;a title\x9cword",
        "\x1bPq#0;2;0\x1b\\word",
        "\x1b(Bword\x1b7\x1bc",
    ],
)
def test_sequences_for_a_terminal_leave_the_word(said: str) -> None:
    assert plain(said) == "word"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b]0;no end of a title\nthe next line", "0;no end of a title\nthe next line"),
        ("\x1b[31", "31"),
        ("a[31mb", "a[31mb"),
        ("50 % ]0;x\x07", "50 % ]0;x\x07"),
    ],
)
def test_what_is_not_a_whole_sequence_takes_no_text_with_it(text: str, left: str) -> None:
    assert plain(text) == left


@given(st.text())
def test_the_words_of_a_text_without_escapes_stay(text: str) -> None:
    words = "".join(letter for letter in text if unicodedata.category(letter) != "Cc" or letter in "\r\n\t")
    assert plain(words) == words


@given(st.text(alphabet="\x1b\x9b\x9d\x9c\x07[]0;m\\ a\n"))
def test_taking_out_never_joins_two_lines(text: str) -> None:
    assert plain(text).count("\n") == text.count("\n")


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_nothing_that_is_shown_steers_a_terminal_or_turns_its_letters_round(text: str) -> None:
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for letter in shown(text):
        assert unicodedata.category(letter) not in {"Cc", "Zl", "Zp"}
        assert unicodedata.bidirectional(letter) not in turning
        assert letter not in "\u061c\u200e\u200f"


def test_what_is_empty_is_shown_too_and_letters_of_any_script_stay() -> None:
    assert shown("") == '""'
    assert shown("größe \u05d0\u05d1 数") == "größe \u05d0\u05d1 数"
