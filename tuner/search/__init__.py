"""Propose settings worth measuring: a search space, and optimizers that ask and are told."""
