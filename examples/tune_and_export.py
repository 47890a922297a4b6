"""Find the best profile of the kernel stack for this host, and write it as a drop-in file of a systemd service."""

import sys
from pathlib import Path

import tuner

answer = tuner.tune("latency", stack="kernel", budget=sys.argv[1] if len(sys.argv) > 1 else "60s", seed=1)
print(answer.why)
if answer.verdict is tuner.Decision.IMPROVED and answer.winner.path:
    best = tuner.Profile.read(answer.winner.path)
    Path("tuner.conf").write_text(best.export("systemd", service="web"), encoding="utf-8")
    print("written: tuner.conf, with", ", ".join(best.settings))
