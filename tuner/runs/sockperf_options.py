"""Arguments for sockperf that are given as they are: to which end each goes, and which would break a measurement.

Option names are those of sockperf 3.7 to 3.10 (its help, its public sources).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tuner.errors import Finding, did_you_mean, error
from tuner.runs.benchmark import Features
from tuner.runs.workload import Workload

WHERE: Final = "workload.further_args"
_SERVER_ONLY: Final = frozenset(
    {"--cpu-affinity", "--vmarxfiltercb", "--force-unicast-reply", "-g", "--gap-detection", "--threads-num"}
)
_CLIENT_ONLY: Final = frozenset(
    {"--dummy-send", "--data-integrity", "--ci_sig_level", "--reply-size", "--tcp_nb_connect_timeout_ms"}
)
_OUR_OWN: Final[Mapping[str, str]] = {
    "--tcp": "use --protocol tcp",
    "-i": "use --address",
    "--ip": "use --address",
    "--addr": "use --address",
    "-p": "each run takes a free port",
    "--port": "each run takes a free port",
    "-f": "use --feed",
    "--file": "use --feed",
    "-F": "use --multiplexer",
    "--iomux-type": "use --multiplexer",
    "-t": "use --duration",
    "--time": "use --duration",
    "-n": "use --duration",
    "--number-of-packets": "use --duration",
    "-m": "use --message-bytes",
    "--msg-size": "use --message-bytes",
    "-r": "use --range",
    "--range": "use --range",
    "--mps": "use --rate",
    "--pps": "use --rate",
    "-b": "use --burst",
    "--burst": "use --burst",
    "--reply-every": "use --reply-every of this program",
    "--data-file": "use --playback",
    "--threads-num": "use --server-threads",
    "--srv-num": "use --receivers",
    "--mc-rx-if": "use --mc-rx-if of this program",
    "--mc-tx-if": "use --mc-tx-if of this program",
    "--mc-ttl": "use --mc-ttl of this program",
    "--mc-loopback-enable": "use --mc-loopback",
    "--full-rtt": "use --full-rtt of this program",
    "--sender-affinity": "use --sender-affinity of this program",
    "--receiver-affinity": "use --receiver-affinity of this program",
    "--client_ip": "use --client-address",
    "--client_addr": "use --client-address",
    "--client_port": "use --client-port",
    "--nonblocked": "use --nonblocked of this program",
    "--tcp-avoid-nodelay": "use --tcp-avoid-nodelay of this program",
    "--load-vma": "use --load dlopen",
    "--load-xlio": "use --load dlopen",
}
"""What the other parts of a workload say, and how."""
_BREAKS: Final[Mapping[str, str]] = {
    "-h": "prints a help instead of measuring",
    "-?": "prints a help instead of measuring",
    "--help": "prints a help instead of measuring",
    "--usage": "prints a help instead of measuring",
    "--full-log": "is asked for where the log is read",
    "--giga-size": "changes the units of the output that is read here",
    "--increase_output_precision": "changes the form of the output that is read here",
    "-a": "writes into the output that is read here",
    "--activity": "writes into the output that is read here",
    "-A": "writes into the output that is read here",
    "--Activity": "writes into the output that is read here",
    "-d": "writes into the output that is read here",
    "--debug": "writes into the output that is read here",
    "--histogram": "writes into the output that is read here",
    "--daemonize": "leaves processes behind that nobody ends",
    "--dont-reply": "leaves latencies without the replies that they are measured by",
}
_OPTION: Final = re.compile(r"--?[A-Za-z?][\w-]*")


def of_help(text: str) -> frozenset[str]:
    """Return the options that the help of a subcommand lists; none for a text that is no help."""
    named = (line.split("\t")[0] for line in text.splitlines() if re.match(r"\s+-", line))
    return frozenset(option for line in named for option in _OPTION.findall(line))


def of_server(args: Sequence[str]) -> tuple[str, ...]:
    """Return which of these arguments the server takes."""
    return tuple(word for name, words in _options(args) if name not in _CLIENT_ONLY for word in words)


def of_client(args: Sequence[str]) -> tuple[str, ...]:
    """Return which of these arguments the client takes."""
    return tuple(word for name, words in _options(args) if name not in _SERVER_ONLY for word in words)


def unsupported(workload: Workload, able: Features) -> list[Finding]:
    """Return why arguments cannot be given to the installed sockperf, nothing where all can."""
    options = _options(workload.further_args)
    return [finding for name, _ in options for finding in _problems(name, workload, able)]


def _problems(name: str, workload: Workload, able: Features) -> Iterator[Finding]:
    if not _OPTION.fullmatch(name):
        yield error(WHERE, f"{name!r} is not an option", "begin with an option, such as --no-rdtsc")
    elif name in _OUR_OWN:
        yield error(WHERE, f"{name} is set by this program", _OUR_OWN[name])
    elif name in _BREAKS:
        yield error(WHERE, f"{name} {_BREAKS[name]}", "leave it out")
    elif name == "--force-unicast-reply" and workload.receivers > 1:
        yield error(WHERE, f"{name} hides which of several receivers answered", "leave it out, or use one receiver")
    else:
        yield from _unknown(name, able)


def _unknown(name: str, able: Features) -> Iterator[Finding]:
    for end, known, others in (
        ("client", able.client_options, _SERVER_ONLY),
        ("server", able.server_options, _CLIENT_ONLY),
    ):
        if known and name not in known and name not in others:
            yield error(WHERE, f"the {end} of sockperf {able.release} has no {name}", did_you_mean(name, known))


def _options(args: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return each option with its words: itself, and the values behind it."""
    found: list[tuple[str, list[str]]] = []
    for word in args:
        if _OPTION.match(word) or not found:
            found.append((word.partition("=")[0] if word.startswith("--") else word[:2], [word]))
        else:
            found[-1][1].append(word)
    return found
