"""Coverage-guided fuzzing of everything that reads text which somebody else wrote.

    python benchmarks/fuzz.py conf --seconds 60      one reader, with its executions per second
    python benchmarks/fuzz.py all --seconds 60       each reader in a process of its own
    python benchmarks/fuzz.py conf --runs 10000000   so many inputs

Needs the group `fuzz` (atheris). Only a TunerError may come out of a reader; an input that takes longer than five
seconds is a hang. What libFuzzer finds it writes to ./crash-… or ./timeout-…, and the exit status is not 0.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HANG_S: Final = 5
LONGEST_BYTES: Final = 512
MILLIONS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One reader: the modules and functions that an input goes through, and text that is of its kind."""

    calls: tuple[tuple[str, str, tuple[Any, ...]], ...]
    seeds: tuple[str, ...]
    words: tuple[str, ...] = ()


CONF: Final = (
    "application-id sockperf B1\nuse os tcp_server *:5001 # five\nuse vma tcp_client 192.168.1.0/24:*:*:1-9\n",
    "use xlio udp_receiver 224.4.4.4:65536\nlog min-level 1\nlog destination yfile /x\nuse os udp_connect *:53",
)
BANNER: Final = (
    " XLIO INFO   : Rx Poll Loops                  -1                         [XLIO_RX_POLL]\n",
    "\x1b[0m XLIO INFO   : XLIO_VERSION: 3.61.2-0 Release\n Time:  1.2 Pid: 1 Tid: 2 VMA WARNING: text\n",
    " XLIO ERROR  : does not detect IB capable devices\n",
)
JSON: Final = (
    '{"performance": {"polling": {"blocking_rx_poll_usec": -1}}, "profiles": {"spec": "latency"}}',
    '{"core": {"resources": {"memory_limit": "4GB", "hugepages": {"enable": true}}}}',
)
INLINE: Final = (
    "network.protocols.tcp.mss=1460;profiles.spec=latency",
    "core.quick_init=true,network.protocols.tcp.wmem=4KB",
)
COUNTERS: Final = (
    "\tFd=[12]\nTx Offload: 1 / 2 / 3 / 4 [kilobytes/packets/eagains/errors]\nRx poll: 1 / 2 (66.67%) [miss/hit]\n",
    " 12  Rx:  998  975  3  1  95.0  2  0  0  0\n\tRING_ETH=[0]\nRetransmissions:  7\nNo buffers error: 9\n",
)
SCHEMA: Final = (
    '{"properties": {"a": {"properties": {"b": {"type": "integer", "default": 1, "minimum": 0, "title": "t"}}}}}',
    '{"properties": {"c": {"type": "boolean", "description": "Maps to XLIO_C environment variable."}}}',
)
OPF: Final = (
    'onload_set EF_POLL_USEC 100000\nonload_import latency\nif [ -n "$EF_NAME" ]; then\n  onload_set EF_X 1\nfi\n',
)

IMPORTED: Final = (
    "#!/bin/sh\nif [ $A ]; then export VMA_SPEC=latency; fi\nLD_PRELOAD=libvma.so env VMA_RX_POLL=-1 ./app # x\n",
    "[Service]\nEnvironment=VMA_A=1 \\\n 'VMA_B=2'\nExecStart=/bin/env XLIO_SPEC=latency /app\n",
    'FROM x\nENV VMA_SPEC=latency VMA_A=$B\nCMD ["env", "VMA_C=1", "./app"]\n',
    "services:\n  feed:\n    environment: [VMA_SPEC=latency, VMA_A]\n",
    "kind: Pod\nspec:\n  containers:\n  - env: [{name: XLIO_SPEC, value: latency}]\n",
    'job "f" {\n task "t" {\n  config { args = ["env", "VMA_A=1", "x"] }\n  env { VMA_B = "2" }\n }\n}\n',
)

TARGETS: Final[Mapping[str, Target]] = {
    "banner": Target((("tuner.stacks.banner", "read", ()),), BANNER, ("[XLIO_RX_POLL]", "XLIO_VERSION: ")),
    "conf": Target(
        (("tuner.conf.rules", "parse", ()), ("tuner.conf.rules", "documented", ())),
        CONF,
        ("application-id ", "use ", "os ", "vma ", "tcp_server ", "udp_connect ", "*:", "/24", "log ", "min-level "),
    ),
    "lint": Target(
        (("tuner.conf.lint", "lint", ("f",)), ("tuner.conf.explain", "explain", ())), CONF, ("use os ", "*:")
    ),
    "json": Target((("tuner.stacks.xlio_json", "from_json", ("f", "3.70.2")),), JSON, ('"profiles"', '"core"', "true")),
    "inline": Target(
        (
            ("tuner.stacks.xlio_json", "from_inline", ("f", "3.61.2")),
            ("tuner.stacks.xlio_json", "from_inline", ("f", "3.70.2")),
        ),
        INLINE,
        ("profiles.spec=", "mss=", ";", ","),
    ),
    "counters": Target((("tuner.stacks.counters", "read", ()),), COUNTERS, ("Rx Offload: ", "\tCQ=[0]", " / ")),
    "schema": Target(
        (("tuner.stacks.xlio_schema", "read_schema", ("f", "3.99.0")),), SCHEMA, ('"properties"', '"oneOf"')
    ),
    "import": Target(
        (("fuzzed_forms", "every_form", ()),), IMPORTED, ("export ", "VMA_SPEC=", "XLIO_", "env ", "<<EOF", "${", "\\")
    ),
    "opf": Target(
        (("tuner.stacks.onload.opf", "read_opf", ("f", {}.get)),), OPF, ("onload_set ", "onload_import ", "EF_")
    ),
}


def reader(name: str) -> Callable[[bytes], None]:
    """Return what an input goes through; raise `ModuleNotFoundError` where the reader is not in this checkout."""
    from tuner.errors import TunerError

    functions = [
        (getattr(importlib.import_module(module), function), more) for module, function, more in TARGETS[name].calls
    ]

    def one_input(data: bytes) -> None:
        text = data.decode("utf-8", errors="replace")
        for function, more in functions:
            with contextlib.suppress(TunerError):
                function(text, *more)

    return one_input


def fuzz(name: str, seconds: int, runs: int) -> None:
    """Fuzz one reader until time or inputs are used up; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["tuner"]):
        one_input = reader(name)
    corpus = Path(tempfile.mkdtemp(prefix="tuner-fuzz-"))
    for number, seed in enumerate(TARGETS[name].seeds):
        (corpus / str(number)).write_text(seed, encoding="utf-8")
    words = corpus.with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].words), encoding="ascii")
    limits = [f"-max_total_time={seconds}"] if seconds else []
    limits += [f"-runs={runs}"] if runs else []
    options = [f"-timeout={HANG_S}", f"-max_len={LONGEST_BYTES}", f"-dict={words}", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], one_input)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def each(names: list[str], seconds: int, runs: int) -> int:
    """Fuzz several readers one after the other, and print a line for each: executions, rate, hours for 10 million."""
    failed = 0
    for name in names:
        command = [sys.executable, __file__, name, "--seconds", str(seconds), "--runs", str(runs), "--raw"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - began
        executed = next(
            (int(line.split()[-1]) for line in done.stderr.splitlines() if "number_of_executed_units" in line), 0
        )
        if "ModuleNotFoundError" in done.stderr and not executed:
            print(f"{name:9} not in this checkout")
            continue
        failed += done.returncode != 0
        rate = executed / took_s
        hours = MILLIONS / rate / 3600 if rate else float("inf")
        print(
            f"{name:9} {executed:>10} inputs  {rate:>8.0f}/s  {hours:>6.1f} h for 10 million  {_verdict(done)}",
            flush=True,
        )
    return 1 if failed else 0


def _verdict(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == 0:
        return "nothing found"
    return "FOUND: " + " | ".join(line for line in done.stderr.splitlines() if "rror" in line or "ALARM" in line)[:500]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--raw", action="store_true", help="libFuzzer's own output, in this process")
    asked = parser.parse_args()
    if asked.raw:
        fuzz(asked.target, asked.seconds if not asked.runs else 0, asked.runs)
    sys.exit(each(list(TARGETS) if asked.target == "all" else [asked.target], asked.seconds, asked.runs))


if __name__ == "__main__":
    main()
