"""Onload: a library preloaded under the program, known by its banner and by the names of its descriptors.

The banner only says that a stack was made. What a socket really is stands in the text of its link in
`/proc/PID/fd`: `onload:[udp:0:12]` lies in a stack, `onload:[os_sock:…]` and `socket:[…]` are the kernel's.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Final

from tuner.errors import Finding, error, warning
from tuner.stacks.banner import Banner
from tuner.stacks.onload.naming import TOLD
from tuner.stacks.stack import Proof, Seen, Stack, from_loader_cache, loader_words
from tuner.terminal_text import plain

CONTROL: Final = "EF_DONT_ACCELERATE"
API: Final = "onload_set_stackname"
"""A function that every release of the library exports, and no other stack does."""
ONE_SOCKET: Final = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
)
"""A program that makes one socket, because a stack is made with its first socket and says nothing before."""
PREFIX: Final = r"oo:(?P<who>.{1,16}?)\[(?P<pid>\d{1,10})\]: "
# The release is any text: a build from git says its commit, date and branch, and another `<dev-snapshot>`. In front of the
# line may stand what a container runtime or the journal puts there.
_BANNER: Final = re.compile(
    r"(?:^|(?<=[\s|>\"'`]))" + PREFIX + r"(?P<verb>Using|Sharing|Importing) (?P<product>\S+)(?: (?P<release>\S.*?))? *"
    r"\[(?P<stack>\d{1,10})(?:,(?P<name>[^\]]*))?\]\W*$"
)
_ACCELERATED: Final = re.compile(r"onload:\[(?:udp|tcp|tcpl):\d+:\d+\]")
_KERNEL: Final = re.compile(r"onload:\[os_sock:[^\]]*\]|socket:\[\d+\]")
_NO_DRIVER: Final = "Failed to open /dev/onload"
_BUILD: Final = re.compile(r"^Built: .*\((?P<kind>release|debug)\)", re.MULTILINE)
_PRODUCT: Final = re.compile(r"^(?:\S*Onload (?P<text>\S.*?)|[A-Za-z]\S* (?P<release>\d+(?:\.\d+)+))\s*$", re.MULTILINE)
_FAILED: Final = (
    re.compile(r"tuner: onload_set_stackname\(.*"),
    re.compile(r".*citp_oo_get_cpu_khz: Failed to open /dev/onload.*"),
    re.compile(r".*Driver/Library version mismatch detected.*"),
    re.compile(r".*This application will not be accelerated.*"),
    re.compile(r".*netif_tcp_helper_alloc_u: ENODEV.*"),
)
_SAME_HOST: Final = "traffic inside one host is the kernel's unless EF_TCP_SERVER_LOOPBACK and EF_TCP_CLIENT_LOOPBACK are set (TCP only)"


@dataclass(frozen=True, slots=True)
class Notice:
    """One stack that a process announced: `Using` made it, `Sharing` joined it by its name, `Importing` inherited it."""

    process: str
    pid: int
    verb: str
    product: str
    release: str
    stack: int
    name: str


def notices(text: str) -> tuple[Notice, ...]:
    """Return the stacks that the output of processes announces, in their order."""
    found = (_BANNER.search(line.strip()) for line in plain(text).splitlines())
    return tuple(
        Notice(m["who"], int(m["pid"]), m["verb"], m["product"], m["release"] or "", int(m["stack"]), m["name"] or "")
        for m in found
        if m is not None
    )


def recognise(stderr: str, stdout: str, seen: Seen) -> Proof:
    """Return whether a process ran its sockets in an Onload stack, and if not why.

    A control run (`EF_DONT_ACCELERATE=1`) is right when nothing is accelerated.
    """
    text = f"{stdout}\n{stderr}"
    made = notices(text)
    banner = Banner(made[-1].product, made[-1].release) if made else Banner()
    reason = _reason(text, made, seen)
    return Proof(loaded=not reason, reason=reason, banner=banner)


def library_problem(said: str) -> str:
    """Return why a library that introduced itself so is not to be measured: empty when nothing is against it.

    Onload's library is a program too: it prints its version, and whether it was built for debugging.
    """
    build = _BUILD.search(said)
    if build is not None and build["kind"] == "debug":
        return "it is a debug build: its measurements are not those of a release"
    return ""


def version(said: str) -> str:
    """Return the release that the library or its wrapper prints (`9.2.0.43`, `6700428b 2023-06-07 master`), empty when none."""
    found = _PRODUCT.search(said)
    return found["text"] or found["release"] if found else ""


def complaints(text: str) -> list[Finding]:
    """Return what Onload said against the variables of a process, as findings by variable.

    Most of it is only ever said to a terminal.
    """
    return [found for line in text.splitlines() if (found := _complaint(line.strip())) is not None]


def _reason(text: str, made: tuple[Notice, ...], seen: Seen) -> str:
    failed = _said_failure(text)
    if seen.settings.get(CONTROL) == "1":
        return loader_words(text) or _accelerated_control(made, seen)
    if not made:
        return failed or loader_words(text) or "no line `oo:…: Using Onload …` in the output: no stack was made"
    kernel = [link for link in seen.links if _KERNEL.fullmatch(link)]
    if kernel and not any(_ACCELERATED.fullmatch(link) for link in seen.links):
        return f"a stack was made but the sockets are the kernel's ({', '.join(kernel[:3])}): {_SAME_HOST}"
    return failed


def _accelerated_control(made: tuple[Notice, ...], seen: Seen) -> str:
    if made or any(_ACCELERATED.fullmatch(link) for link in seen.links):
        return f"{CONTROL}=1 was set and a stack was created anyway"
    return ""


def _said_failure(text: str) -> str:
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if any(each.fullmatch(line) for each in _FAILED)), "")


_UNKNOWN: Final = re.compile(PREFIX + r'Unknown option "(?P<name>EF_\w+)(?:=(?P<value>.*))?" identified')
_BAD: Final = re.compile(r"(?:.*: )?citp: bad option '(?P<name>EF_\w+)=(?P<value>.*)'")
_LIMIT: Final = re.compile(
    r"(?:.*: )?config: ERROR - option (?P<name>\w+) \((?P<value>-?\d+)\) (?P<side>larger|smaller) than "
    r"(?:maximum|minimum) \((?P<limit>-?\d+)\)"
)
_WORD: Final = re.compile(
    r"(?:.*: )?(?P<name>EF_\w+)='(?P<value>[^']*)' not recognised, defaulting to '(?P<limit>[^']*)'"
)


def _complaint(line: str) -> Finding | None:
    if found := _UNKNOWN.fullmatch(line):
        return warning(found["name"], "Onload does not know this variable", "see `tuner params list --stack onload`")
    if found := _BAD.fullmatch(line):
        return error(found["name"], f"{found['value']!r} is not a number: Onload keeps its default", "write a number")
    if found := _LIMIT.fullmatch(line):
        name = f"EF_{found['name'].upper()}"
        return error(name, f"{found['value']} is out of range: Onload uses {found['limit']}", f"write {found['limit']}")
    if found := _WORD.fullmatch(line):
        return error(found["name"], f"Onload does not know {found['value']!r} and uses {found['limit']!r}")
    if _NO_DRIVER in line:
        return error("/dev/onload", "cannot be opened: the driver is missing, so every socket is the kernel's")
    return None


STACK: Final = Stack(
    name="onload",
    version_tag="Onload",
    locate=lambda cache: from_loader_cache(cache, "libonload.so"),
    # Messages would go to the kernel's log, and a socket that cannot be accelerated would silently be the kernel's.
    forced={"EF_LOG_VIA_IOCTL": "0", "EF_NO_FAIL": "0", "EF_LOG": None, "EF_LOG_FILE": None},
    advice="install Onload and load its driver, or name the library with --lib PATH",
    recognise=recognise,
    library_problem=library_problem,
    mark=API,
    smallest=ONE_SOCKET,
    told=TOLD,
    # These profiles measure something else than the program that is tuned, or need a server's memory and workers.
    excluded_settings=frozenset({CONTROL, "EF_UDP", "EF_TCP", "EF_CLUSTER_NAME", "EF_TCP_SHARED_LOCAL_PORTS"}),
)
