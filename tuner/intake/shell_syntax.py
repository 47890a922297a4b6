"""The commands of a shell's text as a tree: what follows what, what stands under a condition, what is a function.

POSIX.1-2017 XCU 2.9 and 2.10, and what bash(1) adds that people write: `function`, `[[ … ]]`, `(( … ))`, `select`,
arrays, `&>`, `<<<`. A text that no shell could read raises `Unreadable` with its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tuner.intake.shell_words import MOST_NESTED, NAME, Scanner, Unreadable, Word

_REDIRECT: Final = re.compile(rf"(?:[0-9]+|\{{{NAME}\}})?(?:<<<|<<-?|<>|<&|>&|>>|>\||<|>)|&>>?", re.ASCII)
_FUNCTION: Final = re.compile(r"([^\s'\"\\$`;&|<>()=]+)[ \t]*\([ \t]*\)")
_OPERATORS: Final = ("&&", "||", ";;&", ";;", ";&", "|&", ";", "&", "|", "(", ")", "\n")
_ENDS: Final = frozenset({";", "&", "\n"})
_CLOSING: Final = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})
_CASE_ENDS: Final = frozenset({";;", ";&", ";;&"})


@dataclass(frozen=True, slots=True)
class Simple:
    """A command: its words, with the assignments before them."""

    words: tuple[Word, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Body:
    """Commands one after the other."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Commands with `&&` or `||` before all but the first."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """What runs in a shell of its own, so that its assignments end with it; `how` it does."""

    nodes: tuple[Node, ...]
    how: str
    line: int


@dataclass(frozen=True, slots=True)
class Negated:
    """A command after `!`."""

    node: Node


@dataclass(frozen=True, slots=True)
class Choice:
    """An `if` or a `case`: each branch with its condition; `total` where one of them must be taken."""

    branches: tuple[tuple[Body, Body], ...]
    total: bool
    word: str
    line: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for`, `select`, `while` or `until`; `variable` is what a `for` sets."""

    condition: Body
    body: Body
    variable: str
    word: str
    line: int


@dataclass(frozen=True, slots=True)
class Function:
    """The definition of a function."""

    name: str
    body: Node
    line: int


@dataclass(frozen=True, slots=True)
class Formula:
    """`(( … ))` or `[[ … ]]`: no command, but the first may assign."""

    source: str
    line: int


Node = Simple | Body | Chain | Apart | Negated | Choice | Loop | Function | Formula


def parse(text: str) -> Body:
    """Return the commands of `text`; raise `Unreadable` for what no shell could read."""
    parser = _Parser(text)
    body = parser.body(frozenset())
    if parser.at < len(text):
        raise Unreadable(parser.line, f"{parser.shown()!r} found where a command should begin")
    return body


class _Parser(Scanner):
    """Reads commands; here-documents wait until the line ends that names them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._waiting: list[tuple[str, bool]] = []
        self._depth = 0

    def shown(self) -> str:
        """Return what comes next, for a message."""
        return self.text[self.at : self.at + 20].split("\n")[0]

    def operator(self) -> str:
        """Return the operator that comes next, empty for none."""
        self.skip_blanks()
        return next((sign for sign in _OPERATORS if self.looks_at(sign)), "")

    def take(self, sign: str) -> None:
        """Pass an operator; behind a line's end stand the here-documents that it named."""
        self.at += len(sign)
        if sign == "\n":
            for word, stripped in self._waiting:
                self._here_document(word, stripped=stripped)
            self._waiting = []

    def newlines(self) -> None:
        """Pass empty lines."""
        while self.operator() == "\n":
            self.take("\n")

    def keyword(self) -> str:
        """Return the keyword that comes next, empty for none; it stays to be read."""
        self.skip_blanks()
        match = re.compile(r"[!{}a-z\[]+(?=[\s;&|()<>]|\Z)").match(self.text, self.at)
        return match[0] if match else ""

    def expect(self, word: str, opened: str, line: int) -> None:
        """Pass the keyword `word`, which what began in `line` needs."""
        self.newlines()
        if self.keyword() != word:
            missing = self.at >= len(self.text)
            found = "the end of the text" if missing else repr(self.shown())
            raise Unreadable(line if missing else self.line, f"{opened} of line {line} has {found} in place of {word}")
        self.at += len(word)

    def body(self, until: frozenset[str]) -> Body:
        """Return commands up to a keyword or operator of `until`, which stays to be read."""
        nodes: list[Node] = []
        self.newlines()
        while self.at < len(self.text) and self.keyword() not in until and self.operator() not in until | {")"}:
            if self.keyword() in _CLOSING:
                raise Unreadable(self.line, f"{self.keyword()} closes nothing")
            begin, line, node = self.at, self.line, self.chain()
            if self.at == begin:
                raise Unreadable(line, f"{self.shown()!r} found where a command should begin")
            nodes.append(self._ended(node, line))
        return Body(tuple(nodes))

    def _ended(self, node: Node, line: int) -> Node:
        sign = self.operator()
        if sign in _ENDS:
            self.take(sign)
        self.newlines()
        return Apart((node,), "in the background", line) if sign == "&" else node

    def chain(self) -> Node:
        first, rest = self.pipe(), list[tuple[str, Node]]()
        while (sign := self.operator()) in {"&&", "||"}:
            self.take(sign)
            self.newlines()
            rest.append((sign, self.pipe()))
        return Chain(first, tuple(rest)) if rest else first

    def pipe(self) -> Node:
        negated, line = False, self.line
        while self.keyword() in {"!", "time"}:
            negated ^= self.keyword() == "!"
            self.at += len(self.keyword())
        nodes = [self.command()]
        while (sign := self.operator()) in {"|", "|&"}:
            self.take(sign)
            self.newlines()
            nodes.append(self.command())
        node = nodes[0] if len(nodes) == 1 else Apart(tuple(nodes), "in a pipe", line)
        return Negated(node) if negated else node

    def command(self) -> Node:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise Unreadable(self.line, f"commands are nested deeper than {MOST_NESTED}")
        node = self._command()
        self._depth -= 1
        return node

    def _command(self) -> Node:
        compound: dict[str, Callable[[], Node]] = {
            "if": self._if,
            "case": self._case,
            "while": self._while,
            "until": self._while,
            "for": self._for,
            "select": self._for,
            "function": self._function,
            "{": self._group,
        }
        known = compound.get(self.keyword())
        if known is not None:
            return self._redirected(known())
        if self.operator() == "(":
            return self._redirected(self._parenthesis())
        if self.keyword() == "[[":
            return self._redirected(self._formula("[[", "]]"))
        return self._simple()

    def _redirected(self, node: Node) -> Node:
        while self._redirect():
            pass
        return node

    def _redirect(self) -> bool:
        """Pass one redirection and return whether there was one."""
        self.skip_blanks()
        match = _REDIRECT.match(self.text, self.at)
        if match is None or self.looks_at("<(") or self.looks_at(">("):
            return False
        self.at = match.end()
        self.skip_blanks()
        word = self.word()
        if word is None:
            raise Unreadable(self.line, f"{match[0]} names no file")
        if match[0].endswith(("<<", "<<-")) and not match[0].endswith("<<<"):
            text = "".join(part.text for part in word.parts)
            self._waiting.append((text, match[0].endswith("-")))
        return True

    def _here_document(self, word: str, *, stripped: bool) -> None:
        """Pass a here-document; one that the end of the text ends is warned of by shells and taken."""
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            row = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            if (row.lstrip("\t") if stripped else row) == word:
                return

    def _simple(self) -> Node:
        self.skip_blanks()
        line = self.line
        match = _FUNCTION.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return self._defined(match[1], line)
        words: list[Word] = []
        while True:
            if self._redirect():
                continue
            word = self.word()
            if word is None:
                return Simple(tuple(words), line)
            words.append(word)

    def _defined(self, name: str, line: int) -> Node:
        self.newlines()
        return Function(name, self.command(), line)

    def _function(self) -> Node:
        line = self.line
        self.at += len("function")
        self.skip_blanks()
        word = self.word()
        if word is None:
            raise Unreadable(line, "function without a name")
        if self.operator() == "(":
            self.take("(")
            if self.operator() == ")":
                self.take(")")
        return self._defined(word.source, line)

    def _group(self) -> Node:
        line = self.line
        self.at += 1
        body = self.body(frozenset({"}"}))
        self.expect("}", "{", line)
        return body

    def _parenthesis(self) -> Node:
        line = self.line
        if self.looks_at("(("):
            begin = self.at
            try:
                return self._formula("((", "))")
            except Unreadable:
                self.at = begin
        self.take("(")
        body = self.body(frozenset({")"}))
        if self.operator() != ")":
            raise Unreadable(line, "( is never closed")
        self.take(")")
        return Apart(body.nodes, "in ( … )", line)

    def _formula(self, opening: str, closing: str) -> Node:
        begin, line = self.at, self.line
        end = self.text.find(closing, begin + len(opening))
        if end < 0:
            raise Unreadable(line, f"{opening} is never closed")
        self.at = end + len(closing)
        return Formula(self.text[begin : self.at], line)

    def _if(self) -> Node:
        line, branches = self.line, list[tuple[Body, Body]]()
        word = "if"
        while word in {"if", "elif"}:
            self.at += len(word)
            condition = self.body(frozenset({"then"}))
            self.expect("then", "if", line)
            branches.append((condition, self.body(frozenset({"elif", "else", "fi"}))))
            word = self.keyword()
        total = word == "else"
        if total:
            self.at += len(word)
            branches.append((Body(()), self.body(frozenset({"fi"}))))
        self.expect("fi", "if", line)
        return Choice(tuple(branches), total, "if", line)

    def _while(self) -> Node:
        line, word = self.line, self.keyword()
        self.at += len(word)
        condition = self.body(frozenset({"do"}))
        return self._loop(condition, "", word, line)

    def _for(self) -> Node:
        line, word = self.line, self.keyword()
        self.at += len(word)
        self.skip_blanks()
        if self.looks_at("(("):
            self._formula("((", "))")
            variable = ""
        else:
            named = self.word()
            variable = named.source if named else ""
        self._rest_of_for()
        return self._loop(Body(()), variable, word, line)

    def _rest_of_for(self) -> None:
        self.newlines()
        if self.keyword() == "in":
            self.at += len("in")
            self.skip_blanks()
            while self.word() is not None:
                self.skip_blanks()
        if self.operator() == ";":
            self.take(";")

    def _loop(self, condition: Body, variable: str, word: str, line: int) -> Node:
        self.newlines()
        braces = self.keyword() == "{" and word == "for"
        self.expect("{" if braces else "do", word, line)
        closing = "}" if braces else "done"
        body = self.body(frozenset({closing}))
        self.expect(closing, word, line)
        return Loop(condition, body, variable, word, line)

    def _case(self) -> Node:
        line, branches = self.line, list[tuple[Body, Body]]()
        self.at += len("case")
        self.skip_blanks()
        self.word()
        self.expect("in", "case", line)
        total = False
        self.newlines()
        while self.keyword() != "esac":
            total |= self._pattern(line)
            body = self.body(frozenset({"esac", *_CASE_ENDS}))
            branches.append((Body(()), body))
            if (sign := self.operator()) in _CASE_ENDS:
                self.take(sign)
            self.newlines()
        self.at += len("esac")
        return Choice(tuple(branches), total, "case", line)

    def _pattern(self, line: int) -> bool:
        """Pass the patterns of a branch and return whether they match everything."""
        if self.operator() == "(":
            self.take("(")
        sources = list[str]()
        while self.operator() != ")":
            self.skip_blanks()
            word = self.word()
            if word is None and self.operator() != "|":
                raise Unreadable(line, "a case has a branch without )")
            if word is not None:
                sources.append(word.source)
            else:
                self.take("|")
        self.take(")")
        return "*" in sources
