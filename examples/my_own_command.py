"""Compare two commands by their wall time, in interleaved blocks: is one compression level faster, and by how much?"""

import sys

import tuner

answer = tuner.compare(
    client_cmd="gzip -9 -c /etc/services",
    other_cmd="gzip -1 -c /etc/services",
    budget=sys.argv[1] if len(sys.argv) > 1 else "20s",
)
print(answer.why)
if answer.gain:
    print(f"level 1 is {answer.gain.ratio:.2f} times as fast ({answer.gain.low:.2f} to {answer.gain.high:.2f})")
