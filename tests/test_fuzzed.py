"""What fuzzing once reached is read again: no text that somebody else wrote ends a reader in anything but a message."""

from __future__ import annotations

import json

import fuzz
import pytest

from tuner.errors import TunerError


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_a_reader_reads_what_is_of_its_kind_and_what_fuzzing_kept(name: str) -> None:
    one_input, texts = fuzz.reader(name), [*fuzz.TARGETS[name].texts(), *fuzz.kept(name)]
    assert texts
    for text in texts:
        one_input(text.encode("utf-8", "replace"))


def test_a_message_is_what_a_reader_may_raise_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise TunerError(text) if text == "told" else KeyError(text)

    monkeypatch.setattr("tuner.terminal_text.safe", broken)
    fuzz.reader("screen")(b"told")
    with pytest.raises(KeyError, match="mistaken"):
        fuzz.reader("screen")(b"mistaken")


def test_every_kept_input_is_of_a_reader_and_kept_once() -> None:
    for path in fuzz.CORPUS.iterdir():
        texts = json.loads(path.read_text(encoding="utf-8"))
        assert path.stem in {name.replace(" ", "-") for name in fuzz.TARGETS}
        assert len(set(texts)) == len(texts) <= fuzz.MOST_KEPT
