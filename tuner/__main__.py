"""`python -m tuner`."""

from tuner.cli.entry import main

main()
