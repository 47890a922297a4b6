"""Find, prove and store the best profile of a network stack for this host and this traffic.

The words of this project, obeyed in code, output and documents:

Parameter    one setting of a stack, named everywhere by its environment variable (`XLIO_RX_POLL`).
Catalogue    all parameters of a stack, with type, default, range, unit, releases, risk. Data, not code.
Stack        a way to run a program's sockets: `kernel`, `xlio`, … It knows how to put itself under a
             program and the sign that it is really there.
Profile      a stack and values for some of its parameters. Whatever can be measured is a profile:
             "candidate", "baseline" and "winner" are roles, not classes.
Host         a machine. Whatever is asked of one is asked here; a pair is the host of the server and that of the client.
Benchmark    the program that measures between a server and a client: sockperf.
Workload     what the benchmark is asked to do. Measurements of different workloads are never compared.
Run          a noun: one execution of the benchmark (server and client).
Measurement  what one run reported, unrounded, in µs and msg/s.
Block        one workload measured once for each of several profiles, close in time, in random order.
             Comparisons are made inside blocks.
Trial        one profile measured in one or more blocks against the baseline, with a status.
Objective    the rule from a trial to one number, recomputable from what is stored.
Optimizer    proposes settings (`ask`), learns what they gave (`tell`).
Session      one tuning, from calibration to verdict. The store is its only memory.
Verdict      what survived confirmation: improved by so much, with its interval, or honestly not.
Report       a view of stored sessions, never the source of anything.
"""

__version__ = "0.1.0"
