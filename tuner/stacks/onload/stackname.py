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
from tuner.stacks.onload.naming import ACCEPTED_BYTES, CLUSTER_BYTES, Naming, Scope, Who, read, variable_findings

UNNAMED: Final = "-"
_KERNEL: Final = ""
_PLACE: Final = re.compile(r"\s*(?P<part>(?:thread|process|user|t|p|u)\s*\d{1,9})\s*(?:of\s+|,\s*)?", re.IGNORECASE)
_CALL: Final = re.compile(
    r'(?:onload_set_stackname\s*\()?\s*(?P<who>\w+)\s*,\s*(?P<scope>\w+)\s*,\s*(?:"(?P<name>[^"]*)"|(?P<word>\w*))\s*\)?;?'
)
_ACTION: Final = re.compile(
    r"(?:onload_stackname_(?=save|restore))?(?P<verb>socket|pipe|listen|accept|move|reuseport|save|restore)"
    r"\s*(?:\(\s*)?s?(?P<number>\d{1,6})?\s*\)?;?"
)
_ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Who makes a call: a thread of a process of a user, by their numbers."""

    thread: int = 1
    process: int = 1
    user: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call in the order of time: a `naming`, or a verb (socket, pipe, listen, accept, …) and a socket's number."""

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
    """What has been chosen so far, by whom, and where each socket lies.

    `last` is what each thread itself chose last, `saved` what it put aside. `owners` are the users that made the stacks,
    by group, `members` the processes (or threads) that have a stack of the cluster, in their order.
    """

    variables: Mapping[str, str]
    all_threads: dict[int, Naming] = field(default_factory=dict)
    threads: dict[Place, Naming] = field(default_factory=dict)
    last: dict[Place, Naming] = field(default_factory=dict)
    saved: dict[Place, list[Naming]] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    sockets: list[Landing] = field(default_factory=list)
    listener: int | None = None
    findings: list[Finding] = field(default_factory=list)


def explain(calls: Sequence[str], variables: Mapping[str, str]) -> Explanation:
    """Return in which stack each new socket of `calls` lands, given the variables of the processes.

    A call is `WHO, SCOPE, "NAME"` as `onload_set_stackname()` takes it, `save` and `restore` as
    `onload_stackname_save()` and `onload_stackname_restore()`, or `socket`, `pipe`, `listen`, `accept`, `move` and
    `reuseport` (a bind with SO_REUSEPORT) with the number of a socket; in front may stand who makes it (`thread 2:`, `process 7 thread 9:`, `t2 p7
    u1000:`). Where no call makes a socket, each thread that is named makes one at the end.
    """
    steps, unread = _steps(calls)
    named = any(step.naming or step.verb in {"save", "restore"} for step in steps)
    findings = variable_findings(variables, named=named)
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
            hint = "write 'this_thread, process, \"foo\"', save, restore, or socket, pipe, listen, accept, move or reuseport"
            findings.append(error(where, f"{text.strip()!r} is not a call", hint))
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
    if step.verb in {"save", "restore"}:
        return _saved(step, state) if step.verb == "save" else _restored(step, state)
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
    state.last[place] = naming
    if naming.scope is Scope.NOCHANGE:
        own = state.threads.pop(place, None)
        left = "gives up its own choice and" if own else "has no choice of its own and"
        return f"the thread {left} follows all threads of its process"
    if naming.who is Who.THIS_THREAD:
        state.threads[place] = naming
        return "new sockets of this thread follow it; sockets that exist stay where they are"
    state.all_threads[place.process] = naming
    if place in state.threads:
        message = "this thread has a choice of its own, which wins according to the guide; the code of 8.1 to 9.2 drops it here"
        hint = 'call (all_threads, nochange, "") first where the thread should follow'
        state.findings.append(warning(str(naming), message, hint))
    return "new sockets of all threads of this process follow it, but for threads with a choice of their own"


def _saved(step: Step, state: _State) -> Landing:
    """`onload_stackname_save()`: a thread puts its choice, or else what all threads do, on a pile of its own."""
    own = state.threads.get(step.place) or state.all_threads.get(step.place.process) or _chosen_by_variables(state)
    last = state.last.get(step.place)
    if (
        last != own
        and not (last is not None and last.scope is Scope.NOCHANGE)
        and step.place.process in state.all_threads
    ):
        message = (
            "another thread chose for all; the code of 8.1 to 9.2 saves what this thread itself chose or was given"
        )
        state.findings.append(warning(step.text, message, "save in the thread that called onload_set_stackname()"))
    state.saved.setdefault(step.place, []).append(own)
    return Landing(step, "ok", None, None, "", f"{own} is saved for this thread")


def _restored(step: Step, state: _State) -> Landing:
    """`onload_stackname_restore()`: what the thread saved last is called again, and so may concern all threads."""
    pile = state.saved.get(step.place)
    if not pile:
        return Landing(step, "EINVAL", None, None, "", "this thread has saved nothing")
    naming = pile.pop()
    if naming.who is Who.ALL_THREADS:
        state.threads.pop(step.place, None)
    return Landing(step, "ok", None, None, "", f"as {naming}: {_named(naming, step.place, state)}")


def _chosen_by_variables(state: _State) -> Naming:
    """Return the call that says the same as EF_DONT_ACCELERATE, EF_STACK_PER_THREAD and EF_NAME."""
    per_thread = state.variables.get("EF_STACK_PER_THREAD") == "1"
    scope = Scope.THREAD if per_thread else Scope.GLOBAL
    control = state.variables.get("EF_DONT_ACCELERATE") == "1"
    return Naming(Who.ALL_THREADS, scope, None if control else _ef_name(state))


def _ef_name(state: _State) -> str:
    return state.variables.get("EF_NAME", "").encode()[:ACCEPTED_BYTES].decode(errors="replace")


def _made(step: Step, state: _State) -> Landing:
    stack, group, why = _place_of(step.place, state)
    number = len(state.sockets) + 1
    if not _may_join(group, step.place.user, state):
        refused = f"EACCES: the stack {stack} is that of user {state.owners[group]}, and EF_SHARE_WITH does not name {step.place.user}"
        if state.variables.get("EF_NO_FAIL") == "0":
            return Landing(step, "EACCES", None, None, "", f"{refused}; with EF_NO_FAIL=0 the call fails")
        state.findings.append(
            warning(step.text, refused, "set EF_SHARE_WITH where the stack is made (no huge pages then)")
        )
        group, why = _KERNEL, f"{refused}: the socket is the kernel's"
    elif group:
        state.owners.setdefault(group, step.place.user)
    accelerated = group != _KERNEL
    landing = Landing(step, f"{step.verb} {number}", stack if accelerated else None, accelerated, group, why)
    state.sockets.append(landing)
    return landing


def _may_join(group: str, user: int, state: _State) -> bool:
    """Return whether a user may use a stack that is there: its maker, root, and whom EF_SHARE_WITH names (-1: everybody)."""
    shared = state.variables.get("EF_SHARE_WITH", "0")
    return user in {state.owners.get(group, user), _ROOT} or shared == "-1" or (shared == str(user) and user != _ROOT)


def _clustered(step: Step, number: int, state: _State) -> Landing:
    """A bind with SO_REUSEPORT moves a socket into a stack of the cluster, where there are clusters."""
    old = state.sockets[number - 1]
    size = state.variables.get("EF_CLUSTER_SIZE", "0")
    if size == "0" or state.variables.get("EF_CLUSTER_IGNORE") == "1" or not old.accelerated:
        return replace(
            old, step=step, result="ok", why=f"no clusters (EF_CLUSTER_SIZE): socket {number} stays where it is"
        )
    per_thread = state.variables.get("EF_STACK_PER_THREAD") == "1"
    who = f"process {step.place.process}" + (f" thread {step.place.thread}" if per_thread else "")
    if who not in state.members:
        state.members.append(who)
    member = state.members.index(who)
    if size.isdecimal() and member >= int(size):
        message = f"{who} is one more than the {size} stacks of the cluster: it gets none of its own"
        state.findings.append(error(step.text, message, "set EF_CLUSTER_SIZE to the number of processes that listen"))
        return replace(old, step=step, result="error", why=message)
    name = state.variables.get("EF_CLUSTER_NAME", "")[:CLUSTER_BYTES]
    shown = f"{name}-c{member}"
    sharers = f"the cluster {name}" if name else "a cluster without a name: only of this process and its children"
    why = f"SO_REUSEPORT and EF_CLUSTER_SIZE={size}: moved into a stack of {sharers}; connections are spread over its stacks"
    landing = replace(old, step=step, stack=shown, group=shown if name else f"{who}: {shown}", why=why)
    state.sockets[number - 1] = replace(landing, result=f"socket {number}")
    return replace(landing, result="ok")


def _moved(step: Step, state: _State) -> Landing:
    """Carry out listen, accept, move and reuseport, which concern a socket that is there."""
    chosen = step.number or (state.listener if step.verb == "accept" else len(state.sockets))
    if not chosen or chosen > len(state.sockets):
        missing = f"there is no socket {chosen}" if chosen else "there is no socket yet"
        state.findings.append(error(step.text, missing, "make one before with `socket`, and `listen` before `accept`"))
        return Landing(step, "EBADF", None, None, "", missing)
    old = state.sockets[chosen - 1]
    if step.verb == "reuseport":
        return _clustered(step, chosen, state)
    if step.verb == "listen":
        state.listener = chosen
        return replace(old, step=step, result="ok", why=f"socket {chosen} stays in its stack")
    if step.verb == "accept":
        why = f"an accepted socket is in the stack of its listener (socket {chosen}), whatever name is set and whoever accepts"
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
    name = _ef_name(state)
    if state.variables.get("EF_STACK_PER_THREAD") == "1":
        because = "EF_STACK_PER_THREAD=1 gives each thread a stack" + ("; its name begins with EF_NAME" if name else "")
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
