"""Onload: the stack's record, its profiles as data, and the names of its stacks."""

from tuner.stacks.onload.proof import STACK

__all__ = ["STACK"]
