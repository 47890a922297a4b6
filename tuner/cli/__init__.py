"""The command line: declarations, and the only place that exits."""
