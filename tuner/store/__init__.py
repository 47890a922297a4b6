"""The store: sessions, trials and runs in a database, how they are read from a file that anybody may have made, and its repair."""

from tuner.store.database import Store

__all__ = ["Store"]
