"""Onload's profiles (`.opf`) as data: read without running anything, and written.

For Onload such a file is a shell program. What is read here is the part that says something: `onload_set`,
`onload_import`, comments, quoting, variables, arithmetic and `if` on a single test. Whatever else stands in a file
would run a command: it is left out and reported with its line.

A value counts only where the variable is not set yet, so the first one wins, and the caller's environment before all;
`--force-profiles` of Onload's wrapper turns that round: there the last one wins.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Finding, UsageError, error, warning
from tuner.stacks.onload.shell import Refused, Word, commands, test

Importer = Callable[[str], str | None]
"""Gives the text of a profile by its name, None where there is none."""

MAX_CHARACTERS: Final = 64 * 1024
MOST_IMPORTS: Final = 8
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ASSIGNED: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
_PRINTS: Final = frozenset({"log", "vlog", "err", "echo"})
_STOPS: Final = frozenset({"fail", "exit", "return"})
_OPENS: Final = re.compile(r"\s*(?:for|while|until|select|case)\b|\s*\w+\s*\(\s*\)")
_DEPTH: Final = re.compile(
    r"(?:^|;|\bthen\b|\belse\b|\bdo\b)\s*(?P<word>for|while|until|select|case|done|esac|\}|\w+\s*\(\s*\))(?=[\s;{]|$)"
)
_CLOSES: Final = frozenset({"done", "esac", "}"})
_CHANGES: Final = re.compile(r"(?:\bfor\s+([A-Za-z_]\w*)|\b([A-Za-z_]\w*)=)", re.ASCII)
# A program text from elsewhere can change every variable.
_UNBOUNDED: Final = re.compile(r"(?:^|[;&|]|\bthen\b|\belse\b|\bdo\b)\s*(?:\.|eval|source|unset|read)\s")
_BRANCH: Final = re.compile(r"\s*(?P<word>if|elif|else|fi|then)\b")


@dataclass(slots=True)
class _Branch:
    """One `if`: whether its lines count now, whether a branch was taken or can no longer be, whether outer lines count."""

    active: bool
    settled: bool
    outer: bool


@dataclass(slots=True)
class _Reader:
    """What a file and its imports have set so far."""

    importer: Importer
    force: bool
    values: dict[str, str]
    found: list[Finding] = field(default_factory=list)
    open_files: list[str] = field(default_factory=list)
    branches: list[_Branch] = field(default_factory=list)
    code_left_out: bool = False

    @property
    def active(self) -> bool:
        return not self.branches or self.branches[-1].active

    def text_of(self, word: Word) -> str:
        """Return what a word says; raise `Refused` where that depends on what is not known."""
        return word.text(self.values, surely=self.code_left_out)


def from_opf(
    text: str,
    where: str,
    importer: Importer,
    environment: Mapping[str, str] | None = None,
    *,
    force: bool = False,
) -> tuple[dict[str, str], list[Finding]]:
    """Return what a profile sets, with the caller's `environment` before it, and what could not be read as data.

    Nothing is ever executed. `where` names the file in findings, `importer` gives the text of profiles that it imports,
    and `force` reads as `--force-profiles` does. Settings are those whose names begin with `EF_`; what would run a
    command is an error, what would in a branch that is not taken, or only prints, a warning.
    """
    reader = _Reader(importer, force, dict(environment or {}))
    _read(text, where, reader)
    return {name: value for name, value in reader.values.items() if name.startswith("EF_")}, reader.found


def to_opf(settings: Mapping[str, str], name: str) -> str:
    """Return settings as the text of a profile that Onload's wrapper and `from_opf` read back exactly.

    Raise `UsageError` naming the profile for what the wrapper cannot set: an empty value, a quotation mark, a line break.
    """
    wrong = [finding for variable, value in settings.items() for finding in _unwritable(variable, value)]
    if wrong:
        raise UsageError(f"{name} cannot be written as a profile of Onload", findings=wrong)
    return "".join(f"onload_set {variable} {shlex.quote(value)}\n" for variable, value in settings.items())


def _unwritable(variable: str, value: str) -> Iterator[Finding]:
    if not _VARIABLE.fullmatch(variable) or not variable.startswith("EF_"):
        yield error(variable, "is no variable of Onload", "an .opf sets names that begin with EF_")
    if not value:
        yield error(variable, "is empty, which onload_set cannot set", "leave it out")
    elif "'" in value or not value.isprintable():
        yield error(variable, f"{value!r} holds a quotation mark or a control character", "write it without")


def _read(text: str, where: str, reader: _Reader) -> None:
    if len(text) > MAX_CHARACTERS:
        reader.found.append(error(where, f"is longer than {MAX_CHARACTERS} characters: no profile"))
        return
    outer, reader.branches = reader.branches, []
    skipping = 0
    for number, line in _lines(text):
        place = f"{where}: line {number}"
        if skipping or _OPENS.match(line):
            if not skipping:
                _leave_out(f"{line.strip()!r} begins a block of commands", place, reader)
            _forget(line, reader)
            skipping = _depth(line, skipping)
            continue
        _line(line, place, reader)
    if skipping or reader.branches:
        reader.found.append(error(where, "ends inside a block: done, esac or fi is missing"))
    reader.branches = outer


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; one that ends in a backslash goes on in the next."""
    begun, first = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        first = first or number
        if line.endswith("\\") and not line.endswith("\\\\"):
            begun += line[:-1]
            continue
        yield first, begun + line
        begun, first = "", 0
    if begun:
        yield first, begun


def _depth(line: str, before: int) -> int:
    """Return how many blocks are open behind a line; a block opens with its first word, not with its `do` or `{`."""
    closings = [match["word"] in _CLOSES for match in _DEPTH.finditer(line)]
    return max(0, before + closings.count(False) - closings.count(True))


def _line(line: str, place: str, reader: _Reader) -> None:
    try:
        for words in commands(line):
            _command(words, place, reader)
    except Refused as reason:
        _leave_out(reason.why, place, reader)
        _forget(line, reader)
        branch = _BRANCH.match(line)
        if branch and branch["word"] in {"if", "elif"}:
            _unreadable_branch(branch["word"], reader)


def _forget(line: str, reader: _Reader) -> None:
    """Forget the shell variables that a line which is left out would have changed: nothing may depend on them."""
    if not reader.active:
        return
    everything = _UNBOUNDED.search(line) is not None
    changed = {name for names in _CHANGES.findall(line) for name in names}
    for name in [name for name in reader.values if not name.startswith("EF_") and (everything or name in changed)]:
        del reader.values[name]


def _unreadable_branch(word: str, reader: _Reader) -> None:
    """Take no branch of an `if` whose test cannot be read."""
    if word == "if" or not reader.branches:
        reader.branches.append(_Branch(active=False, settled=True, outer=reader.active))
    else:
        reader.branches[-1].active, reader.branches[-1].settled = False, True


def _leave_out(why: str, place: str, reader: _Reader) -> None:
    if reader.active:
        reader.code_left_out = True
        hint = "write what it should set as `onload_set NAME VALUE`"
        reader.found.append(error(place, f"is left out, nothing of a profile is executed: {why}", hint))
    else:
        reader.found.append(warning(place, f"is left out, in a branch that is not taken: {why}"))


def _command(words: Sequence[Word], place: str, reader: _Reader) -> None:
    first = words[0].plain
    if first in {"if", "elif", "else", "then", "fi"}:
        _branch(first, words[1:], place, reader)
        return
    if not reader.active:
        if first not in {"onload_set", "onload_import", ":", "true", *_PRINTS}:
            raise Refused(f"{first or 'a variable'!r} would be run")
        return
    _act(first, words, place, reader)


def _act(first: str, words: Sequence[Word], place: str, reader: _Reader) -> None:
    if first == "onload_set":
        _set(words[1:], place, reader)
    elif first == "onload_import":
        _import(words[1:], place, reader)
    elif first in _PRINTS:
        reader.found.append(warning(place, f"only prints: {first} is left out"))
    elif first in _STOPS:
        said = " ".join(word.plain or "…" for word in words)
        raise Refused(f"the profile ends here: {said}")
    elif first not in {":", "true"}:
        _assign(words, reader)


def _assign(words: Sequence[Word], reader: _Reader) -> None:
    """Note a shell variable, which later lines may use; anything else would be run."""
    match = _ASSIGNED.fullmatch(words[0].source)
    if match is None or len(words) > 1:
        raise Refused(f"{words[0].source!r} would be run")
    if match["name"].startswith("EF_"):
        raise Refused(f"{match['name']} is assigned and not exported, so that Onload would not see it")
    reader.values[match["name"]] = reader.text_of(words[0]).partition("=")[2]


def _branch(word: str, rest: Sequence[Word], place: str, reader: _Reader) -> None:
    if word == "if":
        outer = reader.active
        holds = _holds(rest, place, reader) if outer else False
        reader.branches.append(_Branch(active=bool(holds), settled=holds is None or holds or not outer, outer=outer))
        return
    if not reader.branches:
        raise Refused(f"{word} without an if")
    branch = reader.branches[-1]
    if word == "fi":
        reader.branches.pop()
    elif word == "else":
        branch.active, branch.settled = branch.outer and not branch.settled, True
    elif word == "elif":
        holds = _holds(rest, place, reader) if branch.outer and not branch.settled else False
        branch.active, branch.settled = bool(holds), branch.settled or holds is None or holds
    if word in {"then", "else", "fi"} and rest:
        _command(rest, place, reader)


def _holds(words: Sequence[Word], place: str, reader: _Reader) -> bool | None:
    """Return whether a test holds, None where that cannot be known: then no branch is taken."""
    try:
        return test(words, reader.text_of)
    except Refused as reason:
        _leave_out(reason.why, place, reader)
        return None


def _set(words: Sequence[Word], place: str, reader: _Reader) -> None:
    texts = [reader.text_of(word) for word in words]
    name, value = _assignment(texts)
    if not _VARIABLE.fullmatch(name):
        raise Refused(f"{name!r} is no name of a variable")
    if reader.values.get(name) and not reader.force:
        if reader.values[name] != value:
            message = f"{name} keeps {reader.values[name]!r}: onload_set changes only what is not set yet"
            reader.found.append(warning(place, message, "--force-profiles of Onload lets the last one win"))
        return
    # The place of a variable is where it got its value last.
    reader.values.pop(name, None)
    reader.values[name] = value


def _assignment(texts: Sequence[str]) -> tuple[str, str]:
    """Return name and value as the wrapper takes them, and refuse what it would misunderstand."""
    if len(texts) == 2 and texts[1]:  # noqa: PLR2004 onload_set NAME VALUE
        return texts[0], texts[1]
    if len(texts) == 1 and texts[0].count("=") == 1 and not texts[0].endswith("="):
        name, _, value = texts[0].partition("=")
        return name, value
    shown = " ".join(texts)
    raise Refused(f"onload_set takes NAME VALUE or NAME=VALUE, and no empty value: {shown!r}")


def _import(words: Sequence[Word], place: str, reader: _Reader) -> None:
    if not words:
        raise Refused("onload_import without the name of a profile")
    name = reader.text_of(words[0])
    if name in reader.open_files or len(reader.open_files) >= MOST_IMPORTS:
        line = " → ".join([*reader.open_files, name])
        raise Refused(f"imports go round in a circle, or too deep: {line}")
    text = reader.importer(name)
    if text is None:
        raise Refused(f"there is no profile {name!r} to import")
    reader.open_files.append(name)
    _read(text, f"{place}: {name}", reader)
    reader.open_files.pop()
