"""The report as Markdown: the same content, for a pull request or a wiki. Plots are files of their own beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.figures import interval, plain, shown
from tuner.report.content import texts
from tuner.report.page import CORRECTED_SAYS, ROLES, metrics_of
from tuner.report.shortened import shortened
from tuner.report.tables import escaped, markdown

Row = Mapping[str, Any]


def page(content: Row, plots: Mapping[str, tuple[str, str]]) -> str:
    """Return a session's report as Markdown; `plots` has, by name, what each shows and the path of its picture."""
    content = shortened(content)
    parts = [
        *_head(content),
        *_pairs(content),
        *_costs(content),
        *_profiles(content),
        *_curves(content, plots),
        *_search(content, plots),
    ]
    parts += [*_settings(content, plots), *_cost(content, plots), *_noise(content, plots), *_ends(content)]
    return "\n".join(parts).rstrip() + "\n"


def _head(content: Row) -> Iterator[str]:
    verdict = content["verdict"]
    yield f"# {escaped(verdict['headline'])}\n"
    yield f"**{escaped(verdict['answer'])}**: {escaped(verdict['why'])}.\n"
    yield f"Session {escaped(content['session'])}, {content['created_at']}, {content['state']}.\n"
    if winner := content["winner"]:
        yield f"## The profile\n\n{escaped(winner['path'] or 'Nothing to change: keep the baseline.')}\n"
        yield _block([f"{name}={value}" for name, value in winner["settings"].items()] or ["(no settings)"])

    yield from _advice(content["advice"])


def _advice(found: Row) -> Iterator[str]:
    if not found["rows"]:
        return
    yield "### What to set\n"
    yield markdown(found["headers"], found["rows"])
    yield f"### Is it better than the best known profile?\n\n{escaped(found['known'])}.\n"
    yield f"### What does it cost?\n\n{escaped(found['costs'] or 'Not measured')}.\n"
    if shorter := found["minimal"]:
        yield f"### The shorter profile\n\n{escaped(shorter['path'] or '')}: {escaped(shorter['why'])}.\n"
        yield _block([f"{name}={value}" for name, value in shorter["settings"].items()])


def _pairs(content: Row) -> Iterator[str]:
    found = content["pairs"]
    if found["rows"]:
        yield f"## Pairs of hosts\n\n{escaped(found['why'])}\n"
        yield from (f"{escaped(line)}.\n" for line in found["exceptions"])
        yield markdown(found["headers"], found["rows"])


def _costs(content: Row) -> Iterator[str]:
    found = content["costs"]
    if found["rows"]:
        yield f"## What it costs\n\n{escaped(found['why'])}\n"
        yield markdown(found["headers"], found["rows"])


def _block(lines: Sequence[str]) -> str:
    """Return lines as an indented block, which nothing inside can end; a newline in a line is shown as one."""
    return "".join(f"    {line!r}\n" if not line.isprintable() else f"    {line}\n" for line in lines)


def _profiles(content: Row) -> Iterator[str]:
    rows = content["profiles"]
    present = metrics_of(rows)
    headers = ["metric", *(f"{row['profile']} ({ROLES[row['role']]})" for row in rows)]
    cells = [[plain(name), *(interval(row["metrics"].get(name)) for row in rows)] for name in present]
    counts = [str(max((found["runs"] for found in row["metrics"].values()), default=0)) for row in rows]
    corrected = f" {CORRECTED_SAYS}" if any("corrected" in name for name in present) else ""
    said = f" Latency is {content['latency_is']}." if content["latency_is"] else ""
    yield f"## Profiles\n\nMedian of the runs and its confidence interval.{said}{corrected}\n"
    yield markdown(headers, [*cells, ["runs", *counts]])


def _curves(content: Row, plots: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield f"## Latency by percentile\n\n{escaped(content['curves']['why'])}\n"
    yield from _plot(plots, "percentiles")
    yield from _plot(plots, "distributions")


def _plot(plots: Mapping[str, tuple[str, str]], name: str) -> Iterator[str]:
    if name in plots:
        says, path = plots[name]
        yield f"![{escaped(says)}]({path})\n"


def _search(content: Row, plots: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield "## Search\n"
    yield from _left_out(content, "course")
    yield from _plot(plots, "course")
    headers = ["trial", "profile", "role", "gain", "blocks", "status", "reason"]
    cells = [
        [str(row["order"]), row["profile"], row["role"], gain(row), str(row["blocks"]), row["status"], row["reason"]]
        for row in content["course"]
    ]
    yield markdown(headers, cells) if cells else "This session did not search.\n"
    if content["proposals"]:
        yield "".join(f"- {escaped(line)}\n" for line in content["proposals"])
    if content["held"]["rows"]:
        yield f"### Searches for the highest rate\n\n{escaped(content['held']['why'])}\n"
        yield markdown(content["held"]["headers"], content["held"]["rows"])
    failures = content["failures"]
    yield "### Failures by reason\n"
    yield from _left_out(content, "failures")
    yield markdown(failures["headers"], failures["rows"]) if failures["rows"] else "No trial failed.\n"


def _left_out(content: Row, section: str) -> Iterator[str]:
    if said := content["left_out"].get(section):
        yield f"{escaped(said)}\n"


def gain(row: Row) -> str:
    """Return a ratio with its interval; a dash where it was not computed."""
    if row["ratio"] is None:
        return "–"
    bounded = row["low"] is not None and row["high"] is not None
    return f"{row['ratio']:.2f}" + (f" ({row['low']:.2f}–{row['high']:.2f})" if bounded else "")


def _settings(content: Row, plots: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    worth, pairs = content["worth"], content["interactions"]
    yield f"## Effect of each setting\n\n{escaped(worth['why'])}\n"
    yield from _plot(plots, "worth")
    kept = {True: "kept", False: "removed"}
    cells = [[f"{row['name']}={row['value']}", kept[row["kept"]], gain(row), row["why"]] for row in worth["rows"]]
    if cells:
        yield markdown(["setting", "", "gain with it", "evidence"], cells)
    yield f"### Interactions of settings\n\n{escaped(pairs['why'])}\n"
    if pairs["rows"]:
        yield markdown(["pair", "interaction (×)"], [[row["name"], gain(row)] for row in pairs["rows"]])
    yield from _counted(content["counted"])
    if content["loss"]["rows"]:
        yield "### Messages lost by each receiver\n"
        yield markdown(content["loss"]["headers"], content["loss"]["rows"])


def _counted(found: Row) -> Iterator[str]:
    if found:
        lines = [f"- {each['where']}: {each['message']} {each['suggestion']}".rstrip() for each in found["findings"]]
        yield "### Counters of the stack\n"
        yield "".join(f"{escaped(line)}\n" for line in lines) or "Its counters indicate no problem.\n"


def _cost(content: Row, plots: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    found = content["tradeoff"]
    yield f"## Latency, throughput, CPU\n\n{escaped(found['why'])}\n"
    yield from _left_out(content, "tradeoff")
    yield from _plot(plots, "tradeoff")
    front = [row for row in found["points"] if row["front"]]
    keys = ("latency_us", "rate_mps", "cpu_s")
    cells = [[row["label"], row["best_in"], *(shown(row[key]) for key in keys)] for row in front]
    if cells:
        yield markdown(["on the Pareto front", "why", plain(found["latency"]), "msg/s", "CPU, s"], cells)


def _noise(content: Row, plots: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    found = content["noise"]
    yield "## Noise and drift\n"
    yield "".join(f"- {escaped(line)}\n" for line in [*found["words"], found["why"]] if line)
    yield from _left_out(content, "noise")
    yield from _plot(plots, "noise")
    yield from _disturbance(found)
    yield from _left_out(content, "disturbed")
    if content["phases"]["rows"]:
        yield markdown(content["phases"]["headers"], content["phases"]["rows"])


def _disturbance(found: Row) -> Iterator[str]:
    out = [row for row in found["disturbed"] if row["quarantined"]]
    said = found["disturbance"] or f"None of {found['host']['blocks']} blocks was disturbed by the host"
    yield f"{escaped(said[:1].upper() + said[1:])}. Discarded: {len(out)}.\n"
    if found["unusual"]:
        yield f"{escaped(found['unusual'][:1].upper() + found['unusual'][1:])}.\n"
    yield "".join(f"- block {row['block']}: {escaped(', '.join(row['culprits']))}\n" for row in found["disturbed"])
    yield "".join(f"- what to do about {escaped(line)}\n" for line in found["advice"])


def _ends(content: Row) -> Iterator[str]:
    yield "## Warnings\n"
    doubts = [f"- {escaped(doubt['what'])}: {escaped(doubt['advice'])}\n" for doubt in content["doubts"]]
    yield "".join(doubts) or "None.\n"
    yield f"## Host, stack, {escaped(content['benchmark'])}\n"
    yield f"Measured: {escaped('; '.join(content['workloads']))}. Judged: {escaped(content['judges'])}.\n"
    for name, about in content["facts"].items():
        yield markdown([name, ""], [list(row) for row in texts(about)])
    yield from _evidence(content)


def _evidence(content: Row) -> Iterator[str]:
    evidence = content["evidence"]
    yield "## Every run\n"
    yield from _left_out(content, "runs")
    yield "Variables of all runs:\n"
    yield _block([f"{name}={value}" for name, value in evidence["common"].items()])
    for each in evidence["commands"]:
        feeds = [f"{path}: {line}" for path, text in each["files"].items() for line in text.splitlines()]
        yield f"Command {each['number']}:\n\n" + _block([each["server"], each["client"], *feeds])
    variables = [
        [str(each["number"]), each["profile"], " ".join(f"{name}={value}" for name, value in each["variables"].items())]
        for each in evidence["environments"]
    ]
    yield markdown(["environment", "profile", "further variables"], variables)
    names = ("run", "profile", "phase", "block", "status", "reason")
    cells = [
        [
            *(str(run[name]) for name in names),
            *(shown(run[name]) for name in content["of_a_run"]),
            str(of[1]),
            str(of[0]),
            run["ports"],
        ]
        for run, of in zip(content["runs"], evidence["of_runs"], strict=True)
    ]
    yield markdown([*names, *map(plain, content["of_a_run"]), "command", "environment", "port"], cells)
