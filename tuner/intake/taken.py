"""What of a text is a stack's: the stack that is loaded, its settings, and why everything else is left out."""

from __future__ import annotations

import codecs
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tuner import catalogue, intake
from tuner.catalogue import facts
from tuner.catalogue.catalogue import Catalogue
from tuner.errors import Finding, Skipped, UsageError, error, warning
from tuner.intake.consumers import differences
from tuner.intake.form import MOST_BYTES, PRELOAD, Assigned, Follow, Form, Group, Reading, Scope, Source, shown
from tuner.intake.owners import elsewhere, is_stacks, libraries, meant, stacks_of
from tuner.untrusted import opened

_MOST_FILES: Final = 8
_SECRET: Final = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL", re.IGNORECASE)
_MOST_SAID: Final = 20
_MOST_LOOKED_UP: Final = 200
"""Names without a parameter for which the nearest one is looked for, which takes a millisecond each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller says beside the file: form, stack, service or container, and whether to go on in named files.

    `as_set` asks for the variables themselves, also where nothing that is loaded reads them.
    """

    form: str | None = None
    stack: str | None = None
    program: str | None = None
    follow: bool = False
    keep_unknown: bool = False
    as_set: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """The settings of one stack out of a text.

    `library` is what LD_PRELOAD names of that stack, empty where it names none. `places` says where each setting
    stands. `unread` are variables of other stacks, which the loaded library does not read. `findings` are what is
    said of what was taken.
    """

    stack: str
    settings: Mapping[str, str]
    library: str
    form: str
    skipped: tuple[Skipped, ...]
    findings: tuple[Finding, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)


def taken(path: Path, asked: Asked) -> Taken:
    """Return what a file sets of a stack; raise `UsageError` where it sets nothing, or several programs do."""
    source = Source(text_of(path), str(path), path.name)
    form = intake.form(asked.form) if asked.form else intake.recognised(source, as_set=asked.as_set)
    reading = form.read(source)
    if asked.follow:
        reading = _followed(reading, path)
    return of_reading(source, form, reading, asked)


def of_reading(source: Source, form: Form, reading: Reading, asked: Asked) -> Taken:
    """Return what of a reading is a stack's."""
    group = _chosen(reading.groups, asked, source.where)
    named = [
        Skipped(each.where, each.path, "names another file, which is not read: --follow reads it")
        for each in reading.follows
        if not asked.follow
    ]
    last = {each.name: each for each in group.assigned}
    stack = asked.stack or form.stack or _stack(last, source.where, (*group.skipped, *named), form)
    return _Sorting(source, form, stack, asked, last).taken((*group.skipped, *named), reading.findings)


def text_of(path: Path) -> str:
    """Return the text of a file; bytes that are no UTF-8 stay visible as such."""
    if not path.is_file():  # a pipe or a device would be read for ever
        raise UsageError(f"{path} {'is not a file' if path.exists() else 'does not exist'}")
    try:
        with opened(path) as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as reason:
        raise UsageError(f"cannot read {path}: {reason.strerror}") from reason
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES} bytes: too large for a profile")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(
            f"{path} is UTF-16 text, which is not supported", advice="convert it with iconv -f UTF-16 -t UTF-8"
        )
    return data.decode(errors="surrogateescape")


def _followed(reading: Reading, path: Path) -> Reading:
    """Return a reading with what the files that it names set."""
    groups = list(reading.groups)
    for each in reading.follows[:_MOST_FILES]:
        more = _other(each, path)
        groups = [_joined(group, more, wins=each.wins) for group in groups]
    return replace(reading, groups=tuple(groups))


def _other(each: Follow, path: Path) -> Group:
    try:
        target = path.parent / each.path
        found = intake.form(each.form).read(Source(text_of(target), str(target), target.name))
    except UsageError as reason:
        return Group((), (Skipped(each.where, each.path, reason.message),))
    return found.groups[0] if found.groups else Group(())


def _joined(group: Group, more: Group, *, wins: bool) -> Group:
    assigned = (*group.assigned, *more.assigned) if wins else (*more.assigned, *group.assigned)
    return replace(group, assigned=assigned, skipped=(*more.skipped, *group.skipped))


def _chosen(groups: Sequence[Group], asked: Asked, where: str) -> Group:
    """Return the group that is asked for, or the only one that sets something of a stack."""
    if asked.program is not None:
        return _named(groups, asked.program, where)
    candidates = [group for group in groups if any(is_stacks(each.name) for each in group.assigned)]
    if len(candidates) > 1:
        names = ", ".join(group.name for group in candidates)
        option = "--service" if candidates[0].scope is Scope.SERVICE else "--container"
        raise UsageError(
            f"{where} sets variables of a stack for several programs: {names}",
            advice=f"choose one with {option} NAME, as in `tuner import FILE {option} NAME -o PROFILE.toml`",
        )
    if candidates:
        return candidates[0]
    skipped = tuple(entry for group in groups for entry in group.skipped)
    return Group((), skipped)


def _named(groups: Sequence[Group], name: str, where: str) -> Group:
    found = [group for group in groups if group.name == name]
    if found:
        return found[0]
    names = [group.name for group in groups if group.name]
    raise UsageError(
        f"{where} has no {name!r}", advice=f"it has: {', '.join(names)}" if names else "it contains only one program"
    )


def _stack(last: Mapping[str, Assigned], where: str, skipped: Sequence[Skipped], form: Form) -> str:
    """Return the stack that is loaded, or else the only one whose variables are set."""
    named = last[PRELOAD].value if PRELOAD in last else ""
    # A path that depends on a variable still names the library at its end.
    lost = [entry.text.partition("=")[2].strip("\"'") for entry in skipped if entry.text.startswith(f"{PRELOAD}=")]
    loaded = libraries(":".join([named, *lost]))
    if loaded:
        return loaded[0][0]
    stacks = stacks_of(last)
    if len(stacks) > 1:
        message = f"{where} does not say which stack it is for: it sets variables of {', '.join(stacks)}"
        raise UsageError(message, advice="add --stack")
    if not stacks:
        meant = any(is_stacks(entry.text.partition("=")[0]) for entry in skipped)
        message = f"{where} cannot be read in the form {form.name}: no setting of a stack in it has a literal value"
        nothing = f"{where} has no setting of a stack"
        raise UsageError(message if meant else nothing, findings=_as_findings(skipped), advice=_nothing())
    return stacks[0]


def _nothing() -> str:
    prefixes = ", ".join(sorted({f"{each.prefix}*" for each in facts.every()}))
    return f"expected a file with variables such as {prefixes}; use --from to name its form"


def _as_findings(skipped: Sequence[Skipped]) -> list[Finding]:
    return [error(each.where, f"{each.text!r}: {each.why}") for each in skipped[:_MOST_SAID]]


@dataclass(frozen=True, slots=True)
class _Sorting:
    """Sorts the variables of a text into settings of one stack and the rest."""

    source: Source
    form: Form
    stack: str
    asked: Asked
    last: Mapping[str, Assigned]

    @property
    def known(self) -> Catalogue:
        return catalogue.load(self.stack)

    def taken(self, skipped: tuple[Skipped, ...], findings: tuple[Finding, ...]) -> Taken:
        mine = {name: each for name, each in self.last.items() if self._is_mine(name)}
        unknown = [name for name in mine if name not in self.known.parameters]
        looked_up = frozenset(unknown[:_MOST_LOOKED_UP])
        refused = {name: why for name, each in mine.items() if (why := self._refused(each, looked_up))}
        kept = {name: each for name, each in mine.items() if name not in refused}
        others = [entry for each in self.last.values() if (entry := self._other(each)) is not None]
        left = [Skipped(mine[name].where, shown(f"{name}={mine[name].value}"), why) for name, why in refused.items()]
        every = (*skipped, *left, *others)
        if not kept and not self.asked.as_set:
            message = f"{self.source.where} has only settings that {self.stack} does not accept"
            if not every:
                message = f"{self.source.where} loads the library of {self.stack} but sets none of its variables"
            raise UsageError(message, findings=_as_findings(every), advice="an empty profile is not written")
        return Taken(
            self.stack,
            {name: each.value for name, each in kept.items()},
            self._library(),
            self.form.name,
            every,
            (*findings, *self._said(kept), *differences(self.source, self.form, kept)),
            {name: each.where for name, each in kept.items()},
            {name: each.value for name, each in self.last.items() if is_stacks(name) and name not in {*mine, PRELOAD}},
        )

    def _is_mine(self, name: str) -> bool:
        return name != PRELOAD and (name.startswith(facts.load(self.stack).prefix) or name in self.known.parameters)

    def _refused(self, each: Assigned, looked_up: Container[str]) -> str:
        """Return why a variable with the stack's prefix is not taken, empty where it is; what was meant by those `looked_up`."""
        if any("\udc80" <= character <= "\udcff" for character in each.value):
            return "is not UTF-8 text"
        if each.name in self.known.parameters or self.asked.keep_unknown:
            return ""
        near = self._near(each.name) if each.name in looked_up else ""
        return f"{self.stack} has no variable {each.name}{near}; use --keep-unknown to keep it"

    def _near(self, name: str) -> str:
        other = elsewhere(name, self.stack)
        if other:
            return f" ({other})"
        near = meant(name, self.known.parameters)
        return f" (did you mean {near}?)" if near else ""

    def _other(self, each: Assigned) -> Skipped | None:
        if self._is_mine(each.name) or each.name == PRELOAD:
            return None
        text = shown(f"{each.name}={'…' if _SECRET.search(each.name) else each.value}")
        if is_stacks(each.name):
            return Skipped(each.where, text, f"is not read by {self.stack}, the library that is loaded")
        if not self.form.names_others:
            return None
        capitals = each.name.upper()
        meant = f" (did you mean {capitals}?)" if capitals in self.known.parameters else ""
        return Skipped(each.where, text, f"is not a variable of {self.stack}{meant}")

    def _library(self) -> str:
        loaded = libraries(self.last[PRELOAD].value) if PRELOAD in self.last else []
        return next((path for stack, path in loaded if stack == self.stack), "")

    def _said(self, kept: Mapping[str, Assigned]) -> Iterator[Finding]:
        preload = self.last.get(PRELOAD)
        for each in (*kept.values(), *([preload] if preload else [])):
            if each.said:
                yield warning(each.where, f"{each.name} {each.said}")
        if preload is not None:
            yield from _preloaded(preload, self.stack)


def _preloaded(preload: Assigned, stack: str) -> Iterator[Finding]:
    names = [name for name in preload.value.replace(":", " ").split() if name]
    mine = dict(libraries(preload.value))
    for name in names:
        if name != mine.get(stack):
            yield warning(preload.where, f"{PRELOAD} names {shown(name)} too, which is not part of the profile")
    if stack not in mine and names:
        yield warning(preload.where, f"{PRELOAD} does not name the library of {stack}: nothing reads its variables")
