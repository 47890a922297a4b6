"""Coverage-guided fuzzing of everything that reads text which somebody else wrote.

    python benchmarks/fuzz.py conf --seconds 60      one reader, with its executions per second
    python benchmarks/fuzz.py all --seconds 60       each reader in a process of its own
    python benchmarks/fuzz.py conf --runs 10000000   so many inputs
    python benchmarks/fuzz.py all --seconds 60 --keep   and keep what reached something new

Needs the group `fuzz` (atheris). Only a TunerError may come out of a reader; an input that takes longer than five
seconds is a hang. What libFuzzer finds it writes to build/fuzz/crash-… or timeout-…, and the exit status is not 0.
Inputs that reached something new stay in build/fuzz/READER, where the next fuzzing of that reader begins; `--keep` writes
the shortest of them to tests/data/corpus/READER.json, which `tests/test_fuzzed.py` reads at every `make test`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
WORK: Final = ROOT / "build" / "fuzz"
CORPUS: Final = ROOT / "tests" / "data" / "corpus"
HANG_S: Final = 5
LONGEST_BYTES: Final = 512
MOST_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Target:
    """One reader: the modules and functions that an input goes through, and text that is of its kind, some of it in files."""

    calls: tuple[tuple[str, str, tuple[Any, ...]], ...]
    seeds: tuple[str, ...]
    words: tuple[str, ...] = ()
    files: str = ""
    longest_bytes: int = LONGEST_BYTES

    def texts(self) -> list[str]:
        """Return all text to begin with."""
        found = sorted(ROOT.glob(self.files)) if self.files else []
        return [*self.seeds, *(path.read_text(encoding="utf-8")[: self.longest_bytes] for path in found)]


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

TOLD: Final = (
    '00000011 {"hello":{"pid":1}}\n', '0000001c {"id":1,"answer":{"out":"x"}}\n',
)  # fmt: skip
STORED: Final = (
    '{"id": "20260101T000000-abc", "settings": "{}", "plan": "{}", "facts": "{}", "state": "done", "number": 1}',
    '{"number": 1, "session": "s", "outcome": "ok", "measurement": "{}", "evidence": "{}", "at": "2026-01-01T00:00:00"}',
)
PAIRS: Final = ('[[pairs]]\nname = "a"\nserver = "one"\nclient = "two"\naddress = "192.0.2.1"\n',)
RULES: Final = ("XLIO_RX_POLL < 0 and not XLIO_SELECT_POLL == 0", "A in {1, 2} or (B >= 3 -> C != 4)", "a * 2 + 1 <= b")
LIMITS: Final = ("p99 < 50us", "p99.9 < 1.5ms, drops < 0.1%", "max requests_per_s and 0.5 min latency where cpu < 80 %")
SPACE: Final = ("XLIO_RX_POLL=-1|1..1000,XLIO_SPEC", "XLIO_RX_POLL=1..1000000", "XLIO_TCP_NODELAY=0|1")
URLS: Final = ("postgresql+psycopg://user:secret@host:5432/name?x=1", "sqlite:///a%20b", "postgresql://[::1]/x")
SAID: Final = (
    "oo:sfnt-pingpong[123]: Using Onload 9.0.2 [7]\noo:app[1]: Importing EF_POLL_USEC\n",
    "ERROR: ld.so: object 'libonload.so' from LD_PRELOAD cannot be preloaded: ignored.\nonload_stackname: EF_NAME\n",
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
    "profile": Target(
        (("tuner.profiles.files", "parse", ("f",)),),
        (),
        ("[settings]", 'stack = "', "XLIO_"),
        "profiles/*/*.toml",
        1024,
    ),
    "recipe": Target(
        (("tuner.runs.recipe_file", "of_text", ("f",)),),
        (),
        ("[client]", "{port}", "[[metrics]]"),
        "tuner/recipes/*.toml",
        2048,
    ),
    "apply": Target((("fuzzed_forms", "every_edit", ()),), IMPORTED, ("XLIO_RX_POLL=", "LD_PRELOAD=", "environment:")),
    "sockperf": Target(
        (("fuzzed_forms", "benchmark_output", ()),),
        (),
        ("percentile ", "observation", "[Valid Duration] RunTime="),
        "tests/data/sockperf/3.7--*.client.out",
        4096,
    ),
    "full log": Target(
        (("fuzzed_forms", "logged", ()),), (), ("packet, txTime(sec)", "---"), "tests/data/sockperf/*.csv", 1024
    ),
    "output": Target(
        (("fuzzed_forms", "recipe_output", ()),), ('{"a": [{"b": 1.5}]}', "1,234.5", "took +([0-9.]+) *us")
    ),
    "limits": Target(
        (("fuzzed_forms", "limits", ()), ("tuner.judging.slo", "parse", ())), LIMITS, ("p99", " and ", "us")
    ),
    "rules": Target((("tuner.catalogue.expressions", "parse", ()),), RULES, (" and ", " in ", "not ")),
    "space": Target((("fuzzed_forms", "space_option", ()),), SPACE, ("XLIO_RX_POLL=", "..", "|")),
    "url": Target((("fuzzed_forms", "store_url", ()),), URLS, ("://", "%")),
    "pairs": Target((("tuner.hosts.pairs_file", "of_text", ("f",)),), PAIRS, ("[[pairs]]", "address = ")),
    "notices": Target((("fuzzed_forms", "notices", ()),), SAID, ("EF_", "Onload ", "ld.so")),
    "messages": Target((("fuzzed_forms", "messages", ()),), TOLD, ("00000010 ",)),
    "stored": Target((("fuzzed_forms", "stored", ()),), STORED, ('"settings": ', '"evidence": ', '"facts": ')),
    "screen": Target(
        (("tuner.terminal_text", "safe", ()), ("tuner.terminal_text", "escaped", ())), BANNER, ("\x1b]0;",)
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


def corpus(name: str) -> Path:
    """Return the folder of a reader's inputs, with those that are known."""
    folder = WORK / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate([*TARGETS[name].texts(), *kept(name)]):
        (folder / f"known-{number}").write_text(text, encoding="utf-8", errors="replace")
    return folder


def kept(name: str) -> list[str]:
    """Return the inputs of a reader that are kept; none where there are none."""
    path = CORPUS / f"{name.replace(' ', '-')}.json"
    found: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return found


def keep(name: str) -> None:
    """Keep the shortest inputs of a reader that reached something new."""
    texts = {path.read_bytes().decode(errors="replace") for path in corpus(name).iterdir()} - set(TARGETS[name].texts())
    shortest = sorted(texts, key=lambda text: (len(text), text))[:MOST_KEPT]
    CORPUS.mkdir(exist_ok=True)
    path = CORPUS / f"{name.replace(' ', '-')}.json"
    path.write_text(json.dumps(shortest, indent=0) + "\n", encoding="utf-8")


def fuzz(name: str, seconds: int, runs: int) -> None:
    """Fuzz one reader until time or inputs are used up; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["tuner"]):
        one_input = reader(name)
    folder = corpus(name)
    words = WORK / f"{folder.name}.dict"
    words.write_text("# words\n" + "".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].words), encoding="ascii")
    limits = [f"-max_total_time={seconds}"] if seconds else []
    limits += [f"-runs={runs}"] if runs else []
    options = [
        f"-timeout={HANG_S}",
        f"-max_len={TARGETS[name].longest_bytes}",
        f"-dict={words}",
        f"-artifact_prefix={WORK}/",
    ]
    options.append("-print_final_stats=1")
    atheris.Setup([sys.argv[0], *limits, *options, str(folder)], one_input)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def each(names: list[str], seconds: int, runs: int) -> int:
    """Fuzz several readers one after the other, and print a row for each: inputs, their rate, what was found."""
    print("| reader | inputs | a second | reached, of branches | kept | crashes and hangs |\n|---|---|---|---|---|---|")
    failed = False
    for name in names:
        command = [sys.executable, __file__, name, "--seconds", str(seconds), "--runs", str(runs), "--raw"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        rate = _last_number(r"number_of_executed_units: (\d+)", done.stderr) / (time.monotonic() - began)
        inputs, reached = (_last_number(form, done.stderr) for form in (r"_executed_units: (\d+)", r" cov: (\d+)"))
        failed |= done.returncode != 0 or not reached
        print(f"| {name} | {inputs:,} | {rate:,.0f} | {reached:,} | {len(kept(name))} | {_found(done)} |", flush=True)
    return int(failed)


def _last_number(form: str, text: str) -> int:
    return int((re.findall(form, text) or ["0"])[-1])


def _found(done: subprocess.CompletedProcess[str]) -> str:
    """Return how much was found, which libFuzzer tells of."""
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
    return str(int(done.returncode != 0))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=[*TARGETS, "all"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--raw", action="store_true", help="libFuzzer's own output, in this process")
    asked = parser.parse_args()
    if asked.raw:
        fuzz(asked.target, asked.seconds if not asked.runs else 0, asked.runs)
    names = list(TARGETS) if asked.target == "all" else [asked.target]
    status = each(names, asked.seconds, asked.runs)
    if asked.keep:
        for name in names:
            keep(name)
    sys.exit(status)


if __name__ == "__main__":
    main()
