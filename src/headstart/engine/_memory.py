"""How much memory there is, and how this process gives it back.

The C library of Linux hands large blocks back to the system as soon as they are freed. A convolutional network frees
and takes hundreds of megabytes with every batch, and each time the system must clear every page anew: on two cores
MobileNetV2 spent half its time there (benchmarks/LOG.md, 2026-11-21). Keeping freed memory for the next batch costs
nothing but the peak that was reached anyway.
"""

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Final

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
_LARGEST = (1 << 30, 32 << 20)  # older versions of the library refuse more than 32 MB
_MEMINFO: Final = Path("/proc/meminfo")


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


def free_memory(device: str) -> float | None:
    """Tell how much memory a device has left for this process.

    Args:
        device: A torch device name.

    Returns:
        Megabytes of 2^20 bytes: what the driver has free and what torch holds unused on a CUDA device, what Linux calls
        available on a processor; None where nobody says.
    """
    kind = device.split(":")[0]
    if kind == "cuda":
        import torch

        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + unused) / 2**20
    if kind != "cpu" or not _MEMINFO.exists():
        return None
    facts = (line.split() for line in _MEMINFO.read_text().splitlines())
    return next((int(words[1]) / 2**10 for words in facts if words[0] == "MemAvailable:"), None)
