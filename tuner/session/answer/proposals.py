"""How many candidates a session's search proposed, measured and turned down, and why: part of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tuner.errors import Finding, doubt
from tuner.records import Role, Status
from tuner.session.answer.parts import Searched, TurnedDown
from tuner.session.measuring import proposals
from tuner.session.measuring.ledger import Ledger

MOST_COUNTED: Final = 5


def searched(ledger: Ledger, left_out: Sequence[str]) -> Searched:
    """Return what became of the candidates of a session; `left_out` is what its space could not hold."""
    candidates = [trial.number for trial in ledger.trials if trial.role is Role.CANDIDATE]
    measured = [number for number in candidates if ledger.phases_of(number)]
    whole = proposals.told(ledger.runs)
    common = whole.turned_down.most_common(MOST_COUNTED)
    return Searched(
        proposed=len(candidates),
        measured=len(measured),
        failed=sum(ledger.status(number) is not Status.OK for number in measured),
        turned_down=whole.turned_down.total(),
        reasons=tuple(TurnedDown(what, count, whole.examples[what]) for what, count in common),
        used_up=whole.used_up,
        left_out=tuple(left_out),
    )


def sentences(found: Searched) -> Iterator[str]:
    """Yield the account in words, a sentence a line."""
    counts = f"{found.proposed} candidates were proposed, {found.measured} measured ({found.failed} failed)"
    yield f"{counts}, and {found.turned_down} rejected before they were run."
    for reason in found.reasons:
        yield f"{reason.count} rejected because of {reason.what}: {reason.example}."
    if found.used_up:
        yield "The search space was used up: every candidate that can run had been proposed."
    for line in found.left_out:
        yield f"{line}."


def doubts(found: Searched) -> Iterator[Finding]:
    """Yield that nothing was searched, nothing where something was."""
    if found.measured:
        return
    if found.used_up:
        yield doubt("the search measured no candidate: none that can run was left", "widen the space with --space")
    else:
        yield doubt("the search measured no candidate: the known profiles took all its time", "use a larger --budget")
