"""Who disturbed a session's blocks, summed up: in records, in words, and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from tuner.errors import Finding, doubt
from tuner.figures import shown
from tuner.session.answer.parts import Disturber, HostCalm
from tuner.session.measuring.culprits import Cause, Culprit
from tuner.terminal_text import shown as safe

MOST_NAMED: Final = 4
MOST_DOUBTS: Final = 3


def disturbers(found: Mapping[int, Sequence[Culprit]], measured: Collection[int]) -> tuple[Disturber, ...]:
    """Return the culprits of blocks, each once, those of most blocks first."""
    groups: dict[tuple[Cause, str, str, str | None], dict[int, list[Culprit]]] = defaultdict(lambda: defaultdict(list))
    for block, culprits in found.items():
        for each in culprits:
            groups[each.cause, each.name, each.line, each.at][block].append(each)
    rows = [_summed(blocks, measured) for blocks in groups.values()]
    return tuple(sorted(rows, key=lambda row: (-row.blocks, -row.most)))


def _summed(blocks: Mapping[int, Sequence[Culprit]], measured: Collection[int]) -> Disturber:
    every = [each for culprits in blocks.values() for each in culprits]
    worst = (min if every[0].cause is Cause.FREQUENCY else max)(every, key=lambda each: each.most)
    alone = len({each.pid for each in every}) == 1
    return Disturber(
        cause=worst.cause,
        blocks=len(blocks),
        most=worst.most,
        advice=_advice(worst, measured, alone=alone),
        name=safe(worst.name) if worst.name else "",
        pid=worst.pid if alone else None,
        cpu=worst.cpu,
        line=worst.line,
        usual=worst.usual,
        at=worst.at,
    )


_ADVICE: Final[Mapping[Cause, str]] = {
    Cause.STEAL: "move the virtual machine to a host with free CPUs, or give it CPUs of its own",
    Cause.THROTTLING: "check cooling and power limits: `turbostat` shows them",
    Cause.MIGRATIONS: "give each busy thread one CPU with --server-cpus and --server-threads",
    Cause.FREQUENCY: "`cpupower frequency-set -g performance`",
    Cause.SOFTIRQS: "find the device that raises it in /proc/interrupts and keep its interrupts off the measured CPUs",
    Cause.SHORT_PROGRAMS: "stop builds, cron jobs and scripts meanwhile: `execsnoop` (bcc) shows who starts them",
    Cause.UNKNOWN_PROGRAMS: "`pidstat 1` or `top` shows who they are; isolate the measured CPUs with the boot parameter isolcpus=",
}


def _advice(found: Culprit, measured: Collection[int], *, alone: bool) -> str:
    """Return what to do about a culprit; a command is exact where a CPU is known that nothing is measured on."""
    spare = 0 if measured and 0 not in measured else None
    if found.cause is Cause.INTERRUPTS:
        return _pin_away(found.line, spare)
    return _ADVICE.get(found.cause) or _keep_off(found.pid if alone else None, spare)


def _keep_off(pid: int | None, spare: int | None) -> str:
    if pid is None or spare is None:
        return "stop it while measuring, or isolate the measured CPUs with the boot parameter isolcpus="
    return f"stop it while measuring, or keep it off the measured CPUs: `taskset -acp {spare} {pid}`"


def _pin_away(line: str, spare: int | None) -> str:
    if spare is None:
        return f"stop irqbalance and give interrupt {line} to a CPU that is not measured: /proc/irq/{line}/smp_affinity_list"
    return f"`systemctl stop irqbalance; echo {spare} > /proc/irq/{line}/smp_affinity_list` as root"


def sentence(host: HostCalm) -> str:
    """Return how many blocks were disturbed and by whom; empty where none was."""
    if not host.disturbed:
        return ""
    what = f"{host.disturbed} of {host.blocks} {'block was' if host.blocks == 1 else 'blocks were'} disturbed"
    return f"{what}: {', '.join(_named(host.culprits) if host.culprits else _reasons(host))}"


def of_block(culprits: Sequence[Culprit]) -> list[str]:
    """Return the culprits of one block in words."""
    return [_who(each) for each in disturbers({0: culprits}, ())]


def advice(host: HostCalm) -> list[str]:
    """Return what to do about what disturbed most, each advice once, behind whom it is about."""
    about: dict[str, dict[str, None]] = defaultdict(dict)
    for each in ((*(host.culprits or ()), *(host.unusual or ())))[:MOST_NAMED]:
        about[each.advice][each.name or each.cause.value] = None
    return [f"{', '.join(names)}: {what}" for what, names in about.items()]


def standing_out(host: HostCalm) -> str:
    """Return what was unusual in other blocks; empty where nothing was."""
    return f"unusual, but not discarded: {', '.join(_named(host.unusual))}" if host.unusual else ""


def _named(found: Sequence[Disturber]) -> list[str]:
    said = [f"{each.blocks} by {_who(each)}" for each in found[:MOST_NAMED]]
    return [*said, f"others: {len(found) - MOST_NAMED}"] if len(found) > MOST_NAMED else said


def _reasons(host: HostCalm) -> list[str]:
    return [f"{reason} ({count})" for reason, count in host.reasons.items()]


def _who(found: Disturber) -> str:
    """Return a culprit in words, with its number."""
    where = f" at the {safe(found.at)}" if found.at else ""
    return f"{_WORDS[found.cause](found)}{where}"


def _program(found: Disturber) -> str:
    number = "" if found.pid is None else f" (pid {found.pid})"
    return f"{found.name}{number} with up to {_percent(found.most)} of {_cpu(found)}"


def _cpu(found: Disturber) -> str:
    return "a CPU" if found.cpu is None else f"CPU {found.cpu}"


def _often(found: Disturber) -> str:
    return f"{shown(found.most)} times a second{_instead(found, '.0f')}"


def _instead(found: Disturber, form: str) -> str:
    return "" if found.usual is None else f" (usually {found.usual:{form}})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


_WORDS: Final[Mapping[Cause, Callable[[Disturber], str]]] = {
    Cause.STEAL: lambda each: f"steal (up to {_percent(each.most)})",
    Cause.THROTTLING: lambda each: f"throttling of the CPU ({each.most:.0f} times)",
    Cause.PROGRAM: _program,
    Cause.SHORT_PROGRAMS: lambda each: f"short-lived programs ({each.most:.0f} were started in one run)",
    Cause.UNKNOWN_PROGRAMS: lambda each: (
        f"programs that could not be named (up to {_percent(each.most)} of the measured CPUs)"
    ),
    Cause.INTERRUPTS: lambda each: f"interrupt {each.line} ({each.name}), {_often(each)}",
    Cause.SOFTIRQS: lambda each: f"softirq {each.name}, {_often(each)}",
    Cause.PREEMPTION: lambda each: f"preemption of the measured programs, {_often(each)}",
    Cause.MIGRATIONS: lambda each: f"migrations of the server's threads, {_often(each)}",
    Cause.FREQUENCY: lambda each: f"a CPU frequency of {each.most:.2f} GHz{_instead(each, '.2f')}",
}


def doubts(host: HostCalm) -> list[Finding]:
    """Return the most frequent disturbances as reasons for doubt, each with what to do about it."""
    worst = (host.culprits or ())[:MOST_DOUBTS]
    return [
        doubt(f"{each.blocks} of {host.blocks} blocks were disturbed by {_who(each)}", each.advice) for each in worst
    ]
