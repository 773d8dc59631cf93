"""Learning-rate schedules as one pure function of the step number.

Linear warm-up, then the curve. Rates are those of transformers' schedules one step later, out of one step more: the
first step is not spent at rate zero, and neither is the last. ``one_cycle`` is torch's `OneCycleLR` with its default
factors (start at 1/25, end at 1/250000) and without its cycling of momentum.
"""

import math
from typing import Final, Literal, assert_never

Schedule = Literal["cosine", "one_cycle", "linear", "constant"]

ONE_CYCLE_START: Final = 1 / 25
ONE_CYCLE_END: Final = ONE_CYCLE_START / 1e4


def factor(schedule: Schedule, step: int, *, steps: int, warmup: float) -> float:
    """Return what the base rate is multiplied by in one step.

    Args:
        schedule: ``cosine`` (to zero), ``linear`` (to zero; with a warm-up of 0.1 the slanted triangle of ULMFiT,
            Howard and Ruder, ACL 2018), ``one_cycle`` (Smith and Topin 2017) or ``constant``.
        step: Number of the step, from 0.
        steps: How many steps there are.
        warmup: Share of the steps in which the rate rises.

    Returns:
        A factor above 0, at most 1.
    """
    if schedule == "one_cycle":
        return _one_cycle(step, steps=steps, warmup=warmup)
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    done = (step - rising) / (steps - rising)
    if schedule == "cosine":
        return _fall(done)
    if schedule == "linear":
        return 1 - done
    if schedule == "constant":
        return 1.0
    assert_never(schedule)


def _one_cycle(step: int, *, steps: int, warmup: float) -> float:
    peak, last = warmup * steps - 1, steps - 1
    if step <= peak:
        return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * (1 - _fall(step / peak if peak else 1.0))
    return ONE_CYCLE_END + (1 - ONE_CYCLE_END) * _fall((step - peak) / (last - peak))


def _fall(done: float) -> float:
    """Half a cosine from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * done))
