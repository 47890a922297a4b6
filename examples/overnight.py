"""Compare two profiles under several workloads one after the other. Ctrl-C ends the one that runs; start it again to go on."""

import sys

import tuner

WORKLOADS = {"small": ("tcp", 64), "large": ("tcp", 1024), "udp": ("udp", 64)}


def told(event: tuner.Event) -> None:
    if event.what in {tuner.What.SESSION, tuner.What.NOTE}:
        print(" ", event.text)


budget = sys.argv[1] if len(sys.argv) > 1 else "30m"
for name, (protocol, message_bytes) in WORKLOADS.items():
    try:
        known = tuner.open_store(f"overnight/{name}").answer()
    except tuner.UsageError:  # no session there yet
        known = None
    if known is None or (isinstance(known, tuner.CompareAnswer) and known.time.stopped):
        known = tuner.compare(
            "default",
            "latency",
            budget=budget,
            protocol=protocol,
            message_bytes=message_bytes,
            results=f"overnight/{name}",
            progress=told,
        )
    assert isinstance(known, tuner.CompareAnswer)
    print(name, known.verdict, known.why)
    if known.time.stopped:
        break
