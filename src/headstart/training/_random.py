"""The random state during training: torch's own, borrowed and given back."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Give the caller's random state back on leaving.

    Args:
        device: The device that draws besides the processor.

    Yields:
        Nothing.
    """
    if device.type == "mps":  # fork_rng knows devices by number; this one has none
        before = torch.mps.get_rng_state()
        try:
            with torch.random.fork_rng([]):
                yield
        finally:
            torch.mps.set_rng_state(before)
        return
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield


def seed_step(seed: int, step: int, device: torch.device) -> None:
    """Make what is random in a step a function of (seed, step), so that resuming needs no random state.

    Args:
        seed: Of the run.
        step: Number of the step.
        device: The device that draws besides the processor.
    """
    number = int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)
