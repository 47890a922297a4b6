"""The words of `onload_set_stackname(who, scope, name)`, read strictly, and its three variables.

Facts: Onload User Guide (UG1586), onload_set_stackname, and the public source of Onload 8.1 to 9.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tuner.errors import Finding, UsageError, did_you_mean, error, nearest, warning

DONT_ACCELERATE: Final = "ONLOAD_DONT_ACCELERATE"
DOCUMENTED_BYTES: Final = 8
"""The longest name that the guide promises."""
ACCEPTED_BYTES: Final = 16
"""The longest name that the code takes, in every release from 8.1 on."""
_VARIABLE: Final = "TUNER_STACKNAME"
TOLD: Final = (_VARIABLE, f"{_VARIABLE}_WHO", f"{_VARIABLE}_SCOPE")
"""The variables of our preloaded library that makes the call."""


class Who(StrEnum):
    """Whose new sockets a call concerns."""

    THIS_THREAD = "this_thread"
    ALL_THREADS = "all_threads"


class Scope(StrEnum):
    """Who shares a name; NOCHANGE takes an earlier choice back."""

    NOCHANGE = "nochange"
    THREAD = "thread"
    PROCESS = "process"
    USER = "user"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Naming:
    """One call: `name` is None for ONLOAD_DONT_ACCELERATE, empty for no name."""

    who: Who
    scope: Scope
    name: str | None

    def refusal(self) -> str:
        """Return the `errno` with which Onload refuses the call, empty when it takes it."""
        if self.who is Who.THIS_THREAD and self.scope is Scope.NOCHANGE:
            return "EINVAL"
        if self.name is not None and self.name.startswith("\x01"):
            return "EINVAL"
        long = self.name is not None and len(self.name.encode()) > ACCEPTED_BYTES
        return "ENAMETOOLONG" if long else ""

    def variables(self) -> dict[str, str]:
        """Return what tells our preloaded library to make this call."""
        name = DONT_ACCELERATE if self.name is None else self.name
        numbers = {"WHO": list(Who).index(self.who), "SCOPE": list(Scope).index(self.scope)}
        return {_VARIABLE: name} | {f"{_VARIABLE}_{key}": str(number) for key, number in numbers.items()}

    def __str__(self) -> str:
        name = DONT_ACCELERATE if self.name is None else f'"{self.name}"'
        return f"onload_set_stackname({self.who}, {self.scope}, {name})"


def read(who: str, scope: str, name: str, where: str) -> tuple[Naming | None, tuple[Finding, ...]]:
    """Return the call that three words describe, None when they describe none, and what is wrong or doubtful.

    `who` and `scope` may be written as in C (`ONLOAD_ALL_THREADS`, `ONLOAD_SCOPE_USER`); `where` names the place.
    """
    findings = [
        *_unknown(who, Who, "ONLOAD_", f"{where}: who"),
        *_unknown(scope, Scope, "ONLOAD_SCOPE_", f"{where}: scope"),
    ]
    if findings:
        return None, tuple(findings)
    naming = Naming(
        Who(_plain(who, "ONLOAD_")),
        Scope(_plain(scope, "ONLOAD_SCOPE_")),
        None if name in {DONT_ACCELERATE, "NULL"} else name,
    )
    return naming, tuple(name_findings(naming, where))


def naming(who: str, scope: str, name: str) -> Naming:
    """Return the call of three options; raise `UsageError` with everything that keeps Onload from taking it."""
    found, findings = read(who, scope, name, "--stackname")
    if found is None or found.refusal() or (found.scope is Scope.NOCHANGE and found.who is Who.ALL_THREADS):
        more = findings or (error("--stackname-scope", "nochange undoes an earlier choice, and there is none"),)
        raise UsageError("Onload would refuse this name", findings=more)
    return found


def name_findings(call: Naming, where: str) -> list[Finding]:
    """Return what is wrong or doubtful about a call: refused ones are errors."""
    name = call.name or ""
    length = len(name.encode())
    if call.who is Who.THIS_THREAD and call.scope is Scope.NOCHANGE:
        hint = 'to make a thread follow all threads again, use (all_threads, nochange, "")'
        return [error(f"{where}: scope", "EINVAL: this_thread and nochange do not go together", hint)]
    if length > ACCEPTED_BYTES:
        message = f"ENAMETOOLONG: {name!r} has {length} bytes; Onload accepts at most {ACCEPTED_BYTES}"
        return [error(f"{where}: name", message, f"use at most {DOCUMENTED_BYTES}: {name[:DOCUMENTED_BYTES]}")]
    if call.refusal():
        return [error(f"{where}: name", "EINVAL: a name does not begin with the byte 1", "use letters and digits")]
    return _doubtful(name, length, where)


def variable_findings(
    variables: Mapping[str, str], where: str = "environment", *, named: bool = False
) -> list[Finding]:
    """Return what is wrong or doubtful about the variables that say in which stack a socket lands, and about others.

    `named` is whether the program names its stacks itself.
    """
    found = []
    for name, value in variables.items():
        if name not in VARIABLES:
            found.append(error(f"{where}: {name}", "does not name stacks", f"known: {', '.join(VARIABLES)}"))
        elif name in _SWITCHES and value not in {"0", "1"}:
            found.append(
                error(f"{where}: {name}", f"{value!r} is not a valid value: the lowest bit counts", "write 0 or 1")
            )
        elif name in _NUMBERS and not re.fullmatch(_NUMBERS[name], value, re.ASCII):
            found.append(error(f"{where}: {name}", f"{value!r} is not a valid value", f"write {_NUMBER_WORDS[name]}"))
    if "EF_NAME" in variables:
        found += _ef_name(variables["EF_NAME"], f"{where}: EF_NAME")
    if "EF_CLUSTER_NAME" in variables:
        found += _cluster_name(variables, f"{where}: EF_CLUSTER_NAME")
    return found + _together(variables, where, named=named)


CLUSTER_BYTES: Final = 13
"""Of the name of a cluster: more are cut off without a word."""
_SCALABLE_BYTES: Final = 5
_MANY: Final = 9
_SWITCHES: Final = ("EF_STACK_PER_THREAD", "EF_DONT_ACCELERATE", "EF_NO_FAIL", "EF_CLUSTER_IGNORE")
_NUMBERS: Final = {
    "EF_SHARE_WITH": r"-1|[0-9]{1,10}",
    "EF_CLUSTER_SIZE": r"[0-9]{1,10}",
    "EF_SCALABLE_FILTERS_ENABLE": r"[012]",
}
_NUMBER_WORDS: Final = {
    "EF_SHARE_WITH": "the number of a user, 0 for root alone or -1 for everybody",
    "EF_CLUSTER_SIZE": "the number of stacks, 0 for no clusters",
    "EF_SCALABLE_FILTERS_ENABLE": "0, 1 or 2",
}
VARIABLES: Final = (
    "EF_NAME",
    "EF_STACK_PER_THREAD",
    "EF_DONT_ACCELERATE",
    "EF_SHARE_WITH",
    "EF_NO_FAIL",
    "EF_CLUSTER_NAME",
    "EF_CLUSTER_SIZE",
    "EF_CLUSTER_IGNORE",
    "EF_SCALABLE_FILTERS",
    "EF_SCALABLE_FILTERS_ENABLE",
)


def _cluster_name(variables: Mapping[str, str], where: str) -> list[Finding]:
    """Return what Onload cuts off the name of a cluster: it has less room where filters are scalable."""
    name, size = variables["EF_CLUSTER_NAME"], variables.get("EF_CLUSTER_SIZE", "0")
    length, most = len(name.encode()), CLUSTER_BYTES
    if variables.get("EF_SCALABLE_FILTERS"):
        most = _SCALABLE_BYTES - (size.isdecimal() and int(size) > _MANY)
    found = []
    if length > most:
        cut = name.encode()[:most].decode(errors="replace")
        found.append(error(where, f"{name!r} has {length} bytes: Onload cuts it to {cut!r}", f"use at most {most}"))
    if size == "0":
        found.append(warning(where, "names a cluster, and there is none", "set EF_CLUSTER_SIZE"))
    return found


def _together(variables: Mapping[str, str], where: str, *, named: bool) -> list[Finding]:
    """Return combinations that Onload refuses or that undo each other. Source: the code of 8.1 to 9.2."""
    found = []
    enabled = variables.get("EF_SCALABLE_FILTERS_ENABLE", "1" if variables.get("EF_SCALABLE_FILTERS") else "0")
    if variables.get("EF_STACK_PER_THREAD") == "1" and enabled != "0":
        found.append(
            error(f"{where}: EF_STACK_PER_THREAD", "does not go together with scalable filters", "leave one out")
        )
    if variables.get("EF_NAME") and enabled == "1" and "rss" in variables.get("EF_SCALABLE_FILTERS", ""):
        found.append(error(f"{where}: EF_NAME", "stacks cannot be named with scalable filters of rss", "leave one out"))
    if named and enabled == "2":
        message = "does not go together with onload_set_stackname()"
        found.append(error(f"{where}: EF_SCALABLE_FILTERS_ENABLE", message, "use 1, or name no stacks"))
    if variables.get("EF_SHARE_WITH", "0") != "0":
        message = "disables huge pages, and everyone who shares the stack can read and forge its traffic"
        found.append(warning(f"{where}: EF_SHARE_WITH", message))
    return found


def _ef_name(name: str, where: str) -> list[Finding]:
    length = len(name.encode())
    if name.startswith("\x01"):
        return [
            error(where, "begins with the byte 1, which means that nothing is accelerated", "use letters and digits")
        ]
    if length > ACCEPTED_BYTES:
        cut = name.encode()[:ACCEPTED_BYTES].decode(errors="replace")
        message = f"{name!r} has {length} bytes: Onload silently cuts it to {cut!r}"
        return [error(where, message, f"use at most {DOCUMENTED_BYTES}")]
    return _doubtful(name, length, where)


def _doubtful(name: str, length: int, where: str) -> list[Finding]:
    if re.search(r"\s", name):
        return [error(where, f"{name!r} has a blank, which no tool of Onload can show", "use letters and digits")]
    if length > DOCUMENTED_BYTES:
        message = (
            f"{name!r} has {length} bytes: {DOCUMENTED_BYTES} are documented; more are accepted but not guaranteed"
        )
        return [warning(where, message, f"use at most {DOCUMENTED_BYTES}")]
    return []


def _plain(word: str, prefix: str) -> str:
    return word.strip().casefold().removeprefix(prefix.casefold())


def _unknown(word: str, known: type[Who | Scope], prefix: str, where: str) -> list[Finding]:
    words = [str(each) for each in known]
    plain = _plain(word, prefix)
    if plain in words:
        return []
    hint = did_you_mean(plain, words) if nearest(plain, words) else f"known: {', '.join(words)}"
    return [error(where, f"EINVAL: {word.strip()!r} is unknown", hint)]
