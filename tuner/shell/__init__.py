"""Text of a POSIX shell as data: its syntax, and what its commands would do to variables. Nothing is ever run.

    scanner   characters and lines                  patterns    `*`, `?` and `[…]` against a text
    syntax    words and commands as records         arithmetic  `$((…))`
    words     text to words                         conditions  `test` and `[`
    grammar   text to commands                      expansion   words to texts, where these can be known
    state     what is known of the variables        commands    the shell's own commands
                                                    evaluation  what commands do to the state

What cannot be known without running something is a `Doubt` with its place and reason, and whatever depends on it is one
too. Where `dash` and `bash` (as `sh`) differ, that is a doubt as well.
"""
