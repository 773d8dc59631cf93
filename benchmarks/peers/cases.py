"""What is measured: data sets, numbers of labels, the peer of each case and the ratio of clocks aimed at."""

from dataclasses import dataclass
from typing import Literal

Peer = Literal["trainer", "setfit", "fastai"]

PEERS: dict[Peer, str] = {"trainer": "Trainer", "setfit": "SetFit", "fastai": "fastai"}
PACKAGES: dict[Peer, tuple[str, ...]] = {
    "trainer": ("torch", "transformers", "accelerate", "datasets"),
    "setfit": ("torch", "transformers", "setfit", "sentence-transformers", "datasets", "scikit-learn"),
    "fastai": ("torch", "torchvision", "fastai", "timm"),
}
OURS = ("headstart", "torch", "torchvision", "timm", "transformers", "scikit-learn")
QUICK = 60.0
"""Seconds: where the peer's adaptation takes less, ours need only be no slower."""
SECOND = 1 / 50
"""Ratio aimed at by a second experiment on stored activations."""


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        dataset: Name of a data set that `subsets.load` knows.
        per_class: Labels per class in the training part; None takes the whole of it.
        peer: Which script trains the other arm.
        ratio: Our adaptation over the peer's, at most.
        seeds: How many subsets are drawn.
    """

    dataset: str
    per_class: int | None
    peer: Peer
    ratio: float
    seeds: int

    @property
    def name(self) -> str:
        """Data set and labels per class, such as ``trec6-64``."""
        return self.dataset if self.per_class is None else f"{self.dataset}-{self.per_class}"

    @property
    def modality(self) -> Literal["text", "image"]:
        return "image" if self.peer == "fastai" else "text"


TEXT = ("trec6", "sst2")
CASES = (
    *(Case(dataset, 64, "trainer", 1 / 4, seeds=5) for dataset in TEXT),
    *(Case(dataset, 8, "setfit", 1 / 2, seeds=5) for dataset in TEXT),
    *(Case(dataset, 16, "setfit", 1 / 4, seeds=5) for dataset in TEXT),
    Case("hymenoptera", None, "fastai", 1 / 10, seeds=3),
    Case("flowers5", 10, "fastai", 1 / 10, seeds=3),
    Case("flowers5", 50, "fastai", 1 / 10, seeds=3),
    Case("chest-xray", 50, "fastai", 1 / 10, seeds=3),
    Case("chest-xray", 200, "fastai", 1 / 10, seeds=3),
)
