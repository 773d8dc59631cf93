"""Fine-tuning as anybody would write it: the whole network copied, its first blocks frozen, every step end to end."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from headstart.backbones import Backbone, Batch


class PlainFineTuning:
    """AdamW with half a cosine after a warm-up, clipping, and rates that fall towards the input.

    Args:
        backbone: The pretrained network; it is copied.
        cut: The last frozen block; None freezes nothing.
        head: ``weight``, ``bias``, ``mean`` and ``scale`` to start from.
    """

    def __init__(self, backbone: Backbone, cut: str | None, head: dict[str, Tensor]) -> None:
        self.backbone = copy.deepcopy(backbone)
        self.head = {name: value.clone() for name, value in head.items()}
        self.cut = cut

    def layers(self) -> list[list[torch.nn.Parameter]]:
        """Parameters of the blocks after the cut and of the tail; what is in no block goes with the first."""
        network, found, seen = self.backbone, [], set[int]()
        first = 0 if self.cut is None else network.cuts.index(self.cut) + 1
        for modules in [*(block.modules for block in network.blocks[first:]), network.tail_modules]:
            layer = []
            for module in modules:
                for parameter in module.parameters():
                    if id(parameter) not in seen:
                        seen.add(id(parameter))
                        layer.append(parameter)
            if layer:
                found.append(layer)
        if self.cut is None:
            found[0] += [parameter for parameter in network.network.parameters() if id(parameter) not in seen]
        return found

    def fit(
        self,
        batches: Sequence[Sequence[tuple[Backbone, object]]],
        targets: Sequence[Sequence[int]],
        *,
        rate: float,
        decay: float,
        smoothing: float,
        weight_decay: float = 0.01,
        clip: float = 1.0,
        warmup: float = 0.1,
    ) -> list[float]:
        """Take one step per batch of (whose preprocessing, item); return the losses."""
        network = self.backbone.network.eval()
        network.requires_grad_(False)
        layers = self.layers()
        for p in (p for layer in layers for p in layer):
            p.requires_grad_(True)
        groups = []
        for depth, layer in enumerate(reversed(layers)):
            for p in layer:
                groups.append({"params": [p], "times": decay**depth, "weight_decay": weight_decay * (p.ndim > 1)})
        for name in ("weight", "bias"):
            self.head[name].requires_grad_(True)
            groups.append(
                {"params": [self.head[name]], "times": 1.0, "weight_decay": weight_decay * (name == "weight")}
            )
        optimiser = torch.optim.AdamW(groups, lr=rate)
        rising, losses = round(warmup * len(batches)), []
        for step, (batch, target) in enumerate(zip(batches, targets, strict=True)):
            if step < rising:
                factor = (step + 1) / (rising + 1)
            else:
                factor = (1 + math.cos(math.pi * (step - rising) / (len(batches) - rising))) / 2
            for group in optimiser.param_groups:
                group["lr"] = rate * factor * group["times"]
            loss = self.loss(batch, target, smoothing)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for group in groups for p in group["params"]], clip)
            optimiser.step()
            losses.append(float(loss.detach()))
        return losses

    def loss(self, batch: Sequence[tuple[Backbone, object]], target: Sequence[int], smoothing: float) -> Tensor:
        """The mean loss of a batch of classes."""
        return cross_entropy(self.scores(batch), torch.tensor(target), label_smoothing=smoothing)

    def scores(self, batch: Sequence[tuple[Backbone, object]]) -> Tensor:
        """Run items through the whole network and the head."""
        features = self.backbone.forward(self.together(batch))
        head = self.head
        return linear((features - head["mean"]) / head["scale"], head["weight"], head["bias"])

    def together(self, batch: Sequence[tuple[Backbone, object]]) -> Batch:
        """Prepare items, each as its own preprocessing has it."""
        own, items = batch[0][0], [item for _, item in batch]
        if all(network is own for network, _ in batch):
            return own.prepare(items)
        return own.preparer.collate([network.preparer.read([item])[0] for network, item in batch]).to(own.device)

    def outputs(self, items: Sequence[object]) -> np.ndarray:
        """Return probabilities of items, one after another."""
        with torch.no_grad():
            rows = [self.scores([(self.backbone, item)]) for item in items]
        return torch.cat(rows).double().softmax(1).numpy()
