"""What every benchmark must do: say what it starts and what it reports, and be the same recipe wherever it was stored."""

from __future__ import annotations

from tuner.judging.objective import objective
from tuner.judging.own_goal import usual
from tuner.runs import recipe_named
from tuner.runs.chosen import of
from tuner.runs.recipe import Recipe
from tuner.runs.recipe_file import recipe_of
from tuner.runs.workload import Workload, of_recipe


class BenchmarkConformance:
    """Tests of the benchmark that the fixture `tuner_benchmark` names, as `--workload` takes it."""

    def test_it_comes_back_from_a_store_as_it_was(self, tuner_benchmark: str) -> None:
        recipe = _recipe(tuner_benchmark)
        again = recipe_of(recipe.to_dict(), "a store")
        assert again == recipe
        assert again.fingerprint == recipe.fingerprint

    def test_it_reports_metrics_and_says_what_is_judged(self, tuner_benchmark: str) -> None:
        workload = _workload(tuner_benchmark)
        names = [metric.name for metric in of(workload).metrics(workload)]
        assert names
        judged = objective(usual(workload), workload)
        assert {term.metric for term in judged.terms} <= set(names)

    def test_its_programs_are_named_for_each_end(self, tuner_benchmark: str) -> None:
        workload = _workload(tuner_benchmark)
        programs = of(workload).programs(workload, "")
        assert set(programs) == set(_recipe(tuner_benchmark).ends)
        assert all(found and all(found) for found in programs.values())

    def test_a_run_leaves_no_place_of_ours_open(self, tuner_benchmark: str) -> None:
        workload = _workload(tuner_benchmark)
        ends = of(workload).ends(workload, {}, [40_000] * workload.ports_needed)
        words = " ".join(
            word for command in (ends.client, *ends.servers, *ends.before, *ends.warm_up) for word in command
        )
        assert not any(place in words for place in ("{port}", "{address}", "{seconds}"))

    def test_it_waits_for_a_server_that_it_has(self, tuner_benchmark: str) -> None:
        recipe = _recipe(tuner_benchmark)
        assert recipe.server is None or recipe.ready.text or recipe.ready.port or recipe.ready.file


def _recipe(name: str) -> Recipe:
    return recipe_named.named(name).recipe


def _workload(name: str) -> Workload:
    return of_recipe(_recipe(name))
