"""Can the answer be told from what an item does not show? Probes on properties alone, against one on features.

Each kind of property (`headstart.audit._properties`) has a probe of its own, out of sample and with groups kept
together. It tells something where a class is told better than by chance: its AUROC is above 0.5 by an interval over
groups, and above that of any class on labels that changed places. Whether that is a leak depends on the kind:

* *made* with the file: where a class is told nearly as well as from the features: of what the network adds to a coin
  toss (AUROC above 0.5), they alone give nine tenths;
* *shown*: where they give nine tenths of what the network adds to the commonest class in accuracy, over all classes. A
  written 1 has less ink than any other digit, so its file is small; that is no leak, and ten digits are not told by it;
* *behind*: never, for no network sees them; that classes come from different sources is worth knowing.

What is weaker is an information, from half of what the features give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final, get_args

import numpy as np
import numpy.typing as npt

from headstart.audit._properties import Kind, Property
from headstart.data import make_folds
from headstart.evaluation import auroc, bootstrap_interval, paired_interval
from headstart.linear import cross_validate

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]

PERMUTATIONS: Final = 19
ALARM: Final = 0.9  # of what the features give
WORTH_SAYING: Final = 0.5
_FEW: Final = 20  # members of a class below which its area is chance
_FEW_GROUPS: Final = 10  # of such members
_FOLDS: Final = 5
_BINS: Final = 8
_WORDS: Final = 20  # different ones that have a column
_STRENGTHS: Final = (1.0, 0.1, 0.01, 0.001)


@final
@dataclass(frozen=True, eq=False)
class Leak:
    """How well the properties of one kind alone tell the classes.

    Attributes:
        kind: Of properties.
        accuracy: Of a probe on all of them.
        feature_accuracy: Of the probe on features.
        chance: Share of the commonest class.
        low: Lower end of the 95 % interval of ``accuracy - chance``, over groups.
        high: Upper end.
        label: The number of the class that they tell best, against what the features give.
        area: AUROC of that class from the properties.
        area_low: Lower end of its 95 % interval, over groups.
        permuted: The best AUROC of any class on labels that changed places.
        feature_area: AUROC of that class from the features.
        by: The property that tells that class best.
        by_area: AUROC of that class from it alone.
    """

    kind: Kind
    accuracy: float
    feature_accuracy: float
    chance: float
    low: float
    high: float
    label: int
    area: float
    area_low: float
    permuted: float
    feature_area: float
    by: str
    by_area: float

    @property
    def beyond_chance(self) -> bool:
        """Whether they tell a class at all."""
        return self.area_low > 0.5 and self.area > self.permuted

    @property
    def share(self) -> float:
        """How much of what the features give on that class they give alone, from 0 to 1."""
        return _share(self.area - 0.5, self.feature_area - 0.5)

    @property
    def alarm(self) -> bool:
        """Whether it is a leak."""
        if not self.beyond_chance or self.kind == "behind":
            return False
        if self.kind == "made" and self.share >= ALARM:
            return True
        return self.low > 0 and _share(self.accuracy - self.chance, self.feature_accuracy - self.chance) >= ALARM

    @property
    def worth_saying(self) -> bool:
        """Whether it tells enough to be mentioned."""
        return self.beyond_chance and self.share >= WORTH_SAYING


def told_by_properties(
    found: Sequence[Property], y: Integers, features: Floats, *, units: Integers, n_classes: int, seed: int
) -> list[Leak]:
    """Probe properties alone.

    Args:
        found: The properties.
        y: (N,) class numbers.
        features: (N, C) out-of-sample probabilities of a probe on features.
        units: (N,) numbers of what stays together.
        n_classes: C.
        seed: Of folds and permutations.

    Returns:
        How well each kind of them tells the classes; kinds without a property are left out, and all of them where no
        class has 20 members in 10 groups.
    """
    judged = _Judged(y, units, n_classes, seed)
    if not len(judged.common):
        return []
    kinds = {kind: [each for each in found if each.kind == kind] for kind in get_args(Kind)}
    return [judged.leak(kind, some, features) for kind, some in kinds.items() if some]


@dataclass(frozen=True, eq=False)
class _Judged:
    """Labels that are told from properties, out of sample."""

    y: Integers
    units: Integers
    n_classes: int
    seed: int

    @property
    def common(self) -> Integers:
        """Classes that have enough members, of enough groups."""
        pairs = np.unique(np.stack([self.y, self.units], axis=1), axis=0)
        groups = np.bincount(pairs[:, 0], minlength=self.n_classes)
        return np.flatnonzero((np.bincount(self.y, minlength=self.n_classes) >= _FEW) & (groups >= _FEW_GROUPS))

    def leak(self, kind: Kind, some: Sequence[Property], features: Floats) -> Leak:
        y, columns = self.y, [_encoded(each) for each in some]
        X = np.concatenate(columns, axis=1)
        outputs, commonest = self.probed(X, y), np.zeros((len(y), self.n_classes))
        commonest[:, np.bincount(y).argmax()] = 1.0
        gain = paired_interval("accuracy", y, outputs, commonest, groups=self.units, seed=self.seed, resamples=500)
        label = max(
            self.common.tolist(), key=lambda each: _share(_area(outputs, y, each) - 0.5, _area(features, y, each) - 0.5)
        )
        own = np.stack([1 - outputs[:, label], outputs[:, label]], axis=1)
        over = bootstrap_interval(
            "auroc", (y == label).astype(int), own, groups=self.units, seed=self.seed, resamples=500
        )
        alone = [(_area(self.probed(each, y), y, label), one.name) for each, one in zip(columns, some, strict=True)]
        return Leak(
            kind,
            _accuracy(outputs, y),
            _accuracy(features, y),
            _accuracy(commonest, y),
            gain.low,
            gain.high,
            label,
            _area(outputs, y, label),
            over.low,
            self.permuted(X) if over.low > 0.5 else 0.5,
            _area(features, y, label),
            max(alone)[1],
            max(alone)[0],
        )

    def permuted(self, X: Floats) -> float:
        """The best area of any class on labels that changed places, those of a group together as its size allows."""
        generator, best = np.random.default_rng(self.seed), 0.5
        place = np.argsort(self.units, kind="stable")
        for _ in range(PERMUTATIONS):
            order = generator.permutation(int(self.units.max()) + 1)[self.units]
            shuffled = np.empty_like(self.y)
            shuffled[place] = self.y[np.argsort(order, kind="stable")]
            outputs = self.probed(X, shuffled)
            best = max(best, *(_area(outputs, shuffled, label) for label in self.common.tolist()))
        return best

    def probed(self, X: Floats, y: Integers) -> Floats:
        """Out-of-sample probabilities."""
        folds = make_folds(y, groups=self.units, n_splits=_FOLDS, seed=self.seed)
        return cross_validate(X, y, folds, n_classes=self.n_classes, strengths=_STRENGTHS).outputs


def _share(part: float, whole: float) -> float:
    return float(np.clip(part / max(whole, 0.05), 0, 1))


def _accuracy(outputs: Floats, y: Integers) -> float:
    return float((outputs.argmax(axis=1) == y).mean())


def _area(outputs: Floats, y: Integers, label: int) -> float:
    own = outputs[:, label]
    return float(np.squeeze(auroc((y == label).astype(int), np.stack([1 - own, own], axis=1))))


def _encoded(each: Property) -> npt.NDArray[np.float32]:
    """Columns of a property: words as marks; numbers as they are, and as marks of eighths, which need not rise."""
    values = each.values
    if values.dtype.kind != "f":
        names, counts = np.unique(values, return_counts=True)
        common = names[np.argsort(-counts, kind="stable")[:_WORDS]]
        return np.asarray(values[:, None] == common, dtype=np.float32)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
    eighth = np.searchsorted(edges, values, side="right")[:, None] == np.arange(len(edges) + 1)
    return np.concatenate([values[:, None], eighth], axis=1).astype(np.float32)
