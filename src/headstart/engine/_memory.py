"""How this process gives memory back.

The C library of Linux hands large blocks back to the system as soon as they are freed. A convolutional network frees
and takes hundreds of megabytes with every batch, and each time the system must clear every page anew: on two cores
MobileNetV2 spent half its time there (benchmarks/LOG.md, 2026-11-21). Keeping freed memory for the next batch costs
nothing but the peak that was reached anyway.
"""

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
_LARGEST = (1 << 30, 32 << 20)  # older versions of the library refuse more than 32 MB


@cache
def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory for reuse; does nothing where it cannot.

    Returns:
        Whether it took effect.
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):  # musl has no such call and needs none
        return False
    kept = any(library.mallopt(_MMAP_THRESHOLD, size) for size in _LARGEST)
    return bool(kept and library.mallopt(_TRIM_THRESHOLD, 2**31 - 1))
