"""In which Onload stack a new socket lands: a model of `onload_set_stackname()` and its three variables.

What the guide says is followed. Where the public source of 8.1 to 9.2 does something else, the step says so.
Stacks are told apart by their whole name with its suffix, and where that has none, by what shares it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tuner.errors import Finding, error, warning
from tuner.stacks.onload.naming import ACCEPTED_BYTES, Naming, Scope, Who, read, variable_findings

UNNAMED: Final = "-"
_KERNEL: Final = ""
_PLACE: Final = re.compile(r"\s*(?P<part>(?:thread|process|user|t|p|u)\s*\d{1,9})\s*(?:of\s+|,\s*)?", re.IGNORECASE)
_CALL: Final = re.compile(
    r'(?:onload_set_stackname\s*\()?\s*(?P<who>\w+)\s*,\s*(?P<scope>\w+)\s*,\s*(?:"(?P<name>[^"]*)"|(?P<word>\w*))\s*\)?;?'
)
_ACTION: Final = re.compile(r"(?P<verb>socket|pipe|listen|accept|move)\s*(?:\(\s*)?s?(?P<number>\d{1,6})?\s*\)?;?")


@dataclass(frozen=True, slots=True)
class Place:
    """Who makes a call: a thread of a process of a user, by their numbers."""

    thread: int = 1
    process: int = 1
    user: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call in the order of time: a `naming`, or a verb (socket, pipe, listen, accept, move) and a socket's number."""

    text: str
    place: Place
    naming: Naming | None = None
    verb: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of a step.

    `result` is `ok`, an errno, or the socket made (`socket 1`); `stack` is the stack of that socket as tools show it
    (`-` without a name), None for a kernel socket and where no socket is made. `group` is equal where two sockets
    share a stack.
    """

    step: Step
    result: str
    stack: str | None
    accelerated: bool | None
    group: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every step and what became of it, and what is wrong or doubtful."""

    landings: tuple[Landing, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _State:
    """What has been chosen so far, by whom, and where each socket lies."""

    variables: Mapping[str, str]
    all_threads: dict[int, Naming] = field(default_factory=dict)
    threads: dict[Place, Naming] = field(default_factory=dict)
    sockets: list[Landing] = field(default_factory=list)
    listener: int | None = None
    findings: list[Finding] = field(default_factory=list)


def explain(calls: Sequence[str], variables: Mapping[str, str]) -> Explanation:
    """Return in which stack each new socket of `calls` lands, given the variables of the processes.

    A call is `WHO, SCOPE, "NAME"` as `onload_set_stackname()` takes it, or `socket`, `pipe`, `listen`, `accept` and
    `move` with the number of a socket; in front may stand who makes it (`thread 2:`, `process 7 thread 9:`, `t2 p7
    u1000:`). Where no call makes a socket, each thread that is named makes one at the end.
    """
    findings = variable_findings(variables)
    steps, unread = _steps(calls)
    state = _State(variables, findings=[*findings, *unread])
    landings = [_taken(step, state) for step in [*steps, *_final_sockets(steps)]]
    return Explanation(tuple(landings), tuple(state.findings))


def _final_sockets(steps: Sequence[Step]) -> list[Step]:
    """Return a new socket for each thread that is named, where the calls themselves make none."""
    if any(step.verb in {"socket", "pipe"} for step in steps):
        return []
    places = dict.fromkeys(step.place for step in steps) or {Place(): None}
    return [Step("socket", place, verb="socket") for place in places]


def _steps(calls: Iterable[str]) -> tuple[list[Step], list[Finding]]:
    steps: list[Step] = []
    findings: list[Finding] = []
    for number, text in enumerate(calls, 1):
        place, rest = _placed(text)
        where = f"call {number}"
        if action := _ACTION.fullmatch(rest.strip()):
            chosen = int(action["number"]) if action["number"] else None
            steps.append(Step(text.strip(), place, verb=action["verb"], number=chosen))
        elif call := _CALL.fullmatch(rest.strip()):
            name = call["word"] if call["name"] is None else call["name"]
            made, wrong = read(call["who"], call["scope"], name, where)
            findings += wrong
            steps.append(Step(text.strip(), place, naming=made))
        else:
            hint = "write 'this_thread, process, \"foo\"', or socket, pipe, listen, accept or move with a number"
            findings.append(error(where, f"{text.strip()!r} is no call", hint))
    return steps, findings


def _placed(text: str) -> tuple[Place, str]:
    head, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(rf"(?:{_PLACE.pattern})+", head, re.IGNORECASE):
        return Place(), text
    place = Place()
    for part in _PLACE.finditer(head):
        letter, number = part["part"][0].lower(), int(re.sub(r"\D", "", part["part"]))
        place = replace(place, **{{"t": "thread", "p": "process", "u": "user"}[letter]: number})
    return place, rest


def _taken(step: Step, state: _State) -> Landing:
    if step.verb in {"socket", "pipe"}:
        return _made(step, state)
    if step.verb:
        return _moved(step, state)
    if step.naming is None:
        return Landing(step, "EINVAL", None, None, "", "Onload refuses words that it does not know: nothing changes")
    refused = step.naming.refusal()
    if refused:
        return Landing(step, refused, None, None, "", "the call is refused and nothing changes")
    return Landing(step, "ok", None, None, "", _named(step.naming, step.place, state))


def _named(naming: Naming, place: Place, state: _State) -> str:
    """Take a choice, or take one back, and return what that means."""
    if naming.scope is Scope.NOCHANGE:
        own = state.threads.pop(place, None)
        left = "gives its own choice up and" if own else "has no choice of its own and"
        return f"the thread {left} does what all threads of its process do"
    if naming.who is Who.THIS_THREAD:
        state.threads[place] = naming
        return "new sockets of this thread follow it; sockets that exist stay where they are"
    state.all_threads[place.process] = naming
    if place in state.threads:
        message = "this thread has a choice of its own, which the guide lets win; the code of 8.1 to 9.2 drops it here"
        hint = 'call (all_threads, nochange, "") first where the thread should follow'
        state.findings.append(warning(str(naming), message, hint))
    return "new sockets of all threads of this process follow it, but for threads with a choice of their own"


def _made(step: Step, state: _State) -> Landing:
    stack, group, why = _place_of(step.place, state)
    number = len(state.sockets) + 1
    accelerated = group != _KERNEL
    landing = Landing(step, f"{step.verb} {number}", stack if accelerated else None, accelerated, group, why)
    state.sockets.append(landing)
    return landing


def _moved(step: Step, state: _State) -> Landing:
    """Carry out listen, accept and move, which concern a socket that is there."""
    chosen = step.number or (state.listener if step.verb == "accept" else len(state.sockets))
    if not chosen or chosen > len(state.sockets):
        missing = f"there is no socket {chosen}" if chosen else "there is no socket yet"
        state.findings.append(error(step.text, missing, "make one before with `socket`, and `listen` before `accept`"))
        return Landing(step, "EBADF", None, None, "", missing)
    old = state.sockets[chosen - 1]
    if step.verb == "listen":
        state.listener = chosen
        return replace(old, step=step, result="ok", why=f"socket {chosen} stays in its stack")
    if step.verb == "accept":
        why = f"an accepted socket lies where its listener does (socket {chosen}), whatever name is set and whoever accepts"
        landing = replace(old, step=step, result=f"socket {len(state.sockets) + 1}", why=why)
        state.sockets.append(landing)
        return landing
    stack, group, why = _place_of(step.place, state)
    result = Landing(
        step, "ok", stack if group else None, bool(group), group, f"socket {chosen} is moved, not copied: {why}"
    )
    state.sockets[chosen - 1] = replace(result, result=f"socket {chosen}")
    return result


def _place_of(place: Place, state: _State) -> tuple[str, str, str]:
    """Return the shown name, the group and the reason for a new socket, the strongest choice first."""
    own = state.threads.get(place)
    if own is not None:
        return _scoped(own, place, f"this thread chose it: {own}")
    common = state.all_threads.get(place.process)
    if common is not None:
        return _scoped(common, place, f"all threads of the process follow {common}")
    if state.variables.get("EF_DONT_ACCELERATE") == "1":
        return "", _KERNEL, "EF_DONT_ACCELERATE=1 leaves new sockets to the kernel"
    name = state.variables.get("EF_NAME", "").encode()[:ACCEPTED_BYTES].decode(errors="replace")
    if state.variables.get("EF_STACK_PER_THREAD") == "1":
        because = "EF_STACK_PER_THREAD=1 gives each thread a stack" + (", EF_NAME only begins its name" if name else "")
        return _scoped(Naming(Who.ALL_THREADS, Scope.THREAD, name), place, because)
    if name:
        return _scoped(
            Naming(Who.ALL_THREADS, Scope.GLOBAL, name), place, f"EF_NAME={name} names the stack for everybody"
        )
    return UNNAMED, f"process {place.process}", "nothing is chosen: one stack without a name for each process"


def _scoped(naming: Naming, place: Place, why: str) -> tuple[str, str, str]:
    """Return where a choice leads: its name gets a suffix for what shares it, as the code of 8.1 to 9.2 writes it."""
    if naming.name is None:
        return "", _KERNEL, f"{why}: the socket is the kernel's"
    suffix, sharers = {
        Scope.THREAD: (f"-t{place.thread}", f"thread {place.thread}"),
        Scope.PROCESS: (f"-p{place.process}", f"process {place.process}"),
        Scope.USER: (f"-u{place.user}", f"user {place.user}"),
    }.get(naming.scope, ("", "everybody, other users only with EF_SHARE_WITH"))
    shown = naming.name + suffix
    if not shown:
        return UNNAMED, f"process {place.process}", f"{why}: without a name"
    return shown, shown, f"{why}; shared by {sharers}"
