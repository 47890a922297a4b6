"""The tree of commands: where each one is, and what the lists of commands say of it.

A table, because importing a command is most of what a cheap one costs: a list of commands imports none of them. What a
command does is in its docstring; `brief` is the first sentence of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PROGRAM: Final = "tuner"
STORE: Final = "TUNER_STORE"
"""The environment variable that stands for `--store`; a password in it is in nobody's list of processes."""
LONGEST_BRIEF: Final = 60
"""The characters that an 80-column terminal shows of a command's line."""
HELP: Final = """Find the best profile of a network stack for this host and this traffic, and confirm it by measurement.

\b
Examples:
  tuner check                      is this host ready to measure?
  tuner tune latency --budget 90s  search, confirm, write the best profile
  tuner measure latency            what does one profile give?
  tuner compare default latency    is one better than the other?
  tuner minimise latency           which of its settings matter?
  tuner report --open              how did the last session get its result?
  tuner run latency -- COMMAND     start a program with a profile
  tuner apply latest --target env:app.env   write the best profile into a file
  tuner params show XLIO_RX_POLL   what does a variable do?
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command: `function` in the module of that name in `tuner.cli.commands`.

    `brief` is one line of a list, so it has at most `LONGEST_BRIEF` characters: what is longer is cut.
    """

    module: str
    function: str
    brief: str


@dataclass(frozen=True, slots=True)
class Noun:
    """A word with commands of its own: `tuner params show`."""

    brief: str
    commands: Mapping[str, Command]


COMMANDS: Final[Mapping[str, Command]] = {
    "tune": Command("tune", "tune", "Find, confirm and write the best profile for this host."),
    "measure": Command(
        "measure",
        "measure",
        "Measure one profile several times.",
    ),
    "compare": Command(
        "compare",
        "compare",
        "Measure whether one profile is better than another.",
    ),
    "check-regression": Command(
        "check_regression", "check_regression", "Check whether a profile is still as good as it was."
    ),
    "minimise": Command(
        "minimise",
        "minimise",
        "Remove the settings that have no effect from a profile.",
    ),
    "check": Command(
        "check",
        "check",
        "Check whether this host is ready to measure.",
    ),
    "verify": Command(
        "verify",
        "verify",
        "Show what the installed library makes of each setting.",
    ),
    "report": Command(
        "report",
        "report",
        "Make the report of a session: one HTML file.",
    ),
    "serve": Command("serve", "serve", "Show the sessions of a store as pages, live as they run."),
    "history": Command("history", "history", "Show a profile's history, and where its figure changed."),
    "export": Command(
        "export",
        "export",
        "Write a profile for systemd, Docker, Kubernetes, others.",
    ),
    "import": Command(
        "import_",
        "import_",
        "Make a profile of the settings in an existing file.",
    ),
    "apply": Command(
        "apply",
        "apply",
        "Write a profile into a file in use, with a way back.",
    ),
    "recommend": Command("recommend", "recommend", "Say what sessions of all hosts recommend for this one."),
    "run": Command("run", "run", "Start a program with a profile."),
}

_PROFILES: Final = Noun(
    "List, check, compare and convert profiles.\n\n"
    "A profile is a named set of values for a stack's variables. It is named `latency`, `xlio/latency` or by a path that "
    "ends in .toml; `default` is the stack without any setting. Names are looked for in ./profiles, in "
    "~/.config/tuner/profiles and in the package.",
    {
        "json": Command("profile_json", "to_json", "Print a profile as XLIO's JSON configuration."),
        "import": Command("profile_json", "from_json", "Make a profile of XLIO's JSON configuration."),
        "translate": Command("translate", "translate", "Translate a profile for another stack."),
        "list": Command(
            "profiles",
            "list_",
            "List all profiles, and the folder of each.",
        ),
        "show": Command("profiles", "show", "Show what a profile sets, and why."),
        "lint": Command(
            "profiles",
            "lint",
            "Check profiles for mistakes.",
        ),
        "diff": Command("profiles", "diff", "Compare two profiles setting by setting."),
        "new": Command("profiles", "new", "Write a new profile and print its path."),
        "effective": Command(
            "effective",
            "effective",
            "Show the values that a library will really use, and why.",
        ),
        "migrate": Command(
            "migrate",
            "migrate",
            "Convert a profile to another release.",
        ),
    },
)
_PARAMS: Final = Noun(
    "Look up the settings of a stack.\n\nWhat they do, which values they accept, and their defaults in each release.",
    {
        "import-schema": Command(
            "schema",
            "import_schema",
            "Add the parameters of a new release, from its schema.",
        ),
        "list": Command(
            "params",
            "list_",
            "List the settings of a stack.",
        ),
        "show": Command("params", "show", "Show everything about one setting."),
        "search": Command("params", "search", "Find settings by what they do."),
    },
)
_SESSIONS: Final = Noun(
    "List, show, resume sessions, and compute answers again.",
    {
        "list": Command("sessions", "list_", "List the sessions of a store, oldest first."),
        "show": Command("sessions", "show", "Show a session's summary, made again from the database."),
        "resume": Command("sessions", "resume", "Continue an interrupted session."),
        "gc": Command("sessions", "gc", "Drop the bulk of finished sessions, and keep their verdicts."),
        "judge": Command(
            "sessions",
            "judge",
            "Compute a session's answer again, and compare.",
        ),
    },
)
_STORE: Final = Noun(
    "Check, salvage, copy and upgrade the database.",
    {
        "check": Command("store", "check", "Say what of a store can be read, and what is damaged."),
        "copy": Command("store", "copy", "Copy sessions into another store, a file or a server."),
        "upgrade": Command("store", "upgrade", "Bring a store of an earlier release to the present format."),
        "salvage": Command("store", "salvage", "Copy what can be read of a damaged store into a new one."),
    },
)
_RECIPES: Final = Noun(
    "List and show recipes: other benchmarks to measure with.\n\n"
    "A recipe says which commands are a benchmark's ends and which numbers they print: `docs/workloads.md`.",
    {
        "list": Command("recipes", "list_", "List the recipes of this package: what each measures."),
        "show": Command("recipes", "show", "Show a recipe as it is written, and whether it is trusted."),
        "new": Command("recipes", "new", "Write a recipe to begin with."),
    },
)
_CONF: Final = Noun(
    "Check, explain and write offload rules (libxlio.conf).\n\n"
    "The rules say which sockets a stack takes and which the kernel keeps. The vendor documents one grammar and ships a "
    "parser that reads another; the answers cover both.",
    {
        "lint": Command(
            "conf",
            "lint",
            "Check a file of offload rules.",
        ),
        "explain": Command(
            "conf",
            "explain",
            "Explain what each rule does, and which have no effect.",
        ),
        "match": Command(
            "conf",
            "match",
            "Show whether a socket would be offloaded, and why.",
        ),
        "new": Command("conf", "new", "Write a file of offload rules."),
    },
)
_ONLOAD: Final = Noun(
    "Onload: its profiles, stack names, and what it prints.",
    {
        "import": Command(
            "onload",
            "import_",
            "Make a profile of Onload's own profiles (.opf).",
        ),
        "export": Command(
            "onload",
            "export",
            "Write a profile as Onload's own (.opf).",
        ),
        "stackname": Command("onload", "stackname", "Explain in which stack each new socket lands."),
        "probe": Command(
            "onload",
            "probe",
            "Show what Onload prints on a terminal.",
        ),
    },
)
_LAB: Final = Noun(
    "Make hosts out of this machine to try and test pairs.",
    {
        "up": Command("lab", "up", "Make pairs of hosts, each with its own network and sshd."),
        "status": Command("lab", "status", "Say which labs are up, and which left something."),
        "exec": Command("lab", "exec_", "Run a program on a host of a lab, by ssh."),
        "down": Command("lab", "down", "End a lab, or remove what a killed one left."),
    },
)
NOUNS: Final[Mapping[str, Noun]] = {
    "profiles": _PROFILES,
    "params": _PARAMS,
    "sessions": _SESSIONS,
    "store": _STORE,
    "recipes": _RECIPES,
    "conf": _CONF,
    "onload": _ONLOAD,
    "lab": _LAB,
}


def beneath(name: str) -> Mapping[str, Command | Noun]:
    """Return the commands of the program or of a noun, in the order of `--help`."""
    return {**COMMANDS, **NOUNS} if name == PROGRAM else NOUNS[name].commands
