"""What is measured and what the numbers say: workloads, runs, blocks, statistics."""
