"""The libraries of linear algebra take the memory that they keep early, and only where there is enough."""

from __future__ import annotations

import functools
import mmap
from typing import Final

import numpy as np

ROOM_BYTES: Final = 256 << 20
"""What must be free: two libraries (numpy's and scipy's) keep 32 MB each, and a session needs the rest for its records and models."""
_LARGE_ENOUGH: Final = 96
"""The order of a matrix from which on a product goes through a buffer."""


@functools.cache
def ready() -> None:
    """Have numpy and scipy take the memory that their linear algebra keeps; raise `MemoryError` where there is too little.

    OpenBLAS takes a buffer at the first product. Where there is no memory for it, it ends the process without a word to us, or
    tries again for ever, deaf to all signals but SIGKILL (`blas_memory_alloc`, driver/others/memory.c).
    """
    from scipy.linalg import cho_solve

    try:
        mmap.mmap(-1, ROOM_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as reason:
        raise MemoryError(f"there are not {ROOM_BYTES >> 20} MB left") from reason
    one = np.eye(_LARGE_ENOUGH)
    np.linalg.cholesky(one @ one)
    cho_solve((one, True), one)
