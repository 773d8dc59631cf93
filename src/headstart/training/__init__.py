"""Training: the one gradient loop, for every strategy that moves weights.

`train` takes a module, `Group`s of its parameters and a loss that is a function of the step number. Whatever differs
between strategies (which loss, which rows, which layers at which rates) is in these arguments; there is no second loop.

Decisions that matter:
  * **Only groups train.** Everything else is frozen meanwhile, and left as trainable as it was. The loop never changes
    the modes of modules: whether BatchNorm and dropout are live is the caller's choice, and frozen is the default.
  * **A step is a function of (weights, optimiser, step).** The random state is seeded from (seed, step) before every
    step, and `epochs` and `balanced` draw a step's rows the same way. The caller's random state is given back.
  * **The lowest held-out loss wins, the start included.** Where a held-out loss is given, it is measured on the start
    weights, then every ``check_every`` steps and after the last, with averaged weights where there are any, in float32.
    The weights of its lowest value are kept, so training never leaves a module worse by it than it came.
  * **Pulled, not only decayed.** ``pull`` is L2-SP: the gradient of pull/2 * ||w - w0||^2 joins that of the loss,
    before clipping. ``losses`` do not include it.
  * **Nothing happens in secret.** A loss that is not finite, or a deadline that cannot be met, ends training with an
    error that says what to change. The deadline is predicted only where all steps will be taken, without patience.

How to resume: repeat the call with the same arguments, on a module with the same start weights. If ``checkpoint`` holds
a whole checkpoint of the same run (settings, groups, shapes, start weights, fingerprint, kind of device, torch version)
it goes on from there, and a finished one returns at once; on the CPU the result equals that of an unbroken run bit for
bit. Any other checkpoint, or a damaged one, counts as none and is replaced. When a checkpoint is written depends on
time (``every_seconds``), what is computed does not. Training shorter than ``every_seconds`` writes nothing.
"""

from headstart.training._batches import Batches, balanced, epochs
from headstart.training._groups import Group, Layer, layer_wise, layers_of
from headstart.training._loop import train
from headstart.training._memory import within_memory
from headstart.training._precision import in_precision
from headstart.training._schedule import Schedule, factor
from headstart.training._settings import Settings, Trained

__all__ = [
    "Batches",
    "Group",
    "Layer",
    "Schedule",
    "Settings",
    "Trained",
    "balanced",
    "epochs",
    "factor",
    "in_precision",
    "layer_wise",
    "layers_of",
    "train",
    "within_memory",
]
