"""A lab: pairs of hosts made of this machine's own kernel, each with a network, processes, mounts and a name of its own.

A *keeper* (`keeper.py`) holds a lab up. Each host is a set of namespaces whose first process (`inside.py`) starts a
real sshd. `door.py` is how ssh gets in; `control.py` is what `tuner lab` calls. Everything but one folder of files is
held by processes alone, and each of them dies with the one that started it, so that a killed keeper takes all along.
"""
