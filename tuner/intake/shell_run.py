"""What the commands of a shell's text set, followed without running any: an interpreter that knows what it does not know.

A branch makes what it sets uncertain, a loop what it changes; a function counts where it is called; `eval`, `source` and
their like put everything before them in doubt. What is claimed for sure is what bash itself has in the end, which
`benchmarks/made_up_files.py` and `tests/test_intake_consumers.py` compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tuner.errors import Skipped
from tuner.intake.form import Follow, Source, shown
from tuner.intake.shell_programs import WRAPPED, Command, command
from tuner.intake.shell_state import State, Sure, Value, either
from tuner.intake.shell_syntax import (
    Apart,
    Body,
    Chain,
    Choice,
    Formula,
    Function,
    Loop,
    Negated,
    Node,
    Simple,
    parse,
)
from tuner.intake.shell_values import split_words, value_of, written_by_expansion, written_in
from tuner.intake.shell_words import NAME, Assignment, Unreadable, Word, assignment

_MOST_CALLS: Final = 8
_MOST_EVALS: Final = 4
_MOST_STEPS: Final = 20_000
_TESTS: Final = frozenset({"[", "test", ":", "true", "false"})
_DECLARES: Final = frozenset({"export", "declare", "typeset", "local", "readonly"})
_NOT_PLAIN: Final = frozenset("iulcnaA")
_ASSIGNS: Final = re.compile(rf"\s*(?:env\s+)?{NAME}=", re.ASCII)
_NOT_RUN: Final = "a command: nothing is run here"


@dataclass(frozen=True, slots=True)
class Given:
    """A variable that one command alone gets, or that ends with a shell of its own; `how` says which."""

    name: str
    value: Value
    how: str


@dataclass(slots=True)
class Walk:
    """What was met on the way: variables of single commands, commands, files, and what cannot be followed."""

    source: Source
    given: list[Given] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    follows: list[Follow] = field(default_factory=list)
    unbounded: list[str] = field(default_factory=list)
    starts: list[tuple[int, str]] = field(default_factory=list)
    clears: bool = False
    frames: list[list[State]] = field(default_factory=list)
    locals: list[dict[str, object]] = field(default_factory=list)
    loops: list[list[State]] = field(default_factory=list)
    ends: list[State] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    testing: int = 0
    steps: int = 0
    evals: int = 0
    calls: int = 0
    called: set[str] = field(default_factory=set)

    # -- the whole text --------------------------------------------------------------------------

    def follow(self, body: Body) -> State:
        """Follow a text to its end and return what its variables may hold then."""
        state = State()
        self.frames.append([])
        self.run(body, state)
        ways = [*self.frames.pop(), *([] if state.over else [state]), *self.ends]
        final = ways[0] if ways else state
        for way in ways[1:]:
            final = either(final, way)
        return self._with_uncalled_functions(final)

    def _with_uncalled_functions(self, state: State) -> State:
        """Say what a function would set that nothing in the text calls: whoever reads the text may."""
        for name in [name for name in state.functions if name not in self.called]:
            inside = state.copy()
            inside.over = False
            with_function = self._under(f"in the function {name}, which this script does not call")
            self.frames.append([])
            with_function(state.functions[name], inside)
            self.frames.pop()
            state.become(either(state, replace(inside, over=False)))
        return state

    def _under(self, condition: str) -> Callable[[Node, State], Sure]:
        def run(node: Node, state: State) -> Sure:
            self.conditions.append(condition)
            status = self.run(node, state)
            self.conditions.pop()
            return status

        return run

    # -- the kinds of nodes ----------------------------------------------------------------------

    def run(self, node: Node, state: State) -> Sure:
        """Follow one node and return whether it succeeds."""
        self.steps += 1
        if state.over or self.steps > _MOST_STEPS:
            return Sure.MAYBE
        kinds: dict[type, Callable[..., Sure]] = {
            Simple: self.simple,
            Body: self._body,
            Chain: self._chain,
            Negated: self._negated,
            Choice: self._choice,
            Loop: self._loop,
            Apart: self._apart,
            Function: self._function,
            Formula: self._formula,
        }
        return kinds[type(node)](node, state)

    def _negated(self, node: Negated, state: State) -> Sure:
        turned = {Sure.YES: Sure.NO, Sure.NO: Sure.YES}
        return turned.get(self.run(node.node, state), Sure.MAYBE)

    def _function(self, node: Function, state: State) -> Sure:
        state.functions[node.name] = node.body
        return Sure.YES

    def _formula(self, node: Formula, state: State) -> Sure:
        state.doubt(f"line {node.line} computes", written_in(node.source) if "((" in node.source else ())
        return Sure.MAYBE

    def _body(self, node: Body, state: State) -> Sure:
        status = Sure.YES
        for each in node.nodes:
            status = self.run(each, state)
        return status

    def _chain(self, node: Chain, state: State) -> Sure:
        status = self.run(node.first, state)
        for sign, following in node.rest:
            wanted = Sure.YES if sign == "&&" else Sure.NO
            if status is Sure.MAYBE:
                branch = state.copy()
                self._under("only if the previous command " + ("succeeds" if sign == "&&" else "fails"))(
                    following, branch
                )
                state.become(_merged([state.copy(), branch]))
            elif status is wanted:
                status = self.run(following, state)
        return status

    def _choice(self, node: Choice, state: State) -> Sure:
        ways: list[State] = []
        where = f"under a condition: {node.word} in line {node.line}"
        under = self._under(where if node.line else f"only where the function {node.word} is defined")
        for condition, body in node.branches:
            status = self._tested(condition, state)
            way = state.copy()
            if status is Sure.YES and condition.nodes and not ways:
                self.run(body, way)
                state.become(way)
                return Sure.MAYBE
            if status is not Sure.NO:
                under(body, way)
                ways.append(way)
        state.become(_merged(ways if node.total else [*ways, state.copy()]))
        return Sure.MAYBE

    def _tested(self, condition: Body, state: State) -> Sure:
        self.testing += 1
        status = self.run(condition, state)
        self.testing -= 1
        return status

    def _loop(self, node: Loop, state: State) -> Sure:
        """Follow a loop twice: what its first round changes is unknown in the second."""
        first = state.copy()
        quiet = Walk(self.source, steps=self.steps, frames=[[]], called=self.called, evals=self.evals)
        quiet.locals, quiet.calls = [{} for _ in self.locals], self.calls
        quiet.round(node, first)
        self.steps = quiet.steps
        names = {name for name in first.variables if first.get(name) != state.get(name)}
        second = either(state, first)
        second.doubt(f"the loop in line {node.line} changes it", names)
        self.conditions.append(f"in a loop: {node.word} in line {node.line}")
        ways = self.round(node, second)
        self.conditions.pop()
        state.become(_merged([state.copy(), *ways]))
        return Sure.MAYBE

    def round(self, node: Loop, state: State) -> list[State]:
        """Follow one round of a loop and return the states in which it may end."""
        self.loops.append([])
        self._tested(node.condition, state)
        if node.variable:
            state.give(node.variable, Value("", node.line, f"a {node.word} sets it"))
        self.run(node.body, state)
        return [*self.loops.pop(), state]

    def _apart(self, node: Apart, state: State) -> Sure:
        for each in node.nodes:
            inside = state.copy()
            ends, frames, self.ends, self.frames = self.ends, self.frames, [], [[]]
            self.run(each, inside)
            ways = [*self.ends, *self.frames[0], inside]
            self.ends, self.frames = ends, frames
            self._kept_apart(state, ways, f"only {node.how} in line {node.line}")
        return Sure.MAYBE

    def _kept_apart(self, state: State, ways: Iterable[State], how: str) -> None:
        for way in ways:
            for name, variable in way.variables.items():
                if variable != state.get(name) and variable.exported is not Sure.NO:
                    self.given += [Given(name, value, how) for value in variable.values]

    # -- simple commands -------------------------------------------------------------------------

    def simple(self, node: Simple, state: State) -> Sure:
        """Follow one command."""
        words = list(node.words)
        state.doubt(f"line {node.line} could set it", written_by_expansion(iter(words)))
        before: list[Assignment] = []
        while words and (found := assignment(words[0])) is not None:
            before.append(found)
            words.pop(0)
        if not words:
            for each in before:
                self.assign(each, state)
            return Sure.YES if node.words and all(each.value.literal is not None for each in before) else Sure.MAYBE
        name = words[0].literal
        handler = self._handlers().get(name or "")
        if name in state.functions:
            self._give(before, words, state)
            return self.call(name or "", state)
        if handler is not None and not before:
            return handler(words, state)
        return self._start(before, words, state)

    def _handlers(self) -> dict[str, Callable[[list[Word], State], Sure]]:
        declares = dict.fromkeys(_DECLARES, self._declare)
        return {
            **declares,
            "unset": self._unset,
            "set": self._set,
            ".": self._source,
            "source": self._source,
            "eval": self._eval,
            "exec": self._exec,
            "exit": self._exit,
            "return": self._return,
            "break": self._break,
            "continue": self._break,
            "read": self._writes,
            "mapfile": self._writes,
            "readarray": self._writes,
            "printf": self._writes,
            "getopts": self._writes,
            "let": self._writes,
            "setenv": self._setenv,
            "alias": self._alias,
            "true": lambda _words, _state: Sure.YES,
            ":": lambda _words, _state: Sure.YES,
            "false": lambda _words, _state: Sure.NO,
        }

    def assign(self, found: Assignment, state: State, seen: State | None = None) -> None:
        """Give a variable its value; what the value depends on is looked up in `seen`, which is `state` itself if None."""
        value = self.value(found.value, seen or state, found.name)
        if found.indexed:
            value = Value("", value.line, "one element of an array", value.written)
        elif found.appends and value.elements:
            before_it = [text for each in state.get(found.name).values for text in each.elements]
            value = replace(value, elements=(*before_it, *value.elements))
        elif found.appends:
            before = state.get(found.name).known
            lost = before is None or bool(before.elements)
            why = value.unknown or ("+= adds to what is not known here" if lost else "")
            value = replace(value, text="" if why else (before.text if before else "") + value.text, unknown=why)
        state.give(found.name, value)
        if value.elements or found.indexed:  # an array stays one, whatever it is given later
            state.variables[found.name] = replace(state.get(found.name), fixed=True)

    def value(self, word: Word, state: State, name: str = "", *, argument: bool = False) -> Value:
        """Return what a word comes to, with the conditions under which it stands here."""
        under = "; ".join(dict.fromkeys(self.conditions))
        if word.elements is not None:
            texts = [value_of(each, state, argument=True) for each in word.elements]
            known = tuple(each.text for each in texts if not each.unknown)
            return Value("", word.line, "an array, which no program inherits", word.source, under, known or ("",))
        return replace(value_of(word, state, argument=argument, name=name), under=under)

    def call(self, name: str, state: State) -> Sure:
        """Follow a function where it is called."""
        self.called.add(name)
        if self.calls >= _MOST_CALLS:
            state.doubt(f"{name} calls itself")
            return Sure.MAYBE
        self.calls += 1
        self.frames.append([])
        self.locals.append({})
        status = self.run(state.functions[name], state)
        self.calls -= 1
        ways = [*self.frames.pop(), *([] if state.over else [state.copy()])]
        state.become(_merged(ways) if ways else state)
        for local, before in self.locals.pop().items():
            state.variables[local] = before  # type: ignore[assignment] # only variables are put there
        return status if len(ways) == 1 else Sure.MAYBE

    def _give(self, before: Sequence[Assignment], words: Sequence[Word], state: State) -> Command:
        """Note the variables that stand before a command, and those that its own words give."""
        found = command([each for word in words for each in split_words(word, state)])
        text = " ".join(word.source for word in found.program or words)
        how = f"for one command: {shown(text)}"
        names = set[str]()
        for each in (*before, *_assignments(found.given)):
            value = self.value(each.value, state, each.name, argument=each not in before)
            if names & _names_in(each.value) or each.appends:
                value = Value("", value.line, "depends on an earlier assignment in the same command", each.value.source)
            names.add(each.name)
            self.given.append(Given(each.name, value, how))
        return found

    def _start(self, before: Sequence[Assignment], words: list[Word], state: State) -> Sure:
        line = words[0].line
        found = self._give(before, words, state)
        self.clears |= found.clears and bool(found.given)
        self.follows += [
            Follow(path.literal, "docker", self.source.line(path.line)) for path in found.files if path.literal
        ]
        for word in found.passed:
            self._skip(word.line, word.source, "is taken from the environment of whoever starts it")
        for source in found.scripts:
            self._inside(source, line, state)
        text = " ".join(word.source for word in (found.program if found.given and found.program else words))
        if found.given or before:
            self.starts.append((line, text))
        if not self.testing and words[0].literal not in _TESTS:
            why = "the command that it starts" if found.given or before else _NOT_RUN + _meant(words)
            why = WRAPPED if found.wrapped else why
            self._skip(line, text, why)
        return Sure.MAYBE

    def _inside(self, source: str, line: int, state: State, how: str = "in a shell that is started") -> None:
        """Follow a text that another shell is to run, as in `bash -c '…'`."""
        if self.evals >= _MOST_EVALS:
            return
        try:
            body = parse(source)
        except Unreadable as reason:
            self._skip(line, source, reason.why)
            return
        self.evals += 1
        lines, before, begun = len(self.skipped), len(self.given), len(self.starts)
        self._apart(Apart((body,), how, line), state)
        self.evals -= 1
        # Lines of the inner text are no lines of this one; what it starts is named as a whole.
        del self.skipped[lines:]
        self.starts[begun:] = [(line, text) for _, text in self.starts[begun:]]
        self.given[before:] = [replace(each, value=replace(each.value, line=line)) for each in self.given[before:]]

    def _skip(self, line: int, text: str, why: str) -> None:
        entry = Skipped(self.source.line(line), shown(text), why)
        if entry not in self.skipped[-50:]:
            self.skipped.append(entry)

    # -- builtins --------------------------------------------------------------------------------

    def _declare(self, words: list[Word], state: State) -> Sure:
        name, flags, rest = words[0].literal or "", "", words[1:]
        while rest and (text := rest[0].literal or "")[:1] in {"-", "+"}:
            flags += text
            rest = rest[1:]
        if "f" in flags or ("p" in flags and not rest):
            return Sure.MAYBE
        seen = state.copy()  # all words are expanded before the first is assigned
        for word in rest:
            self._declared(name, flags, word, state, seen)
        literal = all(word.literal is not None for word in words)
        return Sure.YES if literal and name != "local" else Sure.MAYBE

    def _declared(self, name: str, flags: str, word: Word, state: State, seen: State) -> None:
        found = assignment(word, quoted=True)
        target = found.name if found else word.literal
        if target is None or not re.fullmatch(NAME, target, re.ASCII):
            return self._anything(word.line, word.source, "which variables it sets is not known", state)
        if self.locals and (name == "local" or (name in {"declare", "typeset"} and "g" not in flags)):
            self.locals[-1].setdefault(target, state.get(target))
        plain_flags = flags.partition("+")[0]
        if set(plain_flags) & _NOT_PLAIN and name != "export":
            state.variables[target] = replace(state.get(target), fixed=True)
        if found is not None:
            self._assign_declared(found, word, state, seen)
        if (name == "export" and "n" in flags) or "+x" in flags:
            state.export(target, Sure.NO)
        elif name == "export" or "x" in plain_flags:
            state.export(target)
        if name == "readonly" or "r" in plain_flags:
            state.variables[target] = replace(state.get(target), fixed=True)
        return None

    def _assign_declared(self, found: Assignment, word: Word, state: State, seen: State) -> None:
        """Give a declared variable its value; braces in an unquoted word would make several words of it."""
        braces = value_of(word, state, argument=True).unknown == "a shell would split or expand it"
        source = found.value.source
        if braces and re.search(r"\{.*(,|\.\.).*\}", source):
            state.give(found.name, Value("", word.line, "a shell would split it into several words", source))
        else:
            self.assign(found, state, seen)

    def _unset(self, words: list[Word], state: State) -> Sure:
        flags = [word for word in words[1:] if (word.literal or "").startswith("-")]
        for word in words[1:]:
            text = word.literal
            if text is None:
                self._anything(word.line, word.source, "which variables it unsets is not known", state)
            elif "f" in "".join(flag.source for flag in flags):
                state.functions.pop(text, None)
            elif word not in flags:
                state.unset(text)
        return Sure.YES

    def _set(self, words: list[Word], state: State) -> Sure:
        """Follow `set -a` and `set -o allexport`, and `set -gx NAME value` of fish."""
        if len(words) > 2 and words[1].literal in {"-gx", "-xg", "-Ux", "-xU", "--export"}:  # noqa: PLR2004 # an option and a name
            return self._setenv([words[0], *words[2:]], state)
        for option, following in zip(words[1:], [*words[2:], None], strict=False):
            text = option.literal or "--"
            named = text[1:] in {"o", "eo"} and following is not None and following.literal == "allexport"
            if text in {"-", "--"} or text[:1] not in {"-", "+"}:
                if text != "allexport":
                    break
            elif "a" in text[1:] or named:
                state.exports_all = Sure.YES if text[0] == "-" else Sure.NO
        return Sure.YES

    def _source(self, words: list[Word], state: State) -> Sure:
        path = words[1].literal if len(words) > 1 else None
        if path is not None:
            self.follows.append(Follow(path, "sh", self.source.line(words[0].line)))
        text = " ".join(word.source for word in words)
        self._anything(words[0].line, text, "reads another file, which could set any variable", state)
        return Sure.MAYBE

    def _eval(self, words: list[Word], state: State) -> Sure:
        literals = [word.literal for word in words[1:]]
        text = " ".join(word.source for word in words)
        if None in literals or self.evals >= _MOST_EVALS:
            self._anything(words[0].line, text, "could set any variable", state)
            return Sure.MAYBE
        self.evals += 1
        try:
            return self.run(parse(" ".join(filter(None, literals))), state)
        except Unreadable as reason:
            self._anything(words[0].line, text, reason.why, state)
            return Sure.MAYBE
        finally:
            self.evals -= 1

    def _anything(self, line: int, text: str, why: str, state: State) -> None:
        """Note a command after which nothing that stands before it is sure any more."""
        state.doubt(f"line {line} may change it")
        self.unbounded.append(self.source.line(line))
        self._skip(line, text, why)

    def _exec(self, words: list[Word], state: State) -> Sure:
        if len(words) == 1:  # only opens files
            return Sure.MAYBE
        self._start((), words, state)
        self.ends.append(state.copy())
        state.over = True
        return Sure.MAYBE

    def _exit(self, _words: list[Word], state: State) -> Sure:
        if not self.conditions and not self.frames[1:]:
            self.ends.append(state.copy())
        state.over = True
        return Sure.MAYBE

    def _return(self, _words: list[Word], state: State) -> Sure:
        self.frames[-1].append(state.copy())
        state.over = True
        return Sure.MAYBE

    def _break(self, _words: list[Word], state: State) -> Sure:
        if self.loops:
            self.loops[-1].append(state.copy())
            state.over = True
        return Sure.MAYBE

    def _writes(self, words: list[Word], state: State) -> Sure:
        """Follow a builtin that writes into the variables that it names."""
        texts = [word.literal or "" for word in words]
        names = set(texts[texts.index("-v") + 1 :][:1]) if "-v" in texts else set()
        if texts[0] == "let":
            names = {name for text in texts[1:] for name in written_in(text)}
        elif texts[0] != "printf":
            names |= {text for text in texts[1:] if re.fullmatch(NAME, text, re.ASCII)}
        for name in names | ({"OPTARG", "OPTIND"} if texts[0] == "getopts" else set()):
            state.give(name, Value("", words[0].line, f"{texts[0]} sets it when it runs", " ".join(texts)))
        if texts[0] == "printf" and not names and not self.testing:
            self._skip(words[0].line, " ".join(word.source for word in words), _NOT_RUN)
        return Sure.MAYBE

    def _alias(self, words: list[Word], state: State) -> Sure:
        """Follow `alias name='A=1 command'` as a command that may be given."""
        for word in words[1:]:
            found = assignment(word, quoted=True)
            text = found.value.literal if found else None
            if found is not None and text and _ASSIGNS.match(text):
                self._inside(f"{text} {found.name}", word.line, state, f"by the alias {found.name}")
            else:
                self._skip(word.line, f"alias {word.source}", _NOT_RUN)
        return Sure.MAYBE

    def _setenv(self, words: list[Word], state: State) -> Sure:
        """Follow `setenv NAME value` of csh."""
        name = words[1].literal if len(words) > 1 else None
        if name is not None and re.fullmatch(NAME, name, re.ASCII):
            empty = Value("", words[0].line)
            state.give(name, self.value(words[2], state, name) if len(words) > 2 else empty)  # noqa: PLR2004 # setenv NAME VALUE
            state.export(name)
        return Sure.MAYBE


def _assignments(words: Iterable[Word]) -> list[Assignment]:
    return [found for word in words if (found := assignment(word, quoted=True)) is not None]


def _meant(words: Sequence[Word]) -> str:
    """Return what somebody meant who wrote blanks around `=`."""
    texts = [word.literal or "" for word in words]
    if len(texts) == 3 and texts[1] == "=" and re.fullmatch(NAME, texts[0], re.ASCII):  # noqa: PLR2004 # NAME = value
        return f"; write {texts[0]}={texts[2]} without blanks, which a shell and docker refuse"
    return ""


def _names_in(word: Word) -> set[str]:
    found = (re.findall(NAME, part.text) for part in word.parts if part.kind in {"variable", "expansion"})
    return {name for names in found for name in names}


def _merged(ways: Sequence[State]) -> State:
    """Return what holds after one of several ways; those that end do not come here."""
    going = [way for way in ways if not way.over]
    if not going:
        return replace(ways[-1], over=True)
    merged = going[0]
    for way in going[1:]:
        merged = either(merged, way)
    return merged
