"""The tree of commands: where each one is, and what the lists of commands say of it.

A table, because importing a command is most of what a cheap one costs: a list of commands imports none of them. What a
command does stands in its docstring; `brief` is the first sentence of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PROGRAM: Final = "tuner"
HELP: Final = """Find the best profile of a network stack for this host and this traffic, and confirm it by measurement.

\b
Examples:
  tuner check                      is this host ready to measure?
  tuner tune latency --budget 90s  search, confirm, write the winner
  tuner measure latency            what does one profile give?
  tuner compare default latency    is one better than the other?
  tuner minimise latency           which of its settings matter?
  tuner report --open              how did the last session get its result?
  tuner run latency -- COMMAND     start a program under a profile
  tuner apply latest --target env:app.env   put the winner where it is used
  tuner params show XLIO_RX_POLL   what does a variable do?
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `function` in the module of that name in `tuner.cli.commands`."""

    module: str
    function: str
    brief: str


@dataclass(frozen=True, slots=True)
class Noun:
    """A word with commands of its own: `tuner params show`."""

    brief: str
    commands: Mapping[str, Command]


COMMANDS: Final[Mapping[str, Command]] = {
    "tune": Command(
        "tune", "tune", "Find the best profile for this host and workload, confirm it by measurement, and write it."
    ),
    "measure": Command(
        "measure",
        "measure",
        "Measure one profile several times and print each metric's median, confidence interval and number of runs.",
    ),
    "compare": Command(
        "compare",
        "compare",
        "Measure two profiles in interleaved blocks and say how many times better B is than A, with a 95 % confidence interval.",
    ),
    "minimise": Command(
        "minimise",
        "minimise",
        "Remove the settings that have no effect from a profile, and say how much each remaining one contributes.",
    ),
    "check": Command(
        "check",
        "check",
        "Say whether this host is ready to measure: what is missing, what makes it noisy, and what to do about it.",
    ),
    "verify": Command(
        "verify",
        "verify",
        "Start an empty program with the library and read from its banner what became of each setting.",
    ),
    "report": Command(
        "report",
        "report",
        "Make the report of a session from the database alone: one HTML file that needs no network.",
    ),
    "export": Command(
        "export",
        "export",
        "Write a profile in a form in which it is deployed: an environment file, a drop-in, a ConfigMap, a script.",
    ),
    "import": Command(
        "import_",
        "import_",
        "Read settings out of what you have, check them, and write them as a profile.",
    ),
    "apply": Command(
        "apply",
        "apply",
        "Put a profile into a file in use: show the difference, ask, keep the previous file, replace it in one step.",
    ),
    "run": Command("run", "run", "Start a program under a profile."),
}

_PROFILES: Final = Noun(
    "List, show, check, compare and write profiles: named sets of values for a stack's variables.\n\n"
    "A profile is named `latency`, `xlio/latency` or by a path that ends in .toml; `default` is the stack without "
    "any setting. Names are looked for in ./profiles, in ~/.config/tuner/profiles and in the package.",
    {
        "json": Command("profile_json", "to_json", "Print a profile as XLIO's JSON configuration."),
        "import": Command(
            "profile_json", "from_json", "Write a profile with the settings of XLIO's JSON configuration."
        ),
        "translate": Command(
            "translate", "translate", "Translate a profile for another stack: the same ideas in its names and units."
        ),
        "list": Command(
            "profiles",
            "list_",
            "List every profile that can be named, and where it is found; `profiles show` and --json say the file.",
        ),
        "show": Command("profiles", "show", "Show what a profile sets, and why, together with what it extends."),
        "lint": Command(
            "profiles",
            "lint",
            "Check profiles: what a stack would ignore, replace or refuse, and settings that do nothing.",
        ),
        "diff": Command(
            "profiles", "diff", "Compare two profiles setting by setting, each together with what it extends."
        ),
        "new": Command("profiles", "new", "Write a new profile to ./profiles/STACK/NAME.toml and print its path."),
        "effective": Command(
            "effective",
            "effective",
            "Show what a library will really use: defaults, preset, what is set, and what the library makes of it.",
        ),
        "migrate": Command(
            "migrate",
            "migrate",
            "Convert a profile to another release: names, spellings, numbers that changed their meaning, presets that are "
            "gone.",
        ),
    },
)
_PARAMS: Final = Noun(
    "Look up the settings of a stack: what they do, what they accept, their defaults by release.",
    {
        "import-schema": Command(
            "schema",
            "import_schema",
            "Add what a release's schema says to the catalogue: new parameters, other defaults, other keys.",
        ),
        "list": Command(
            "params",
            "list_",
            "List the settings of a stack, and the names in the vendor's documents that only look like settings.",
        ),
        "show": Command("params", "show", "Show everything about one setting."),
        "search": Command("params", "search", "Find settings by what they do."),
    },
)
_SESSIONS: Final = Noun(
    "List, show, resume and judge sessions.",
    {
        "list": Command("sessions", "list_", "List the sessions of a results folder, oldest first."),
        "show": Command("sessions", "show", "Show a session's summary, made again from the database."),
        "resume": Command("sessions", "resume", "Continue an interrupted session within the rest of its budget."),
        "judge": Command(
            "sessions",
            "judge",
            "Compute a session's answer again from its stored runs alone, and say whether it is the answer that it gave.",
        ),
    },
)
_CONF: Final = Noun(
    "Check, explain, ask and write offload rules: the file that says which sockets a stack takes and which the kernel "
    "keeps.\n\n"
    "The vendor documents one grammar and ships a parser that reads another; the answers say both.",
    {
        "lint": Command(
            "conf",
            "lint",
            "Check a file: what the library's parser refuses, drops or reads as something else, and rules that do "
            "nothing.",
        ),
        "explain": Command(
            "conf",
            "explain",
            "Explain what each rule does, and which have no effect because another one comes first or reading stops "
            "before.",
        ),
        "match": Command(
            "conf",
            "match",
            "Say whether a program's socket would be offloaded, and by which line: as parsed, and as documented.",
        ),
        "new": Command("conf", "new", "Write a file that the library's parser reads as it is meant."),
    },
)
_ONLOAD: Final = Noun(
    "Onload: read and write its profiles, explain its stack names, show what its library prints.",
    {
        "import": Command(
            "onload",
            "import_",
            "Read profiles of Onload (.opf) as its wrapper does, and print or write a profile of tuner.",
        ),
        "export": Command(
            "onload",
            "export",
            "Write a profile in the form of Onload's wrapper: the same as `tuner export PROFILE --to opf`.",
        ),
        "stackname": Command("onload", "stackname", "Explain in which stack each new socket lands."),
        "probe": Command(
            "onload",
            "probe",
            "Open one socket under Onload on its own terminal, and show what the library prints only there.",
        ),
    },
)
NOUNS: Final[Mapping[str, Noun]] = {
    "profiles": _PROFILES,
    "params": _PARAMS,
    "sessions": _SESSIONS,
    "conf": _CONF,
    "onload": _ONLOAD,
}


def beneath(name: str) -> Mapping[str, Command | Noun]:
    """Return the commands of the program or of a noun, in the order of `--help`."""
    return {**COMMANDS, **NOUNS} if name == PROGRAM else NOUNS[name].commands
