"""A recommendation as lines of a terminal, as JSON and as a profile: what was measured elsewhere, never a claim about this host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final

from tuner.cli.screen.output import wrapped
from tuner.errors import UsageError
from tuner.figures import shown
from tuner.judging.statistics import Gain
from tuner.profiles.profile import Place, Profile
from tuner.session.recommendation import Agreement, Recommendation, Seen, Told

_MOST_VALUES: Final = 4


def lines(found: Recommendation, commands: Mapping[str, str]) -> list[str]:
    """Return what a terminal shows."""
    said = _recommended(found, found.chosen) if found.chosen else _nothing(found)
    told = [wrapped(line, indent="    ") for line in said]
    return [*told, "", *_to_be_sure(found, commands)]


def to_json(found: Recommendation) -> dict[str, object]:
    """Return JSON-ready values."""
    asked = found.asked
    return {
        "recommended": None if found.chosen is None else dict(found.chosen.settings),
        "from": None if found.chosen is None else found.chosen.session,
        "measured_on_this_host": found.measured_here,
        "stack": asked.stack,
        "objective": asked.objective.name,
        "traffic": list(asked.traffic),
        "hosts": found.hosts,
        "sessions": [{**asdict(each), "settings": dict(each.settings)} for each in found.told],
        "seen": list(map(asdict, found.seen)),
        "agreement": list(map(asdict, found.agreement)),
        "sessions_of_other_hosts": found.others,
        "sessions_not_read": found.unread,
        "faults": [each.message for each in found.faults],
        "budget_s": found.budget_s,
    }


def profile(found: Recommendation, name: str) -> Profile:
    """Return the recommended settings as a profile that says where they come from."""
    if found.chosen is None:
        raise UsageError("nothing is recommended")
    host = found.chosen.host or "unknown"
    summary = f"Measured by session {found.chosen.session} on host {host}, not yet on another."
    return Profile(
        name=name, stack=found.asked.stack, settings=found.chosen.settings, summary=summary, place=Place.SESSION
    )


def _recommended(found: Recommendation, chosen: Told) -> Iterator[str]:
    yield f"To try on this host: the profile {chosen.profile} of session {chosen.session}, of {chosen.created_at[:10]}."
    yield (
        "Some of the evidence is of this host, by an earlier session."
        if found.measured_here
        else "It was not measured on this host."
    )
    yield from (f"  {name}={value}" for name, value in sorted(chosen.settings.items()))
    yield ""
    yield f"Evidence: {_counted(found)}. {len(found.improved)} of them found something better than their baseline."
    yield from (f"  {_line(each)}" for each in found.seen)
    held = sum(1 for each in found.seen if each.gain and each.gain.low > 1.0)
    yield f"In {held} of {_many(len(found.seen), 'session')} that measured it, the interval of its gain is above 1."
    yield f"How far apart their winners are: {_spread(found)}"
    yield from (f"  {_agreed(each, len(found.improved))}" for each in found.agreement)
    yield from _hosts(found)


def _nothing(found: Recommendation) -> Iterator[str]:
    if not found.told:
        yield "Nothing is recommended: no finished tuning of a host like this one was asked the same."
    elif not found.improved:
        yield f"Nothing is recommended: {_counted(found)}, and none found anything better than its baseline."
    else:
        yield f"Nothing is recommended: {_counted(found)}; what one found better failed in another."
    yield from _hosts(found)


def _counted(found: Recommendation) -> str:
    return f"{_many(len(found.told), 'finished tuning')} of {_many(found.hosts, 'host')} like this one"


def _line(each: Seen) -> str:
    doubts = f", with {_many(each.doubts, 'warning')}" if each.doubts else ""
    how = f"its verdict{doubts}" if each.judged else f"among what it tried{doubts}"
    gain = _gain(each.gain) if each.gain else "failed"
    return f"session {each.session} on {each.host or 'an unknown host'}: {gain} ({how})"


def _gain(gain: Gain) -> str:
    interval = f", 95 % interval {shown(gain.low)} to {shown(gain.high)}" if gain.blocks > 1 else ""
    blocks = _many(gain.blocks, "block")
    return f"{shown(gain.ratio)} × its baseline there{interval}, {blocks}"


def _spread(found: Recommendation) -> str:
    ratios = [each.gain.ratio for each in found.improved if each.gain]
    if len(ratios) == 1:
        return "there is only one, which shows nothing of that"
    return f"gains of {shown(min(ratios))} to {shown(max(ratios))}, each over the baseline of its own session"


def _agreed(each: Agreement, winners: int) -> str:
    values = ", ".join(each.values[:_MOST_VALUES]) + (", …" if len(each.values) > _MOST_VALUES else "")
    return f"{each.name}: set by {each.winners} of {winners} ({values})"


def _hosts(found: Recommendation) -> Iterator[str]:
    latest = {each.host: each for each in found.told}
    yield from (f"Host {host or 'unknown'}: {each.likeness}" for host, each in latest.items())
    if found.others:
        yield f"{_many(found.others, 'finished session')} asked the same on hosts that are not alike: they have no say."
    if found.unread:
        yield f"{_many(found.unread, 'session')} of hosts like this one are older or have no answer: they have no say."
    if found.faults:
        yield f"Not all sessions can be read, and those have no say: {found.faults[0].message}; `tuner store check` says what is wrong."


def _to_be_sure(found: Recommendation, commands: Mapping[str, str]) -> Iterator[str]:
    yield "To be sure, on this host:"
    if not found.chosen:
        yield f"  {commands['tune']} --budget 3m"
        return
    if commands["write"]:
        yield f"  {commands['write']}"
    yield f"  {commands['compare']} --budget {found.budget_s:.0f}s"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
