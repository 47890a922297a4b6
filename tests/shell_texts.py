"""Profiles of Onload made at random, and what real shells make of them: the judge of our reader, which runs nothing.

The two functions of the wrapper that the texts use are written here after what is documented of them; the rest is the
shell's own.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

PRELUDE: Final = r"""
profileforce=false verbose=false
log() { :; }
vlog() { $verbose && log; }
err() { :; }
fail() { exit 1; }
onload_set() {
  if [ -n "$2" ]; then VAR="$1" VAL="$2"; else VAR="${1%%=*}" VAL="${1#*=}" VAL="${VAL%%=*}"; fi
  eval "present=\$$VAR"
  if $profileforce || [ -z "$present" ]; then
    eval "$VAR=\$VAL"
    export "$VAR"
  else
    vlog kept
  fi
}
onload_import() {
  imported="$1"
  shift
  . "./$imported.opf"
  vlog done
}
"""
ENDING: Final = "\nprintf 'THE END\\0'\nexec env -0\n"
NAMES: Final = tuple(f"EF_{letter}" for letter in "ABCDE")
SHELLS: Final[Mapping[str, Sequence[str]]] = {"dash": ("dash",), "bash": ("bash", "--posix")}
_PATTERNS: Final = ("*", "a*", "?", "[0-9]*", "3", "[!a]*", "'*'", '"a"', "b|3", "*x*")
# What the random texts do not hold: forms that are rare, wrong, or read by some shells only.
RARE: Final = (
    "if true; then onload_set EF_A 1",
    "onload_set EF_A $(echo 1",
    "onload_set EF_A 1; }",
    "(onload_set EF_A 1",
    "((EF_A=1))",
    "[[ -n $X",
    "[[ -n x && 1 -lt 2 ]] && onload_set EF_A 1",
    "function f { onload_set EF_A 1; }; f",
    "function 'a b' { :; }",
    "for 1 in a; do :; done",
    "for i in a b &; do :; done",
    "select EF_A in 1 2; do break; done",
    "case a in a) : esac",
    "case a in a) : ;;& b) : ;; esac",
    "case a in (a) onload_set EF_A 1;; esac",
    "1f() { :; }",
    "EF_A=(1 2); export EF_A",
    "EF_A+=1; export EF_A",
    "EF_A=(1 2",
    "onload_set EF_A 1 >",
    "unset -f f",
    "set -- 1 2; onload_set EF_A $2",
    "set a b; onload_set EF_A $1",
    "set -e; onload_set EF_A 1",
    'set $X; onload_set EF_A "$1"',
    "read EF_A; export EF_A",
    "read $X",
    'cd /; onload_set EF_A "$PWD"',
    "printf -v EF_A x; export EF_A",
    "getopts ab EF_A; export EF_A",
    "[ $(date) ]  && onload_set EF_A 1",
    "[ 1 -eq 1 ] && onload_set EF_A 1",
    "[ a = b -o c = c ] && onload_set EF_A 1",
    "[ ! a = b ] && onload_set EF_A 1",
    "[ -d / ] && onload_set EF_A 1",
    "[ ! -d / ] && onload_set EF_A 1",
    "[ 1 -eq x ] && onload_set EF_A 1",
    "[ a -nt b ] && onload_set EF_A 1",
    "[ -t 1 ] && onload_set EF_A 1",
    "[ ] || onload_set EF_A 1",
    "[ a b ] || onload_set EF_A 1",
    "[ a b c d e ] || onload_set EF_A 1",
    "[ \\( a \\) ] && onload_set EF_A 1",
    '[ -z "" ] && onload_set EF_A 1',
    "onload_set EF_A $((2+3*4))",
    "onload_set EF_A $((7/0))",
    "onload_set EF_A $((x=3, x))",
    "onload_set EF_A $((1 ? 2 : 3))",
    "onload_set EF_A $((010 + 0x10))",
    "onload_set EF_A $((1 +))",
    "onload_set EF_A $((99999999999999999999))",
    "onload_set EF_A $((~1 ^ 3 | 4 & 5 << 1 >> 1))",
    "onload_set EF_A $((1<2 && 2>=2 || 0 != 1))",
    "onload_set EF_A $((x += 2))",
    "onload_set EF_A $((x++))",
    "onload_set EF_A $((2**3))",
    "onload_set EF_A ${X:-d}",
    "onload_set EF_A ${#X}",
    "X=abc; onload_set EF_A ${#X}",
    "X=abc; onload_set EF_A ${X#a}",
    "X=abcabc; onload_set EF_A ${X##*b}",
    "X=abcabc; onload_set EF_A ${X%c*}",
    "X=abcabc; onload_set EF_A ${X%%b*}",
    "X=abc; onload_set EF_A ${X:1}",
    "X=abc; onload_set EF_A ${X/a/b}",
    "X=a; onload_set EF_A ${!X}",
    "onload_set EF_A ${X?no}",
    "onload_set EF_A ${1x}",
    "onload_set EF_A $!",
    "onload_set EF_A $#",
    "onload_set EF_A $-",
    'onload_set EF_A "$@"',
    "onload_set EF_A $0",
    "onload_set EF_A $'x'",
    "onload_set EF_A ~",
    "onload_set EF_A `echo 1`",
    'onload_set EF_A "`echo 1`"',
    'onload_set EF_A "$(',
    "shift 5",
    "shift; onload_set EF_A $1",
    "eval 'onload_set EF_A 1'",
    'eval "$(date)"',
    "trap 'x' EXIT",
    "alias x=y",
    "readonly EF_A=1; export EF_A; onload_set EF_B 2",
    "readonly EF_A=1; onload_set EF_A 2",
    "return 3",
    "while true; do break; done; onload_set EF_A 1",
    "until false; do break 1; done; onload_set EF_A 1",
    "! true || onload_set EF_A 1",
    "true & onload_set EF_A 1",
    "{ onload_set EF_A 1; } > /dev/null",
    "onload_set EF_A 1 2>&1 | cat",
    "case b in a|b) onload_set EF_A 1;; *) onload_set EF_A 2;; esac",
    "f() { shift; onload_set EF_A $1; }; f 1 2",
    "f() { set -- 7; onload_set EF_A $1; }; f 1; onload_set EF_B $1",
    "set -f; onload_set EF_A 1",
    "set -x; onload_set EF_A 1; set +x",
    "f() { onload_set EF_A 1; }; unset -f f; f",
    "[ -z ] && onload_set EF_A 1",
    "[ ! ] && onload_set EF_A 1",
    "[ ! a ] || onload_set EF_A 1",
    "[ a = ] && onload_set EF_A 1",
    "onload_set EF_A $((1 ? 0 ? 3 : 4 : 5))",
    "onload_set EF_A $(( (1 + 2) * -3 ))",
    "N=5; onload_set EF_A $((N %= 3)); onload_set EF_B $N",
    "N=abc; onload_set EF_A $((N + 1))",
    "onload_set EF_A $((08))",
    "onload_set EF_A $((1 1))",
    "onload_set EF_A $(((1))",
    "X='a b'; onload_set EF_A $X",
    'X=a; Y=${X%"a"}; onload_set EF_A "x$Y"',
    'X=\'a*\'; onload_set EF_A "${X#\'a*\'}z"',
    'onload_set EF_A "${X-"a b"}"',
    "unset X; onload_set EF_A ${X=7}; onload_set EF_B $X",
    "X=; onload_set EF_A ${X:?no}",
    "onload_set EF_A 1; ${X?}",
    "cat <<E\n$X\nE\nonload_set EF_A 1",
    "cat <<-'E'\n\t$X\n\tE\nonload_set EF_A 1",
    "cat <<E\nnever",
    "onload_set EF_A 1 # said",
    "onload_set \\\nEF_A 1",
    "if false; then :; elif true; then onload_set EF_A 1; else onload_set EF_A 2; fi",
    "for i; do onload_set EF_A 1; done",
    "for i in 1 2 3; do [ $i = 2 ] && continue; onload_set EF_$i $i; onload_set EF_A $i; done",
    "for i in 1 2; do for j in 1 2; do break 2; done; done; onload_set EF_A $i$j",
    "X=1 Y=2 onload_set EF_A 1; onload_set EF_B $Y",
    "EF_A=1 true; onload_set EF_A 2",
    ": ${EF_A:=3}; export EF_A",
    "export EF_A EF_B=2; EF_A=1",
    "readonly EF_B=1; EF_B=2; onload_set EF_A 1",
    "f() { return 3; }; f; onload_set EF_A $?",
    "false; onload_set EF_A $?",
    "! false; onload_set EF_A $?",
    "f() { f; }; f; onload_set EF_A 1",
    "{ onload_set EF_A 1",
    "done",
    "esac",
    "onload_set EF_A 'x",
    'onload_set EF_A "x',
    "onload_set EF_A ${X",
    "fi; onload_set EF_A 1",
    "if; then :; fi",
    "(onload_set EF_A 1); onload_set EF_B 2",
    "onload_set EF_A 1 &&",
    "| onload_set EF_A 1",
    ";; onload_set EF_A 1",
    "f() onload_set EF_A 1; f",
    "case x in",
    "while do done",
    "f() { local X=1; onload_set EF_A $X; }; f; onload_set EF_B ${X:-q}",
)  # fmt: skip
# In what follows, % stands before a letter for something random: Name of Onload, Other name, Atom, Condition, Body,
# Simple command, Pattern, Formula.
_ATOMS: Final = (
    "1", "3", "abc", "a", "b", "-1", "$%O", '"$%O"', "${%O}", "${%O:-5}", "${%O-d}", "${%O:+y}", "${%O+y}", "${%O:=3}",
    "${#%O}", "${%O%b*}", "${%O##*a}", '"${%O:-a b}"', "'a b'", '"a  b"', r"a\ b", "''", "$((%F))", '"$((%F))"',
    '"$(echo 3)"', "$(echo a)", "`echo b`", "x$%O", '"$%O"z', "$?", "a\\\nb", "${%O#?}", "${%O:-${X:-q}}", r'"a\"b"',
    "$#", "a=b", "${X:-'s'}", r'"\a\$"', "${%O%%[0-9]}", "$1", "'$X'", "$%O$%O", r"\a", "~", "~/x", '"~/x"',
)  # fmt: skip
_NUMBERS: Final = ("1", "2", "7", "0x10", "010", "N", "$N", "${N:-4}", "EF_A", "0")
_FORMULAS: Final = (
    "%F + %F", "%F * %F", "(%F - %F)", "%F / (%F + 1)", "%F % 3", "%F << 2", "%F < %F", "%F == %F", "%F ? %F : 2", "!%F",
    "~%F", "%F && %F", "N = %F", "%F || %F", "%F & %F", "%F ^ %F", "N += %F", "-(%F)", "%F >> 1", "%F | %F", "%F != %F",
)  # fmt: skip
_CONDITIONS: Final = (
    '[ -z "$%O" ]', '[ -n "$%O" ]', '[ "$%O" = %A ]', "[ %A != %A ]", "[ %A -gt %A ]", "[ %A -le 3 ]", 'test "$%O"', "true",
    "false", "[ -e /etc/passwd ]", '[ ! "$%O" = 3 ]', "$(echo true)", "[ ! -z $%O ]", "[ $%O ]", '[ -n "$%O" -a -z "$X" ]',
    '[ "$%O" = a -o "$X" = 3 ]', "uname >/dev/null", "[ 1 -eq 1 ]", "$verbose", "f", '[ "x$%O" = x ]', "[ $((%F)) -gt 1 ]",
)  # fmt: skip
_SIMPLE: Final = (
    *["onload_set %N %A"] * 12, "onload_set %N=a", "onload_set %N=3", "%O=%A", "%O=%A", "export %N=1", "export %N=$N",
    'export %N="$X"', "export %N", "unset %O", 'onload_set %N "$X"', "onload_import one", "onload_import two", "log a",
    "echo $X >/dev/null", ":", "f %A", 'eval "%O=7"', "%O=%A true", ": ${%O:=2}", "X=%A Y=%A", "set -- a b c", "shift",
    "onload_set %N $1", 'onload_set %N "$#"', "cat <<E >/dev/null\nonload_set %N 9\nE\n:", 'onload_set %N "$*"',
    "cat <<-'E' >/dev/null\n\tonload_set %N ${X:=3}\n\tE\n:", "onload_set %N %A >/dev/null", "onload_set %N ${1:-z}",
    "command true", "cat <<E >/dev/null\n${%O:=3} $N\nE\n:", "read X </dev/null", "export Q%N=%A", "unset X Y", "EF_A=%A",
    ': "$((N = %F))"', "onload_set %N %A # and \\",
)  # fmt: skip
_BLOCKS: Final = (
    "if %C; then %B\nfi", "if %C\nthen\n%B\nelse %B\nfi", "if %C; then %B\nelif %C; then %B\nelse\n%B\nfi", "%C && %S",
    "%C || %S", "%C && %S || %S", "case %A in %P) %B\n;; %P) %S\n;; esac", "case $%O in\n(%P)\n%B\nesac",
    "for X in %A b %A; do %B\n:\ndone", "for X in a b %A; do %S\n%C && break\n%S\ndone",
    'for X in a b c; do %S\n[ "$X" = b ] && continue\n%S\ndone', "N=0; while [ $N -lt 3 ]; do N=$((N + 1)); %B\ndone",
    "for Y; do %B\ndone", "f() { %B\n%S\n}\nf %A", "f() { %S\n%C && return\n%S\n}\nf %A", "f() { %S\nreturn 1\n%S\n}\nf %A",
    "( %B\n)", "{ %B\n}", "%C | { %B\n}", "{ %B\n} >/dev/null", "%C && return", "return 1", "%C && exit 1", "fail x",
    "f() { local X; X=%A; %B\n}\nf", "! [ $%O ]", 'f() { onload_set %N "$1"; }\nf %A', "until %C; do %S\nbreak\ndone", "%S & wait",
    "for X in 1 2; do for Y in a b; do %S\n%C && break 2\n%S\ndone\ndone", 'if [ "$EF_A" ]; then return; fi',
)  # fmt: skip


class Writer:
    """Writes texts; the same number gives the same text."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)

    def text(self) -> str:
        """Return a whole profile."""
        endings = ("\n", "\n", "\n", "; ", " # c \\\n")
        return "".join(self._block(0) + self._one(endings) for _ in range(self._random.randint(2, 9))) + "\n"

    def _one(self, choices: Sequence[str]) -> str:
        return self._random.choice(choices)

    def _filled(self, template: str, depth: int) -> str:
        written, rest = "", template
        while rest:
            before, sign, rest = rest.partition("%")
            written += before
            if sign:
                letter, rest = rest[:1], rest[1:]
                written += self._hole(letter, depth)
        return written

    def _hole(self, letter: str, depth: int) -> str:
        names = {"N": NAMES, "O": (*NAMES, "X", "Y", "N"), "P": _PATTERNS}
        if letter in names:
            return self._one(names[letter])
        if letter == "F":
            return self._filled(
                self._one(_NUMBERS if self._random.random() < 0.4 + depth / 5 else _FORMULAS), depth + 1
            )
        if letter == "B":
            return "\n".join(self._block(depth + 1) for _ in range(self._random.randint(1, 2)))
        templates = {"A": _ATOMS, "C": _CONDITIONS, "S": _SIMPLE}
        return self._filled(self._one(templates[letter]), depth) if letter in templates else "%" + letter

    def _block(self, depth: int) -> str:
        simple = depth > 2 or self._random.random() < 0.5
        return self._filled(self._one(_SIMPLE if simple else _BLOCKS), depth)


def environment(number: int) -> dict[str, str]:
    """Return the variables that the caller of a text has: all that the texts read, but for those of Onload."""
    chosen = random.Random(-number - 1)
    some = {name: chosen.choice(["3", "a", "abc"]) for name in NAMES if chosen.random() < 0.2}
    return {"X": chosen.choice(["", "a", "3", "b c"]), "Y": "b", "N": chosen.choice(["2", "12"])} | some


def shown(folder: Path, shell: Sequence[str], variables: Mapping[str, str]) -> dict[str, str] | None:
    """Return the environment that a program gets behind the profile `main.opf`, None where the shell ends before.

    Raise `subprocess.TimeoutExpired` for a text that never ends.
    """
    script = f"{PRELUDE}. ./main.opf{ENDING}"
    done = subprocess.run(
        [*shell, "-c", script], cwd=folder, env={"PATH": "/usr/bin:/bin", "FUNCNEST": "50", **variables}, capture_output=True, timeout=3,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    _, end, rest = done.stdout.partition(b"THE END\0")
    return dict(_pairs(rest)) if end else None


def _pairs(output: bytes) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (each.decode().partition("=") for each in output.split(b"\0")) if name]
