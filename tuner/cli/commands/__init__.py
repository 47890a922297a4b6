"""One module for each command or noun of the command line."""
