"""Ways to adapt a head on frozen features to an unlabelled target, each in seconds, named by call strings.

All end in an ordinary linear head that reads the target's features as they are: nothing else has to be shipped. They
differ in what the head is fitted on: the source's rows as they are, moved, or weighted; or in its biases.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from headstart.domain_adaptation._alignment import (
    Integers,
    Single,
    coral,
    linear_transport,
    standardise,
    subspace,
)
from headstart.domain_adaptation._label_shift import for_shares, target_shares
from headstart.domain_adaptation._transport import entropic_transport
from headstart.domain_adaptation._weights import importance_weights
from headstart.linear import (
    ClassWeight,
    Fold,
    LinearModel,
    Standardiser,
    cross_validate,
    fit_logistic,
    fit_standardised,
    nearest_prototypes,
)


@final
@dataclass(frozen=True, eq=False)
class Pair:
    """A labelled source and an unlabelled target, as features.

    Attributes:
        source: (N, D).
        y: Class numbers of the source, (N,).
        target: (M, D).
        n_classes: How many classes there are.
        folds: Of the source, on which the strength of the penalty is chosen.
        class_weight: ``balanced`` gives every class the same total weight.
        seed: Of every random choice.
        groups: Groups of the source, (N,), and of the target, (M,), each or None.
        words: Whether rows are words, nearly all of them outside of entities.
    """

    source: Single
    y: Integers
    target: Single
    n_classes: int
    folds: Sequence[Fold]
    class_weight: ClassWeight = "none"
    seed: int = 0
    groups: tuple[npt.NDArray[Any] | None, npt.NDArray[Any] | None] = (None, None)
    words: bool = False

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """Of the classes in the source, (C,), as the head sees them."""
        counts = np.bincount(self.y, minlength=self.n_classes).astype(np.float64)
        if self.class_weight == "balanced":
            counts = (counts > 0).astype(np.float64)
        return np.asarray(counts / counts.sum())

    def turned(self, labels: Integers) -> "Pair":
        """Return the way back: the target with labels it was given, towards the source."""
        groups = self.groups[::-1]
        return replace(self, source=self.target, y=labels, target=self.source, folds=(), groups=groups)


class Method(ABC):
    """A way to adapt a head."""

    def fit(self, pair: Pair, *, strength: float) -> LinearModel:
        """Fit a head that reads features of the target.

        Args:
            pair: Source and target.
            strength: Of the penalty.

        Returns:
            The head.
        """
        return plain_head(self.rows(pair), pair, strength=strength)

    @abstractmethod
    def rows(self, pair: Pair) -> Single:
        """Return the rows (N, D) that stand for the source.

        Args:
            pair: Source and target.

        Returns:
            One row for each of the source.
        """


def strength_of(pair: Pair) -> float:
    """Choose the strength of the penalty by the source's held-out loss.

    Args:
        pair: Source and target, with folds of the source.

    Returns:
        The strength.
    """
    found = cross_validate(pair.source, pair.y, pair.folds, n_classes=pair.n_classes, class_weight=pair.class_weight)
    return found.strength


def plain_head(rows: Single, pair: Pair, *, strength: float) -> LinearModel:
    """Fit a head on rows that stand for the source.

    Args:
        rows: (N, D).
        pair: Labels and how the classes count.
        strength: Of the penalty.

    Returns:
        The head.
    """
    return fit_standardised(rows, pair.y, n_classes=pair.n_classes, strength=strength, class_weight=pair.class_weight)


@final
@dataclass(frozen=True)
class Unadapted(Method):
    """The head of the source as it is."""

    def rows(self, pair: Pair) -> Single:
        """Return the source."""
        return pair.source


@final
@dataclass(frozen=True)
class Standardise(Method):
    """Every feature of the source takes mean and deviation of the target."""

    def rows(self, pair: Pair) -> Single:
        """Return the source moved by `standardise`."""
        return standardise(pair.source, pair.target)


@final
@dataclass(frozen=True)
class Coral(Method):
    """The source takes mean and covariance of the target."""

    def rows(self, pair: Pair) -> Single:
        """Return the source moved by `coral`."""
        return coral(pair.source, pair.target)


@final
@dataclass(frozen=True)
class LinearTransport(Method):
    """The source takes mean and covariance of the target, moved as little as that allows."""

    def rows(self, pair: Pair) -> Single:
        """Return the source moved by `linear_transport`."""
        return linear_transport(pair.source, pair.target)


@final
@dataclass(frozen=True)
class SubspaceAlignment(Method):
    """The source's principal axes are turned into the target's.

    Attributes:
        dimensions: How many axes.
    """

    dimensions: int = 64

    def rows(self, pair: Pair) -> Single:
        """Return the source moved by `subspace`."""
        return subspace(pair.source, pair.target, dimensions=self.dimensions)


@final
@dataclass(frozen=True)
class EntropicTransport(Method):
    """Every example of the source moves to a mean of target examples.

    Attributes:
        blur: Weight of the entropy, in median squared distances.
    """

    blur: float = 0.05

    def rows(self, pair: Pair) -> Single:
        """Return the source moved by `entropic_transport`."""
        return entropic_transport(pair.source, pair.target, blur=self.blur)


@final
@dataclass(frozen=True)
class ImportanceWeighting(Method):
    """Examples of the source that look like the target count more."""

    def rows(self, pair: Pair) -> Single:
        """Return the source."""
        return pair.source

    def fit(self, pair: Pair, *, strength: float) -> LinearModel:
        """Fit on weighted rows; see `Method.fit`."""
        weights = importance_weights(pair.source, pair.target, seed=pair.seed)
        return _weighted(pair.source, pair.y, weights, pair, strength=strength)


@final
@dataclass(frozen=True)
class LabelShift(Method):
    """The head of the source, for classes as frequent as they seem to be in the target."""

    def rows(self, pair: Pair) -> Single:
        """Return the source."""
        return pair.source

    def fit(self, pair: Pair, *, strength: float) -> LinearModel:
        """Fit, and change the biases; see `Method.fit`."""
        head = plain_head(pair.source, pair, strength=strength)
        return for_shares(head, before=pair.shares, after=target_shares(head.probabilities(pair.target), pair.shares))


@final
@dataclass(frozen=True)
class Prototypes(Method):
    """The target's examples train too, each labelled by the nearest mean of a class in the target.

    The labels are those of SHOT (Liang, Hu & Feng, Do we really need to access the source data?, 2020, eq. 6): means
    of the target's rows weighted by the head's probabilities, nearest by cosine, twice. The
    head is then fitted on the source as `Standardise` has it, and on the target so labelled, each half of the weight.
    """

    def rows(self, pair: Pair) -> Single:
        """Return the source moved by `standardise`."""
        return standardise(pair.source, pair.target)

    def fit(self, pair: Pair, *, strength: float) -> LinearModel:
        """Fit on both domains; see `Method.fit`."""
        moved = self.rows(pair)
        first = plain_head(moved, pair, strength=strength)
        labels = nearest_prototypes(pair.target, first.probabilities(pair.target))
        weights = np.repeat([0.5 / len(moved), 0.5 / len(labels)], [len(moved), len(labels)])
        both = np.concatenate([moved, pair.target])
        return _weighted(both, np.concatenate([pair.y, labels]), weights, pair, strength=strength)


def _weighted(
    rows: Single, y: Integers, weights: npt.NDArray[np.float64], pair: Pair, *, strength: float
) -> LinearModel:
    standardiser = Standardiser.fit(rows)
    fit = partial(fit_logistic, n_classes=pair.n_classes, strength=strength, class_weight=pair.class_weight)
    return fit(standardiser.transform(rows), y, sample_weight=weights).fold(standardiser)


METHODS: Final[dict[str, type[Method]]] = {
    "none": Unadapted,
    "standardise": Standardise,
    "coral": Coral,
    "linear_transport": LinearTransport,
    "subspace": SubspaceAlignment,
    "entropic_transport": EntropicTransport,
    "importance_weighting": ImportanceWeighting,
    "label_shift": LabelShift,
    "prototypes": Prototypes,
}
"""Every way, by its name."""

MOVING: Final = ("none", "standardise", "coral", "linear_transport")
"""Those that are chosen among on any data: with more, choosing without labels of the target gets worse."""

WEIGHING: Final = ("none", "importance_weighting")
"""Those that are chosen among on words: where entities are commoner in one domain than in the other, moving features so
that their means agree turns entities into other words, and shares of tags by likelihood are off."""
