"""The report as one HTML file that needs no network: text and tables first, plots as SVG, a little script on top.

Everything that is not ours is escaped by the template. A Content-Security-Policy forbids every request and every script
but the one in the file, which is named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from tuner.figures import interval, plain, shown
from tuner.judging.metrics import HELD_RATE, short
from tuner.measurement import CORRECTED_LATENCIES, LATENCIES
from tuner.report.charts import Spec, charts
from tuner.report.content import texts
from tuner.report.drawing import drawn
from tuner.report.shortened import shortened
from tuner.terminal_text import safe

if TYPE_CHECKING:
    from jinja2 import Environment

# In the order of a table; those that nobody reported are left out.
OF_A_PROFILE: Final = (
    HELD_RATE,
    *LATENCIES,
    "latency_mean_us",
    "latency_std_us",
    *CORRECTED_LATENCIES,
    "rate_mps",
    "bandwidth_mbytes_per_s",
    "cpu_s",
    "server_memory_mb",
)
# What the words of a table of metrics need to be understood.
CORRECTED_SAYS: Final = (
    "A corrected latency counts from the time at which a message should have been sent at the constant rate."
)
_OUR_MARKUP: Final = frozenset({"wide", "narrow"})
ROLES: Final = {"baseline": "baseline", "start": "known", "known": "known", "finalist": "finalist", "winner": "winner"}


def asset(name: str) -> str:
    """Return a file of the page's own: its template, style or script."""
    return (files("tuner.report") / "assets" / name).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Frame:
    """What a report stands in: a file of its own, with its style and script in it, or a page of a server."""

    template: str = "base.html.j2"
    asset: Callable[[str], str] = asset
    values: Mapping[str, object] = field(default_factory=dict)


ALONE: Final = Frame()


def page(content: Mapping[str, Any], frame: Frame = ALONE) -> str:
    """Return a session's report as one HTML document."""
    told = shortened(content)
    return rendered("report.html.j2", charts(told), {"c": told, "head": head(told)}, frame)


def head(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return, for the judged metrics that both have, the baseline's and the winner's value: name, before, after."""
    profiles = {row["role"]: row["metrics"] for row in content["profiles"]}
    if "winner" not in profiles or "baseline" not in profiles:
        return []
    both = [name for name in short(profiles["winner"]) if name in profiles["baseline"]]
    values = {role: {name: shown(profiles[role][name]["value"]) for name in both} for role in ("baseline", "winner")}
    return [(name, values["baseline"][name], values["winner"][name]) for name in both]


def metrics_of(profiles: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the metrics that any of the profiles has, in the order of a table: a recipe's own first."""
    present = dict.fromkeys(name for row in profiles for name in row["metrics"])
    own = [name for name in present if name not in OF_A_PROFILE]
    return [*own, *(name for name in OF_A_PROFILE if name in present)]


# To compile the templates takes longer than to fill them in: a process does it once.
@cache
def environment(load: Callable[[str], str]) -> Environment:
    """Return what renders templates of ours, which `load` returns by their names; everything that they are given is escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"shown": shown, "interval": interval, "plain": plain}
    return made


def rendered(
    template: str, plots: Mapping[str, tuple[str, Spec]], values: Mapping[str, Any], frame: Frame = ALONE
) -> str:
    """Return a page of ours with its plots drawn; everything in `values` is escaped."""
    script = asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    ours = {"style": asset("report.css"), "script": script, "digest": digest, "frame": frame.template, **frame.values}
    rows = values.get("c", {}).get("profiles", ())
    present = metrics_of(rows)
    named = {"metrics": present, "short": short(present), "texts": texts, "roles": ROLES, "corrected": CORRECTED_SAYS}
    found = environment(frame.asset).get_template(template)
    return safe(found.render(plots=_marked(plots), **values, **ours, **named))


def _marked(plots: Mapping[str, tuple[str, Spec]]) -> dict[str, dict[str, str]]:
    """Return the plots as the template takes them: our own SVG is markup, the words that say what is seen are not."""
    from markupsafe import Markup

    return {
        name: {key: Markup(text) if key in _OUR_MARKUP else text for key, text in plot.items()}  # noqa: S704 - drawn here
        for name, plot in drawn(plots).items()
    }
