"""The sets with several domains, and their features, from the store where it has them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart import backbones, data
from headstart.data import Dataset
from headstart.engine import keep_freed_memory
from headstart.features import FeatureSource

LANGUAGES = ("english", "german", "spanish", "hindi", "arabic")


@dataclass(frozen=True)
class Set:
    """A set with domains.

    Attributes:
        name: Of the set and the network.
        folder: Below the data, or of several where each is a domain.
        backbone: An address; ``weights:NAME`` is a folder of the weights.
        sources: Domains that are sources; all where empty.
        group: Whether the groups are the domains (speakers).
    """

    name: str
    folder: str | tuple[str, ...]
    backbone: str
    sources: tuple[str, ...] = ()
    group: bool = False


SETS = (
    Set("amazon, MiniLM", "text/amazon-reviews.csv", "starter:minilm-l6"),
    Set("xlmt, MiniLM", tuple(f"text/xlmt/{name}" for name in LANGUAGES), "starter:minilm-l6", ("english",)),
    Set("fsdd, audio-small", "audio/fsdd", "starter:audio-small", group=True),
    Set("pacs, image-small", "images/pacs", "starter:image-small"),
    Set("pacs, MobileNetV2", "images/pacs", "weights:mobilenetv2_100.in1k"),
)


@dataclass(frozen=True, eq=False)
class Features:
    """Features (N, D), class numbers and domains (N,), and the names of the classes."""

    X: np.ndarray
    y: np.ndarray
    domain: np.ndarray
    classes: tuple[str, ...]


def read(each: Set, root: Path, weights: Path) -> Features:
    """Read a set and compute what features of it are missing."""
    keep_freed_memory()
    dataset, domain = dataset_of(each, root)
    X = FeatureSource().features(network_of(each, weights), dataset)
    classes, y = np.unique(np.array(dataset.labels), return_inverse=True)
    return Features(X, y, np.array(domain), tuple(classes.tolist()))


def network_of(each: Set, weights: Path) -> backbones.Backbone:
    """Load the network of a set."""
    name = each.backbone
    if name.startswith("weights:"):
        name = f"dir:{weights / name.removeprefix('weights:')}"
    return backbones.load(name, offline=True)


def dataset_of(each: Set, root: Path) -> tuple[Dataset, tuple[str, ...]]:
    """Read a set, and the domain of every example."""
    if isinstance(each.folder, str):
        dataset = data.load(root / each.folder)
        return dataset, (dataset.groups if each.group else dataset.domains) or ()
    parts = [data.load(root / folder) for folder in each.folder]
    names = [Path(folder).name for folder in each.folder]
    columns = {
        column: tuple(value for part in parts for value in getattr(part, column))
        for column in ("items", "places", "labels")
    }
    whole = replace(parts[0], **columns, parts=None, groups=None)
    return whole, tuple(name for name, part in zip(names, parts, strict=True) for _ in range(len(part)))
