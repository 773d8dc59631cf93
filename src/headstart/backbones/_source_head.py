"""The classifier that a network was pretrained with, where it is a linear layer on our features.

Adapting needs none, so reading leaves it out of the weights. How a network sorts new items into its old classes still
tells how near they are to what it has learned, before anything is fitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@final
@dataclass(frozen=True, eq=False)
class SourceHead:
    """A linear layer from features (the view ``last``) to the classes of the pretraining.

    It belongs to the weights as they were read, not to those of an adapted copy.

    Attributes:
        weight: (Cs, D) one row per class.
        bias: (Cs,) what is added to their scores.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def probabilities(self, features: NDArray[np.float32] | Tensor) -> NDArray[np.float32]:
        """Sort items into the classes of the pretraining.

        Args:
            features: (N, D), of the network as it was read.

        Returns:
            (N, Cs) probabilities; softmax, whatever the loss of the pretraining was.
        """
        values = torch.as_tensor(features, dtype=torch.float32, device="cpu").detach()
        scores = torch.addmm(torch.from_numpy(self.bias), values, torch.from_numpy(self.weight).T)
        found: NDArray[np.float32] = scores.softmax(1).numpy()
        return found


def source_head(weights: Mapping[str, Tensor], layer: str) -> SourceHead | None:
    """Take a linear layer out of the weights of a file.

    Args:
        weights: As they were read.
        layer: Its name, such as ``fc``.

    Returns:
        The layer, or None where there is none, or one that is not linear.
    """
    weight, bias = weights.get(f"{layer}.weight"), weights.get(f"{layer}.bias")
    if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
        return None
    return SourceHead(weight.float().numpy(), bias.float().numpy())
