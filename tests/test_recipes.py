"""A recipe is data of anybody's: it is read whole or refused with all that is wrong, and says the same after any round trip."""

from __future__ import annotations

import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.conformance import BenchmarkConformance
from tuner.errors import UsageError
from tuner.hosts.host import ProcessResult
from tuner.runs import command, matches, recipe_text, samples, shipped_recipes
from tuner.runs.benchmark import Heard, ParseError
from tuner.runs.matches import Wanted
from tuner.runs.recipe import Better, End, OwnMetric, Ready, Recipe, filled
from tuner.runs.recipe_file import MOST_FILES, MOST_METRICS, MOST_WORDS, RECIPE_BYTES, of_text, read, recipe_of
from tuner.runs.recipe_text import NotFound, groups, led_to, number, numbers, regex_problem
from tuner.runs.workload import Workload, from_dict

GOOD: Final = """
name = "mine"
objective = "max rps"
[server]
command = "server --port {port}"
ready_port = true
[client]
command = ["client", "{address}", "{{port}}"]
failed = "ERR"
[metrics.rps]
better = "higher"
regex = 'rps=([0-9.]+)'
[metrics.tail_ms]
unit = "ms"
json = "all[*].ms"
in = "out.json"
samples = true
"""
WRONG: Final = """
name = "Not a name!"
colour = "red"
duration_s = 0
[server]
command = "server 'open"
[client]
command = "client {prot}"
exit_statuses = [300]
[metrics.rps]
better = "more"
regex = '(a+)+b'
[metrics.CPU]
regex = 'x'
json = 'a..b'
[files]
"../up" = "text"
"""

MANY_METRICS: Final = "".join(f'[metrics.m{number}]\nregex = "(x)"\n' for number in range(MOST_METRICS))
MANY_FILES: Final = "[files]\n" + "".join(f'f{number} = "text"\n' for number in range(MOST_FILES + 1))


def wrong(text: str) -> list[str]:
    with pytest.raises(UsageError) as told:
        of_text(text, "it.toml")
    return [str(each) for each in told.value.findings]


def test_a_recipe_says_what_its_file_says() -> None:
    found = of_text(GOOD, "it.toml")
    assert found.server == End(("server", "--port", "{port}"))
    assert found.ready == Ready(port=True)
    assert found.metrics[0] == OwnMetric("rps", better=Better.HIGHER, regex="rps=([0-9.]+)")
    assert (found.metrics[1].source, found.metrics[1].samples) == ("out.json", True)
    assert (found.uses_port, found.is_timed) == (True, False)


def test_everything_that_is_wrong_is_told_at_once_each_with_its_place() -> None:
    told = wrong(WRONG)
    for place in (
        "name",
        "colour",
        "duration_s",
        "server.command",
        "server.ready",
        "client.command",
        "client.exit_statuses",
        "metrics.rps.better",
        "metrics.rps.regex",
        "metrics.CPU.name",
        "metrics.CPU.regex",
        "metrics.CPU.json",
        "files.../up",
    ):
        assert any(f"it.toml: {place}: " in each for each in told), (place, told)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("ready_port = true", ""), "nothing says when the server is ready"),
        (("--port {port}", ""), "names no {port}"),
        (('command = ["client", "{address}", "{{port}}"]', 'command = ["client"]\nstack = false\ncpus = 0'), "must be from 1"),
        (('in = "out.json"', 'in = "/etc/passwd"'), "must be stdout, stderr, server, reader, or the name of a file"),
        (("[metrics.rps]", "[metrics.cpu_s]"), "is a metric that every run has"),
        (("json = ", 'regex = "(x)"\njson = '), "both are there"),
        (('json = "all[*].ms"', ""), "neither is there"),
        (("'rps=([0-9.]+)'", "'rps=[0-9.]+'"), "has no group"),
        (('"server --port {port}"', '""'), "must be a command"),
        (("ready_port = true", "ready_port = true\nprepare = 3"), "server.prepare: must be a command or a list of commands"),
        (('["client",', '["a", ' + '"b", ' * MOST_WORDS), f"at most {MOST_WORDS} are allowed"),
        (("--port", "\\u0007"), "holds control characters"),
        (('failed = "ERR"', "failed = 3"), "client.failed: must be a list of regular expressions"),
        (('failed = "ERR"', 'failed = ["(a+)+b"]'), "client.failed: '(a+)+b'"),
        (("[metrics.rps]", "[metrics.wall_s]"), "the wall time is measured and not read"),
        (('better = "higher"', 'better = "higher"\nin = "reader"'), "the reader finds it"),
        (("[metrics.rps]", "[metrics]\nflat = 3\n[metrics.rps]"), "metrics.flat: must be a table"),
        (("[metrics.tail_ms]", MANY_METRICS + "[metrics.tail_ms]"), f"at most {MOST_METRICS} are allowed"),
        (("[client]", "[files]\nempty = 3\n[client]"), "files.empty: must be the text of the file"),
        (("[client]", MANY_FILES + "[client]"), f"at most {MOST_FILES} are allowed"),
        (('name = "mine"', 'name = "mine"\nreader = "Not a name"'), "is not a name"),
        (('name = "mine"', 'name = "mine"\nother = 3'), "other: must be a table"),
    ],
)  # fmt: skip
def test_what_would_never_work_is_refused(change: tuple[str, str], why: str) -> None:
    assert change[0] in GOOD
    assert any(why in each for each in wrong(GOOD.replace(*change)))


def test_a_recipe_under_which_no_end_could_be_tuned_is_refused() -> None:
    told = wrong(GOOD.replace("[server]", "[server]\nstack = false").replace("[client]", "[client]\nstack = false"))
    assert any("nothing could be tuned" in each for each in told)


@pytest.mark.parametrize("content", [b"\xff", b"x" * (RECIPE_BYTES + 1), b"= no", b"a = " + b"[" * 5000])
def test_a_file_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "it.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read(path)


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), min_size=1, max_size=12
)
arguments = st.lists(words.filter(lambda word: not Recipe.left_open((word,))), min_size=1, max_size=4).map(tuple)
ends = st.builds(End, arguments, st.lists(arguments, max_size=2).map(tuple), st.just(value=True), st.integers(1, 8))
metrics = st.builds(
    OwnMetric,
    name=st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name not in {"cpu_s", "wall_s"}),
    unit=words,
    better=st.none() | st.sampled_from(Better),
    regex=st.sampled_from(["x=([0-9.]+)", "(?P<n>[0-9]+)(?P<unit>[a-z]*)", '"([^"]*)"']),
    source=st.sampled_from(["stdout", "stderr", "out.txt"]),
    samples=st.booleans(),
)
recipes = st.builds(
    Recipe,
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True),
    client=ends,
    metrics=st.lists(metrics, min_size=1, max_size=3, unique_by=lambda each: each.name).map(tuple),
    server=st.none() | ends,
    ready=st.just(Ready("up")),
    summary=words,
    duration_s=st.integers(1, 60),
    time_limit_s=st.none() | st.floats(0.5, 100.0),
    failed=st.just(()) | st.just(("ERR",)),
    exit_statuses=st.just((0,)) | st.just((0, 3)),
    files=st.just(()) | st.just((("it.conf", "port {port}"),)),
).map(
    lambda each: (
        each if each.server else Recipe(**{name: getattr(each, name) for name in each.__slots__ if name != "ready"})
    )
)


@given(recipes)
def test_a_recipe_comes_back_from_a_store_as_it_was(recipe: Recipe) -> None:
    stored = json.loads(json.dumps(recipe.to_dict()))
    assert recipe_of(stored, "store") == recipe
    assert recipe_of(stored, "store").fingerprint == recipe.fingerprint
    workload = Workload(recipe=recipe, rehearsed_s=1.5)
    assert from_dict(json.loads(json.dumps(workload.to_dict()))) == workload


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda deeper: st.lists(deeper) | st.dictionaries(st.sampled_from(["server", "client", "metrics", "command", "x", "ready", "files", "failed"]), deeper)))  # fmt: skip
def test_whatever_a_store_holds_is_a_recipe_or_refused(data: Any) -> None:
    if isinstance(data, dict):
        with pytest.raises(UsageError):  # none of them has a client with a command and a metric
            recipe_of({**data, "name": "!"}, "store")


@given(recipes, recipes)
def test_recipes_that_differ_are_never_compared(one: Recipe, other: Recipe) -> None:
    assert (Workload(recipe=one).key() == Workload(recipe=other).key()) is (one == other)


def test_what_a_recipe_leaves_open_is_filled_and_other_braces_stay() -> None:
    values = {"port": "7", "address": "::1"}
    assert filled("{address}:{port} {{port}} {print} {} {{x}}", values) == "::1:7 {port} {print} {} {{x}}"


@given(st.floats(0, 1e15))
def test_a_number_is_read_as_programs_print_it(value: float) -> None:
    for text in (repr(value), f"{value:.3f}", f"{value:,.2f}", f" {value:e} "):
        assert number(text) == pytest.approx(float(text.replace(",", "")))


@pytest.mark.parametrize("text", ["", ".", "nan", "inf", "-1", "1e999", "0x10", "1,2", "1 2", "٣"])
def test_what_is_no_number_of_0_or_more_is_told(text: str) -> None:
    with pytest.raises(NotFound):
        number(text)


@given(st.text())
def test_any_text_is_a_number_or_is_not_found(text: str) -> None:
    with suppress(NotFound):
        assert 0 <= number(text) < math.inf


def matched(expression: str, text: str, unit: str = "", *, several: bool = False) -> list[float]:
    wanted = Wanted(expression, "it", groups(expression))
    found = matches.found([wanted], {"it": text})[wanted]
    assert found is not None
    return numbers(expression, found, unit, several=several)


def test_a_regular_expression_that_matches_twice_says_what_it_matched() -> None:
    with pytest.raises(NotFound, match=r"matches 4 times: 1, 2, 3, …"):
        matched("([0-9])", "1 2 3 4")
    assert matched("([0-9])", "1 2 3 4", several=True) == [1, 2, 3, 4]
    with pytest.raises(NotFound, match="matches nothing"):
        matched("x([0-9])", "1 2 3 4")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("12us", "ms", 0.012), ("3s", "us", 3e6), ("1.5k", "requests/s", 1500.0), ("7", "x", 7.0)],
)
def test_a_number_with_its_own_unit_becomes_the_metrics(text: str, unit: str, value: float) -> None:
    assert matched(r"([0-9.]+)(?P<unit>\w*)", text, unit) == [pytest.approx(value)]


def test_a_number_in_another_kind_of_unit_is_told() -> None:
    with pytest.raises(NotFound, match="'MB'"):
        matched(r"([0-9.]+)(?P<unit>\w*)", "7MB", "ms")


JSON: Final = '{"end": {"sum": {"bits_per_second": 5e9}, "list": [{"ms": 1}, {"ms": "2.5"}]}, "none": null}'


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("end.sum.bits_per_secnd", "end.sum has no key 'bits_per_secnd'; did you mean 'bits_per_second'?"),
        ("start", "the whole has no key 'start'"),
        ("end.list[2].ms", "end.list has 2 items and no [2]"),
        ("end.list.ms", "end.list is a list and has no key 'ms'"),
        ("end.sum[0]", "end.sum is an object and no list"),
        ("none", "none is null and no number"),
        ("end.list[*].ms", "leads to 2 values"),
    ],
)
def test_a_path_that_leads_to_no_number_says_where_it_ends(path: str, why: str) -> None:
    with pytest.raises(NotFound, match=re.escape(why)):
        led_to(path, JSON)


def test_a_path_leads_to_numbers_and_to_samples() -> None:
    assert led_to("end.sum.bits_per_second", JSON) == [5e9]
    assert led_to("end.list[*].ms", JSON, several=True) == [1.0, 2.5]
    with pytest.raises(NotFound, match="it is not JSON"):
        led_to("end", "oops")


@given(st.text(max_size=30))
def test_any_path_is_refused_or_leads_somewhere(path: str) -> None:
    if not recipe_text.path_problem(path):
        with suppress(NotFound):
            assert all(0 <= each < math.inf for each in led_to(path, JSON, several=True))


def heard(stdout: str, status: int = 0, out: str | None = None) -> Heard:
    written = {} if out is None else {"out.json": out}
    return Heard(ProcessResult(status, stdout, "", 0.1, lived_s=2.5), (), written)


def measure(text: str, output: Heard) -> dict[str, float]:
    return command.measured(output, Workload(recipe=of_text(text, "it.toml"))).metrics()


CLIENT: Final = GOOD.replace('[server]\ncommand = "server --port {port}"\nready_port = true\n', "")


def test_a_run_has_its_metrics_those_of_its_samples_and_how_long_its_client_lived() -> None:
    samples = json.dumps({"all": [{"ms": each} for each in range(1, 201)]})
    found = measure(CLIENT, heard("rps=50\n", out=samples))
    assert found["rps"] == 50.0
    assert found["wall_s"] == 2.5
    assert (found["tail_ms.p50"], found["tail_ms.p99"], found["tail_ms.max"]) == (100.0, 198.0, 200.0)
    assert "tail_ms.p99.9" not in found  # not one of 200 samples lies beyond it
    reported = {each.name for each in command.metrics(Workload(recipe=of_text(CLIENT, "it.toml")))}
    assert set(found) <= reported


def test_samples_of_a_time_have_a_histogram_in_ns_whose_percentiles_are_theirs() -> None:
    from tuner.runs import histogram

    samples = json.dumps({"all": [{"ms": each} for each in range(1, 1001)]})
    workload = Workload(recipe=of_text(CLIENT, "it.toml"))
    measured = command.measured(heard("rps=50\n", out=samples), workload)
    assert measured.histogram is not None
    assert histogram.percentile(histogram.decode(measured.histogram), 99.0) == pytest.approx(990e6, rel=0.002)
    assert measured.beyond("tail_ms.p99") == pytest.approx(10.0)


def test_everything_that_a_run_lacks_is_told_with_its_place_in_the_recipe() -> None:
    with pytest.raises(ParseError) as told:
        measure(CLIENT, heard("rps=oops rps=1 rps=2\n"))
    assert [each.where for each in told.value.findings] == ["mine: metrics.rps.regex", "mine: metrics.tail_ms.json"]
    assert "matches 2 times: 1, 2" in told.value.message
    assert "no end left a file out.json" in told.value.message


def test_a_client_that_fails_is_told_in_its_own_words_and_not_in_those_of_the_stacks_library() -> None:
    said = "XLIO INFO   : Log Level                      INFO                       [XLIO_TRACELEVEL]\n"
    with pytest.raises(ParseError, match=r"status 1: no such host$"):
        measure(CLIENT, heard(f"{said}no such host\n{said}", 1))


@pytest.mark.parametrize(
    ("output", "why"), [(heard("rps=5", 3), "ended with status 3: rps=5"), (heard("ERR x"), "said 'ERR'")]
)
def test_a_client_that_failed_measured_nothing(output: Heard, why: str) -> None:
    with pytest.raises(ParseError, match=re.escape(why)):
        measure(CLIENT, output)


@pytest.fixture(params=list(shipped_recipes.texts()))
def tuner_benchmark(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestEveryRecipe(BenchmarkConformance):
    """All that this package has."""


@pytest.mark.parametrize("name", shipped_recipes.texts())
def test_a_recipe_of_the_package_is_named_as_its_file_and_says_what_is_judged(name: str) -> None:
    recipe = shipped_recipes.every()[name]
    assert recipe.name == name
    assert recipe.summary
    assert recipe.objective.split()[1] in {each.name for each in command.metrics(Workload(recipe=recipe))}
    assert all(metric.unit for metric in recipe.metrics)


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+b",
        "((a)+)+$",
        "(a|aa)+$",
        "(?:x?){50}y",
        "(?P<n>a*)*",
        "([^)]+)*",
        r"(\(+)+",
        "((?:a|b)c)*",
        "(a{1,3}){2,}",
    ],
)
def test_a_group_that_is_repeated_and_matches_in_several_ways_is_refused(expression: str) -> None:
    assert "for ever" in regex_problem(expression, groups=0)


@pytest.mark.parametrize(
    "expression",
    [
        "rps: ([0-9.]+)",
        "(?:,[0-9]{3})*",
        "(?:[0-9]{1,3}[.]){3}",
        r"[(+*](\d+)",
        r"\((\d+)\)+",
        "([0-9]+)(?P<unit>us|ms)?",
    ],
)
def test_ordinary_groups_and_repeats_are_allowed(expression: str) -> None:
    assert regex_problem(expression, groups=0) == ""


def test_an_expression_that_would_take_for_ever_is_given_up_and_named_with_the_longest_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matches, "LIMIT_S", 0.3)
    slow = CLIENT.replace("'rps=([0-9.]+)'", "'(.*.*.*=)x'")
    with pytest.raises(ParseError) as told:
        measure(slow, heard("short\n" + "=" * 20_000, out='{"all": [{"ms": 1}]}'))
    said = told.value.message
    assert "metrics.rps.regex" in said
    assert "took more than 0.3 s on 2 lines, the longest of which is line 2 with 20,000 characters" in said


def test_threads_give_an_expression_up_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "LIMIT_S", 0.3)
    asked = [Wanted("(.*.*.*=)x", "it", (1,)), Wanted("=(y)", "it", (1,))]
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(matches.found, asked, {"it": "=" * 20_000 + "y"}).result()
    assert found == dict(zip(asked, [None, [["y"]]], strict=True))


def test_what_a_client_must_not_say_is_given_up_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "LIMIT_S", 0.3)
    refusing = CLIENT.replace('failed = "ERR"', "failed = '.*.*.*=x'")
    with pytest.raises(ParseError, match=r"took more than 0\.3 s") as told:
        measure(refusing, heard("rps=1\n" + "=" * 20_000, out='{"all": [{"ms": 1}]}'))
    assert [each.where for each in told.value.findings] == ["mine: client.failed"]


def _with_unit(name: str, unit: str, place: str = "regex = '([0-9]+)'") -> str:
    return f'name = "r"\n[client]\ncommand = "c"\n[metrics.{name}]\nunit = "{unit}"\n{place}\n'


@pytest.mark.parametrize(
    ("name", "unit", "why"),
    [
        ("delay", "usec", "write us"),
        ("delay", "Seconds", "write s"),
        ("delay", "miliseconds", "write ms"),
        ("delay", "MS", "write ms"),
        ("delay", "mss", "write ms"),
        ("p99_ms", "us", "write ms"),
        ("p99_us", "s", "write us"),
    ],
)
def test_a_unit_of_time_that_is_not_what_was_meant_is_told_with_the_one_that_was(
    name: str, unit: str, why: str
) -> None:
    with pytest.raises(UsageError) as told:
        of_text(_with_unit(name, unit), "r.toml")
    assert f"r.toml: metrics.{name}.unit" in str(told.value.findings[0])
    assert why in str(told.value.findings[0])


def test_a_wall_time_is_in_seconds_whatever_a_recipe_says() -> None:
    with pytest.raises(UsageError) as told:
        of_text(_with_unit("wall_s", "min", ""), "r.toml")
    assert "wall time is in s" in str(told.value.findings[0])


@pytest.mark.parametrize("unit", ["requests/s", "mps", "bus", "MB", "gets", "segments", "%", "", "us", "h", "ms/op"])
def test_other_units_are_the_words_of_their_recipe(unit: str) -> None:
    assert of_text(_with_unit("found", unit), "r.toml").metrics[0].unit == unit


@pytest.mark.parametrize(
    ("name", "unit"), [("p99_ms", "ms"), ("late_us", "us"), ("requests_per_s", ""), ("seconds_s", ""), ("items", "")]
)
def test_a_metric_without_a_unit_has_the_time_that_its_name_ends_in(name: str, unit: str) -> None:
    recipe = recipe_of({"client": {"command": "c"}, "metrics": {name: {"regex": "(x)"}}}, "command line")
    assert {each.unit for each in command.metrics(Workload(recipe=recipe)) if each.name == name} == {unit}


def test_a_median_of_few_samples_is_judged_and_a_tail_of_few_is_not() -> None:
    of_run = samples.summed_up({}, {"rate": [1.0, 2.0, 3.0, 4.0, 50.0]}, {"rate": "1/s"})
    assert math.isinf(of_run.beyond("rate.p50"))
    assert of_run.beyond("rate.p90") == pytest.approx(0.5)
