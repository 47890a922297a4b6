"""What every stack must do: describe its variables, make a whole environment of its own, and know the proof that it was there."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tuner import catalogue, stacks
from tuner.errors import UsageError
from tuner.search.space import load
from tuner.stacks.stack import ENVIRONMENT_BYTES, environment

LIBRARY: Final = Path("/usr/lib/libstack.so")


class StackConformance:
    """Tests of the stack that the fixture `tuner_stack` names, as `--stack` takes it."""

    def test_it_has_a_catalogue_of_variables_with_its_prefix(self, tuner_stack: str) -> None:
        one = stacks.named(tuner_stack)
        names = [parameter.name for parameter in catalogue.load(one.name).settings()]
        assert names
        assert all(name.startswith(one.facts.prefix) for name in names)

    def test_the_values_of_its_search_space_are_valid(self, tuner_stack: str) -> None:
        known, space = catalogue.load(tuner_stack), load(tuner_stack, "latency", multiplexer="epoll", protocol="tcp")
        assert space.dimensions
        for dimension in space.dimensions:
            texts = dimension.values or (*dimension.special, str(dimension.low), str(dimension.high))
            assert [text for text in texts if known.find(dimension.parameter).problem(text)] == []

    def test_nothing_of_the_callers_environment_reaches_a_run(
        self, tuner_stack: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = stacks.named(tuner_stack)
        stray = {f"{one.facts.prefix}STRAY", "SOMETHING_ELSE"}
        for name in stray:
            monkeypatch.setenv(name, "7")
        assert not stray & environment(one, [LIBRARY], {}).keys()

    def test_the_banner_can_be_read_whatever_a_profile_sets(self, tuner_stack: str) -> None:
        one = stacks.named(tuner_stack)
        variables = environment(one, [LIBRARY], dict.fromkeys(one.forced, "hide"))
        assert {name: variables.get(name) for name in one.forced} == one.forced

    @pytest.mark.parametrize("settings", [{}, {"A": "1"}, {"A": "µ" * 500, "B": ""}], ids=["none", "short", "long"])
    def test_every_environment_has_the_same_size(self, tuner_stack: str, settings: dict[str, str]) -> None:
        variables = environment(stacks.named(tuner_stack), [LIBRARY], settings)
        size = sum(len(name.encode()) + len(value.encode()) + 2 for name, value in variables.items())
        assert size == ENVIRONMENT_BYTES

    def test_a_library_is_preloaded_before_what_was_added(self, tuner_stack: str) -> None:
        variables = environment(stacks.named(tuner_stack), [LIBRARY, Path("/usr/lib/libmore.so")], {})
        assert variables["LD_PRELOAD"] == "/usr/lib/libstack.so:/usr/lib/libmore.so"

    def test_a_path_that_the_loader_would_split_is_refused(self, tuner_stack: str) -> None:
        with pytest.raises(UsageError, match="cannot preload"):
            environment(stacks.named(tuner_stack), [Path("/opt/my libs/lib.so")], {})

    def test_output_without_a_banner_is_no_proof(self, tuner_stack: str) -> None:
        proof = stacks.named(tuner_stack).proof("", "benchmark: Test ended")
        assert not proof.loaded
        assert proof.reason
