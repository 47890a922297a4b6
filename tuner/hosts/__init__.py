"""Where runs happen; processes are started here and nowhere else."""
