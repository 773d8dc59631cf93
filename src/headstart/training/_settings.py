"""How long, how fast and with what one training run goes, and what it returns."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import OptionError
from headstart.training._schedule import Schedule

Precision = Literal["float32", "bfloat16", "float16"]


@final
@dataclass(frozen=True)
class Settings:
    """Settings of one run.

    Attributes:
        steps: How many batches.
        rate: Base learning rate; groups multiply it, the schedule shapes it.
        optimiser: ``adamw`` (Loshchilov and Hutter, ICLR 2019; bias-corrected, betas 0.9 and 0.999, eps 1e-8) or
            ``sgd`` (momentum 0.9; weight decay decoupled here too, which torch's own is not).
        schedule: The curve of the rate.
        warmup: Share of the steps in which the rate rises.
        clip: Largest norm of the gradient over all trained parameters, or None.
        precision: Number type of the forward pass; weights and optimiser stay as they are. ``float16`` scales the loss
            and needs CUDA.
        average: Decay of an exponential moving average of the weights, which is then what is measured and kept; the
            decay of step t, from 1, is ``min(average, (1 + t) / (10 + t))``, as in TensorFlow's, so that short runs
            forget their start too. None keeps no average.
        patience: Stop after so many checks of the held-out loss in a row without a new best; None never stops early.
        check_every: Steps between two checks.
        seed: Determines everything random inside the loss.
    """

    steps: int
    rate: float
    optimiser: Literal["adamw", "sgd"] = "adamw"
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    clip: float | None = 1.0
    precision: Precision = "float32"
    average: float | None = None
    patience: int | None = None
    check_every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        _expect("steps", self.steps, "at least 1", holds=self.steps >= 1)
        _expect("rate", self.rate, "a number above 0", holds=0 < self.rate < float("inf"))
        _expect("warmup", self.warmup, "a share from 0 to below 1", holds=0 <= self.warmup < 1)
        _expect("clip", self.clip, "a number above 0 or None", holds=self.clip is None or self.clip > 0)
        _expect(
            "average", self.average, "above 0 and below 1, or None", holds=self.average is None or 0 < self.average < 1
        )
        _expect("patience", self.patience, "at least 1 or None", holds=self.patience is None or self.patience >= 1)
        _expect("check_every", self.check_every, "at least 1", holds=self.check_every >= 1)
        _expect("seed", self.seed, "a number from 0", holds=self.seed >= 0)


def _expect(name: str, found: object, expected: str, *, holds: bool) -> None:
    if not holds:
        raise OptionError(f"expected {name} to be {expected}, found {found!r}", where="training settings")


@final
@dataclass(frozen=True, eq=False)
class Trained:
    """What a run did. The weights are in the module.

    Attributes:
        steps: How many steps were taken; fewer than asked for where patience ran out.
        losses: (steps,) loss of every batch before its step, without the pull.
        held_out: (step, held-out loss) of every check, the start weights' first.
        best_step: After how many steps the weights kept were reached.
        seconds: Time spent training, interrupted parts included.
    """

    steps: int
    losses: NDArray[np.float64]
    held_out: tuple[tuple[int, float], ...]
    best_step: int
    seconds: float
