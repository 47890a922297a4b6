"""What a shell's text is made of: words of parts, and commands of words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(Exception):
    """Text that a shell refuses: a syntax error, with the line where it shows and what is wrong."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself; `quoted` where quotes or a backslash protect it."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`, `${name}`, `${#name}` (`length`) or `${name:-word}` with its operator."""

    name: str
    quoted: bool = False
    operator: str = ""
    word: Word | None = None
    length: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((formula))`."""

    formula: Word
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part whose text cannot be known: a command's output, or what shells read differently. `why` is for messages."""

    source: str
    why: str
    quoted: bool = False


Part = Literal | Parameter | Arithmetic | Unreadable


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is written, its parts and its line."""

    source: str
    parts: tuple[Part, ...]
    line: int

    @property
    def bare(self) -> str:
        """The text of a word without quotes and expansions, empty for others: only such a word can be reserved."""
        match self.parts:
            case (Literal(text, False),):
                return text
        return ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value` in front of a command or alone."""

    name: str
    value: Word


@dataclass(frozen=True, slots=True)
class Redirect:
    """`>file` and its kin; `target` is None for a here-document, whose body may assign `names` by `${name:=word}`."""

    operator: str
    target: Word | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simple:
    """Assignments, words and redirections."""

    line: int
    source: str
    assignments: tuple[Assignment, ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Commands one after another."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`, each of which a shell runs apart, or one that `!` negates."""

    line: int
    commands: tuple[Command, ...]
    negated: bool


class Joint(StrEnum):
    """When the right side of two commands is run."""

    AND = "&&"
    OR = "||"


@dataclass(frozen=True, slots=True)
class Joined:
    """`left && right` or `left || right`."""

    left: Command
    joint: Joint
    right: Command


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, the commands for either outcome; `elif` is an `if` in `otherwise`."""

    condition: Command
    then: Command
    otherwise: Command


@dataclass(frozen=True, slots=True)
class Loop:
    """`while`, or `until` when `until` is true."""

    line: int
    until: bool
    condition: Command
    body: Command


@dataclass(frozen=True, slots=True)
class For:
    """`for name in words`; without words it goes over the arguments."""

    line: int
    name: str
    words: tuple[Word, ...] | None
    body: Command


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a `case`."""

    patterns: tuple[Word, ...]
    body: Command


@dataclass(frozen=True, slots=True)
class Case:
    """`case subject in arms esac`."""

    subject: Word
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """`name() body`."""

    name: str
    body: Command


@dataclass(frozen=True, slots=True)
class Apart:
    """`( body )`, or `body &`: what it does to variables ends with it."""

    body: Command
    background: bool = False


@dataclass(frozen=True, slots=True)
class Redirected:
    """A compound command with redirections of its own."""

    line: int
    command: Command
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Foreign:
    """What not every shell reads: `[[ … ]]`, `(( … ))`. It may change the variables `names`, or all of them."""

    line: int
    source: str
    names: tuple[str, ...] = ()
    anything: bool = False


Command = Simple | Block | Pipeline | Joined | Branch | Loop | For | Case | Function | Apart | Redirected | Foreign
