"""Small data for every backbone, and what a strategy did step by step."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from torch import Tensor

from headstart import backbones
from headstart.backbones import Backbone
from headstart.data import Dataset, Sound
from headstart.features import FeatureSource
from headstart.strategies import Contrastive, FineTune, LoRA, Run, Scratch, Tuned, Tuning, _tuning, finetune
from headstart.strategies._head import LinearHead
from headstart.strategies._thawed import rows_and_views, seen
from headstart.tasks import Classification, Task, task_from_labels
from headstart.training import epochs
from tests.backbones.layouts import WORDS
from tests.conftest import make_image, make_texts
from tests.reference.training import PlainFineTuning

FAST = {
    "finetune": FineTune(last=1, steps=12, batch=8, rate=3e-3),
    "contrastive": Contrastive(last=1, steps=8, batch=12, rate=1e-3),
    "lora": LoRA(last=1, steps=12, batch=8, rank=2),
    "scratch": Scratch(steps=12, batch=8, views=2),
}
PITCHES = {"low": 300, "middle": 1200, "high": 4000}
COLOURS = {"red": (150, 100, 100), "green": (100, 150, 100), "blue": (100, 100, 150)}


def pictures(n: int, *, seed: int = 0) -> Dataset:
    """Noisy pictures of three colours."""
    names = [list(COLOURS)[i % 3] for i in range(n)]
    items = tuple(make_image(COLOURS[name], seed=seed * 1000 + i) for i, name in enumerate(names))
    return Dataset("image", items, tuple(map(str, range(n))), labels=tuple(names))


def sentences(n: int, *, seed: int = 0) -> Dataset:
    """Texts of 2 to 60 of the words that the small tokenizers know; their label is the animal they name."""
    rng = np.random.default_rng([seed, n])
    animals, others = ["cat", "dog", "bird"], [word for word in WORDS if word.isalpha()][4:]
    labels = [animals[i % 3] for i in range(n)]
    items = []
    for i, label in enumerate(labels):
        words = [*rng.choice(others, int(rng.integers(1, 60 if i % 8 == 0 else 12))), label]
        items.append(" ".join(rng.permutation(words)))
    return Dataset("text", tuple(items), tuple(map(str, range(n))), labels=tuple(labels))


def topics(n: int, *, seed: int = 0) -> Dataset:
    """Sentences about one of three topics, for the toy text network."""
    texts, labels = make_texts(n, seed=seed)
    return Dataset("text", tuple(texts), tuple(map(str, range(n))), labels=tuple(labels))


def tones(n: int, *, seed: int = 0) -> Dataset:
    """Recordings of 0.1 to 1.4 seconds: a low, middle or high tone in noise."""
    rng = np.random.default_rng([seed, n])
    labels = [list(PITCHES)[i % 3] for i in range(n)]
    items = []
    for label in labels:
        time = np.arange(int(rng.integers(1600, 22_000))) / 16_000
        samples = np.sin(2 * np.pi * PITCHES[label] * time) + 2 * rng.standard_normal(len(time))
        items.append(Sound((0.1 * samples).astype(np.float32), 16_000))
    return Dataset("audio", tuple(items), tuple(map(str, range(n))), labels=tuple(labels))


def data_for(backbone: Backbone, n: int, *, seed: int = 0) -> Dataset:
    return {"image": pictures, "text": sentences, "audio": tones}[backbone.modality](n, seed=seed)


def toy(dataset: Dataset) -> Backbone:
    return backbones.load(f"toy:{dataset.modality}")


def task_of(dataset: Dataset) -> Task:
    assert dataset.labels is not None
    return task_from_labels(dataset.kind, dataset.labels)


def tune(strategy: Tuning, backbone: Backbone, train: Dataset, **run: Any) -> Tuned:
    return strategy.tune(backbone, train, task_of(train), run=Run(FeatureSource(), **run))


def live(name: str, choose: Any) -> Any:
    """Decide that activations are never stored."""
    return "live" if name.startswith("activations at") else choose()


@dataclass
class Recorded:
    """What a training started from, and its losses."""

    start: dict[str, Tensor]
    losses: list[float] = field(default_factory=list)


@contextmanager
def recorded() -> Iterator[list[Recorded]]:
    """Record every training inside."""
    runs: list[Recorded] = []
    original = _tuning.train

    def spy(module: Any, *arguments: Any, **more: Any) -> Any:
        run = Recorded({name: value.clone() for name, value in module.state_dict().items()})
        trained = original(module, *arguments, **more)
        run.losses = trained.losses.tolist()
        runs.append(run)
        return trained

    with patch.object(_tuning, "train", spy):
        yield runs


@dataclass
class Trial:
    """Losses of every step, outputs on other items, and how far the weights went, over how large they were."""

    losses: np.ndarray
    outputs: np.ndarray
    moved: float

    def differences(self, other: "Trial") -> tuple[float, float]:
        """Largest difference of the losses over the loss, and of the outputs over the largest output of their item."""
        losses = np.abs(self.losses - other.losses) / np.abs(other.losses)
        outputs = np.abs(self.outputs - other.outputs) / other.outputs.max(axis=1, keepdims=True)
        return float(losses.max()), float(outputs.max())


@contextmanager
def one_head() -> Iterator[None]:
    """Start every fine-tuning inside from the head of the first.

    L-BFGS ends within 1e-7 nats of the optimum, so features that differ in the last bit give heads that differ in the
    fourth digit.
    """
    made: list[LinearHead] = []

    def make(*arguments: Any) -> LinearHead:
        made.append(made[0] if made else LinearHead(*arguments))
        return deepcopy(made[0])

    with patch.object(finetune, "LinearHead", make), float32():
        yield


@contextmanager
def float32() -> Iterator[None]:
    """Train in full precision, whatever the device can."""
    with patch.object(finetune, "auto_precision", lambda _device: "float32"):
        yield


def three_ways(strategy: FineTune, backbone: Backbone, train: Dataset, test: Dataset) -> tuple[Trial, Trial, Trial]:
    """Fine-tune from stored activations, from live ones, and by the plain loop."""
    trials, started = [], []
    with one_head():
        for decide in (lambda _name, choose: choose(), live):
            run = Run(FeatureSource(), decide=decide, seed=3)
            with recorded() as runs:
                tuned = strategy.tune(backbone, train, task_of(train), run=run)
            started.append(runs[0].start)
            moved = distance(backbone, tuned.model.backbone)
            trials.append(Trial(np.array(runs[0].losses), tuned.outputs(test, run=run), moved))
    head = {name.removeprefix("head."): v for name, v in started[0].items() if name.startswith("head.")}
    plain = PlainFineTuning(backbone, strategy.cut_of(backbone), head)
    task, n, views = task_of(train), len(train), strategy.views_of(backbone)
    assert isinstance(task, Classification)
    y, networks = task.encode(train.labels or ()), seen(backbone, strategy.reading_of(backbone))
    batches, targets = [], []
    order = epochs(n, strategy.batch, 3)
    for step in range(strategy.steps):
        rows = rows_and_views(order.rows(step), views, n, seed=3, step=step)
        batches.append([(networks[row // n], train.items[row % n]) for row in rows])
        targets.append(y[rows % n].tolist())
    losses = plain.fit(batches, targets, rate=strategy.rate, decay=strategy.decay, smoothing=strategy.smoothing)
    moved = distance(backbone, plain.backbone)
    return trials[0], trials[1], Trial(np.array(losses), plain.outputs(test.items), moved)


def distance(one: Backbone, other: Backbone) -> float:
    """Largest change of a weight over the largest weight of its tensor."""
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    changes = [float((a - b).detach().abs().max() / a.detach().abs().max().clamp(min=1e-9)) for a, b in pairs]
    return max(changes)
