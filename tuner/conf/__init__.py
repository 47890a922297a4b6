"""Offload rules: the file (libxlio.conf, libvma.conf) that says which sockets a stack takes and which the kernel keeps.

The vendor documents one grammar and ships a parser that reads another. Both are here: `words` and `rules` read a
text in either dialect, `match` answers what becomes of a socket, `lint` and `explain` say what is wrong and what each
rule does, `write` makes text that the shipped parser accepts.
"""
