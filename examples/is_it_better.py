"""Compare two profiles and end with status 0 only if the second is at least 2 % better for sure: for a script that acts on it."""

import sys

import tuner

a, b, budget = (sys.argv[1:] + ["default", "latency", "30s"][len(sys.argv) - 1 :])[:3]
answer = tuner.compare(a, b, budget=budget, guard="p99.9 < 1.1x")
print(answer.why)
sys.exit(0 if answer.gain and answer.gain.low > 1.02 else 3)
