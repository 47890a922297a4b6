"""The report says what the store says, in three forms, and nothing that is stored can break out of any of them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import many_trials
import pytest
from sessions import PLAN, SLO, polling_helps, tune
from typer.testing import CliRunner

from tuner.cli.main import program
from tuner.cli.screen.failure import status
from tuner.errors import UsageError
from tuner.judging.pareto import MOST_ON_FRONT
from tuner.judging.statistics import Gain
from tuner.records import Kind, State
from tuner.report import comparison, curves, files
from tuner.report.advice import advice
from tuner.report.charts import charts
from tuner.report.content import content as report_of
from tuner.report.drawing import DrawnAs
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.answer.answers import TuneAnswer
from tuner.session.answer.pareto_front import front_of
from tuner.session.answer.parts import Basis, Recommended, Source
from tuner.session.answer.stored import answer_of
from tuner.session.measuring.evidence import Evidence
from tuner.store import Store
from tuner.version import __version__

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
HOSTILE = "<script>alert(1)</script>\"'&|`*]($HOME)\n# é\u202e"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return many_trials.stored(tmp_path_factory.mktemp("made"), 40)


@pytest.fixture(scope="module")
def found(made: Store) -> dict[str, Any]:
    return report_of(made, made.session("latest"))


@pytest.fixture(scope="module")
def html(found: dict[str, Any]) -> str:
    return files.as_html(found)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = many_trials.stored(tmp_path_factory.mktemp("hostile"), 12, word=HOSTILE)
    return report_of(store, store.session("latest"))


class Page(HTMLParser):
    """The elements of a page, and the addresses that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"href", "src", "xlink:href", "action", "srcset"}:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def report(results: Path, *arguments: str) -> Any:
    words = ["report", *arguments, "--results", str(results)]
    return CliRunner().invoke(program(), words)


def test_the_page_names_no_address_but_its_own_parts(html: str) -> None:
    page = Page(html)
    assert {"html", "main", "svg", "table", "script"} <= set(page.tags)
    outside = [address for address in page.addresses if not address.startswith(("#", "data:,"))]
    assert outside == []
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)
    assert "url(http" not in html


def test_the_page_forbids_requests_and_any_script_but_its_own(html: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert "default-src &#39;none&#39;" in policy[1] or "default-src 'none'" in policy[1]
    assert "unsafe-eval" not in policy[1]
    assert "script-src 'sha256-" in policy[1]


def test_every_section_of_the_content_is_on_the_page_and_in_the_markdown(html: str, found: dict[str, Any]) -> None:
    text = files.as_markdown(found, None, DrawnAs.SVG)
    for said in (found["curves"]["why"], "1.97", "not computed", "discarded", "sockperf", "Pareto front", "Warnings"):
        assert said.lower() in unescape(html).lower(), said
        assert said.lower() in text.lower(), said
    assert json.loads(files.as_json(found)) == json.loads(json.dumps(found))


def test_each_plot_that_the_data_allow_is_on_the_page(html: str, found: dict[str, Any]) -> None:
    assert set(charts(found)) == {"percentiles", "distributions", "course", "worth", "tradeoff", "noise"}
    assert html.count('<figure class="plot"') == len(charts(found))


def test_hostile_text_is_text_on_the_page(hostile: dict[str, Any], html: str) -> None:
    page = Page(files.as_html(hostile))
    assert page.tags.count("script") == 1
    assert page.handlers == []
    assert set(page.tags) <= set(Page(html).tags) | {"ul", "li"}


def test_hostile_text_is_text_in_markdown(hostile: dict[str, Any]) -> None:
    lines = files.as_markdown(hostile, None, DrawnAs.SVG).splitlines()
    assert [
        line for line in lines if "<script" in line and not line.startswith("    ") and "\\<script" not in line
    ] == []
    tables = [line for line in lines if line.startswith("|")]
    assert tables
    assert not any(re.search(r"(?<!\\)`", line) for line in tables)
    assert [line for line in lines if line.startswith("# ")] == lines[:1]


def test_the_curve_of_merged_histograms_counts_every_message_once(found: dict[str, Any]) -> None:
    series = {row["profile"]: row for row in found["curves"]["series"]}
    assert found["curves"]["source"] == "histograms"
    assert series["default"]["messages"] == 500 * many_trials.CONFIRM_BLOCKS
    assert sum(share for _, _, share in series["default"]["distribution"]) == pytest.approx(1.0)
    percentiles, latencies = zip(*series["default"]["curves"][0], strict=True)
    assert list(latencies) == sorted(latencies)
    assert max(percentiles) <= 100 * (1 - curves.LEAST_DRAWN_BEYOND / series["default"]["messages"]) + 1e-6


def test_without_histograms_each_run_has_its_own_curve_and_that_is_said(tmp_path: Path) -> None:
    store = many_trials.stored(tmp_path, 12, histograms=False)
    found = report_of(store, store.session("latest"))["curves"]
    assert found["source"] == "runs"
    assert "no histogram" in found["why"]
    assert {len(row["curves"]) for row in found["series"] if row["role"] != "known"} == {many_trials.CONFIRM_BLOCKS}


@pytest.mark.parametrize("text", ["HISTFAAA", "", "no histogram at all"])
def test_a_damaged_histogram_is_said_and_not_drawn(text: str) -> None:
    merged, problem = curves.added([{"unit": "ns", "kind": "half round trip", "encoded": text}])
    assert merged is None
    assert "not a stored histogram" in problem


def test_a_failed_trial_has_a_reason_and_no_gain(found: dict[str, Any]) -> None:
    bad = [row for row in found["course"] if row["status"] != "ok"]
    assert bad
    assert all(row["ratio"] is None and row["reason"] for row in bad)
    assert found["failures"]["rows"]


def test_the_best_so_far_never_falls_and_is_some_trials_gain(found: dict[str, Any]) -> None:
    best = [row["best"] for row in found["course"]]
    assert best == sorted(best)
    assert any(best[-1] == pytest.approx(row["ratio"]) for row in found["course"] if row["ratio"])


def test_what_a_model_says_of_a_setting_is_called_a_model(found: dict[str, Any]) -> None:
    assert found["worth"]["source"] == "model"
    assert "not a measurement" in found["worth"]["why"]
    unjudged = [row for row in found["worth"]["rows"] if row["ratio"] is None]
    assert unjudged
    assert all("not computed" in row["why"] for row in unjudged)


def test_the_report_and_the_answer_have_one_pareto_front(made: Store, found: dict[str, Any]) -> None:
    session = made.session("latest")
    evidence = Evidence.read(made, session)
    shown = [point["profile"] for point in found["tradeoff"]["points"] if point["front"]]
    assert shown == [each.described.profile for each in front_of(evidence)]
    assert 1 <= len(shown) <= MOST_ON_FRONT


def test_the_block_in_quarantine_is_named_with_its_reason(found: dict[str, Any]) -> None:
    (row,) = [row for row in found["noise"]["disturbed"] if row["quarantined"]]
    assert row["block"] == 3
    assert row["reasons"]


def test_every_run_can_be_launched_again_from_the_report(made: Store, found: dict[str, Any]) -> None:
    evidence = found["evidence"]
    for run, row, (environment, command) in zip(
        made.runs(many_trials.ID), found["runs"], evidence["of_runs"], strict=True
    ):
        assert evidence["common"] | evidence["environments"][environment]["variables"] == run.evidence["environment"]
        assert "-p PORT" in evidence["commands"][command]["client"]
        assert row["ports"] == run.evidence["client"]["argv"][3]


def test_sessions_of_the_same_workload_are_compared(tmp_path: Path) -> None:
    for session in ("20260102-a", "20260202-b"):
        store = many_trials.stored(tmp_path, 12, session=session)
    found = files.found(store, store.sessions())
    assert [each["session"] for each in found["sessions"]] == ["20260102-a", "20260202-b"]
    page = files.as_html(found)
    assert "has no confidence interval" in page
    assert '<figure class="plot"' in page
    assert "20260202-b" in files.as_markdown(found, None, DrawnAs.SVG)


def test_sessions_of_different_workloads_are_refused_and_what_differs_is_said(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 12, session="20260102-a")
    other = many_trials.WORKLOAD.to_dict() | {"message_bytes": 1000, "protocol": "udp"}
    many_trials.stored(tmp_path, 12, session="20260202-b", workloads=[other])
    refused = report(tmp_path, "20260102", "20260202")
    text = str(refused.exception)
    assert isinstance(refused.exception, UsageError)
    findings = refused.exception.findings
    assert "cannot be compared" in text
    assert {finding.where for finding in findings} == {
        "20260202-b: workload.message_bytes",
        "20260202-b: workload.protocol",
    }


def test_where_traffic_runs_does_not_make_workloads_different(made: Store) -> None:
    row = made.session("latest")
    moved = dict.fromkeys(comparison._OF_A_HOST, "7")
    other = json.loads(json.dumps(row.plan))
    other["workloads"][0] |= moved
    comparison.check([row, type(row)(row.id, row.created_at, row.state, 0.0, other, row.facts, row.verdict)])


def test_the_command_writes_the_page_into_the_sessions_folder(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "tuner.db", tmp_path)
    done = report(tmp_path)
    assert done.exit_code == 0, done.output
    path, session = Path(done.output.strip()), Store(Results(tmp_path).url).session("latest")
    assert path == Results(tmp_path).report(session.id)
    assert session.verdict is not None
    assert f"{session.verdict['gain']['ratio']:.2f}×" in path.read_text(encoding="utf-8")


def test_markdown_in_a_file_has_its_plots_beside_it(tmp_path: Path) -> None:
    many_trials.stored(tmp_path, 12)
    done = report(tmp_path, "--format", "md", "-o", str(tmp_path / "r.md"), "--plots", "png")
    assert done.exit_code == 0, done.output
    named = re.findall(r"\]\((r-plots/[^)]+)\)", (tmp_path / "r.md").read_text(encoding="utf-8"))
    assert len(named) == len(list((tmp_path / "r-plots").iterdir())) > 3
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in named)


@pytest.mark.parametrize("options", [["--json"], ["--format", "json"]])
def test_json_is_printed(made: Store, options: list[str], found: dict[str, Any]) -> None:
    assert json.loads(report(Path(made.where).parent, *options).output) == json.loads(json.dumps(found))


@pytest.mark.parametrize("options", [["--format", "pdf"], ["--plots", "gif"], ["--format", "md", "--open"]])
def test_an_option_that_means_nothing_is_refused(made: Store, options: list[str]) -> None:
    assert status(report(Path(made.where).parent, *options).exception) == 2


@pytest.mark.parametrize("state", [State.RUNNING, State.STOPPED, State.FAILED])
def test_a_session_without_a_verdict_has_a_report_too(tmp_path: Path, state: State) -> None:
    store = Store(Results(tmp_path).url)
    store.add_session("s", many_trials._plan(), {})
    store.close_session("s", state, 1.0, None)
    found = report_of(store, store.session("s"))
    assert found["verdict"]["answer"] == state
    assert "tuner sessions resume s" in files.as_html(found)
    assert files.as_markdown(found, None, DrawnAs.SVG)


def test_searches_over_the_load_and_corrected_latencies_are_shown(tmp_path: Path) -> None:
    plan = replace(SLO, kind=Kind.MEASURE, known=(), blocks=2, budget_s=1e9)
    tune(tmp_path, SimulatedHost(lambda _environment: 36.0, noise=0.01, capacity_mps=lambda _: 20_000.0), plan)
    store = Store(Results(tmp_path).url)
    found = report_of(store, store.session("latest"))
    assert [row[0] for row in found["held"]["rows"]] == ["0", "1"]
    assert all("✓" in row[4] and "✗" in row[4] for row in found["held"]["rows"])
    answers = [int(row[5].replace(",", "")) for row in found["held"]["rows"]]
    assert min(answers) <= found["profiles"][0]["metrics"]["held_rate_mps"]["value"] <= max(answers)
    for text in (files.as_html(found), files.as_markdown(found, None, DrawnAs.SVG)):
        for said in ("Searches for the highest rate", "held rate, msg/s", "p99 corrected, µs", "should have been sent"):
            assert said in text, said


def test_what_the_stack_counted_is_shown_with_the_settings_it_points_at(found: dict[str, Any]) -> None:
    finding = {"severity": "warning", "where": "server", "message": "5 packets dropped", "suggestion": "look at XLIO_X"}
    told = found | {"counted": {"counters": {"server": {"dropped_packets": 5}}, "findings": [finding]}}
    calm = found | {"counted": {"counters": {}, "findings": []}}
    for form in (files.as_html, lambda each: files.as_markdown(each, None, DrawnAs.SVG)):
        assert "5 packets dropped" in form(told)
        assert "XLIO_X" in unescape(form(told)).replace("\\", "")
        assert "Counters of the stack" in form(calm)
        assert "indicate no problem" in form(calm)
        assert "Counters of the stack" not in form(found)


def test_the_report_names_the_release_that_measured_and_not_the_one_that_writes(tmp_path: Path) -> None:
    found = {}
    for name, facts in (("of-another", {"tuner": "0.0.9"}), ("of-before", {})):
        store = Store(Results(tmp_path).url)
        store.add_session(name, many_trials._plan(), facts)
        report = report_of(store, store.session(name))
        found[name] = report["facts"]["measured with"]["tuner"]
        assert "tuner" not in report["facts"]["host"]
        assert f"| tuner | {'unknown' if not facts else '0.0.9'} |" in files.as_markdown(report, None, DrawnAs.SVG)
    assert found == {"of-another": "0.0.9", "of-before": None}


def test_a_session_holds_the_release_that_measured_it(tmp_path: Path) -> None:
    tune(tmp_path, SimulatedHost(polling_helps), replace(PLAN, kind=Kind.MEASURE, known=(), blocks=2))
    assert Store(Results(tmp_path).url).session("latest").facts["tuner"] == __version__


@pytest.mark.parametrize(
    ("role", "said"), [(Source.KNOWN, "best known profile itself"), (Source.FOUND, "No known profile was judged")]
)
def test_where_nothing_was_judged_beside_the_winner_it_says_what_the_winner_is(
    made: Store, role: Source, said: str
) -> None:
    answer = answer_of(made.session("latest"))
    assert isinstance(answer, TuneAnswer)
    one = Recommended("XLIO_RX_POLL", "-1", Basis.SHOWN, Gain(2.0, 1.9, 2.1, 12, 0.95), "")
    bare = replace(answer.advice, recommended=(one,), best_known=None, over_known=None)
    alone = replace(answer, winner=replace(answer.winner, role=role), advice=bare)
    assert said in advice(alone)["known"]
