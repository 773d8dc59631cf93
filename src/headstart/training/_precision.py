"""The number format of the forward pass."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from headstart.training._settings import Precision


@contextmanager
def in_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Run the forward pass in the precision asked for.

    On a processor torch's fused attention takes ten times as long backward in bfloat16 as in float32 (torch 2.15: 1.9 s
    of 5.8 s in benchmarks/LOG.md); written out as products it does not.

    Args:
        precision: ``float32`` leaves everything as it is.
        device: Where the forward pass runs.

    Yields:
        Nothing; operations inside follow autocast's rules for the device.
    """
    if precision == "float32":
        yield
        return
    kind = torch.float16 if precision == "float16" else torch.bfloat16
    written_out = sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
    with written_out, torch.autocast(device.type, dtype=kind):
        yield
