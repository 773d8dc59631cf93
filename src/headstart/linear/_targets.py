"""What a linear model learns: classes, independent labels, or values; each a loss of its scores."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import special

from headstart.linear._models import Double, Floats, Integers, Single, shrunk_frequencies, softmax
from headstart.linear._solver import ClassWeight, Design, Point, linear_scores


@dataclass(frozen=True)
class Classes:
    """Labels among the classes that are present, and the weights of the rows, which sum to 1."""

    labels: Integers
    weights: Double
    present: Integers
    n_classes: int
    class_weights: Double

    @classmethod
    def of(cls, y: Integers, n_classes: int, class_weight: ClassWeight, sample_weight: Floats | None) -> Self:
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        mass = np.bincount(y, weights, minlength=n_classes)
        present = np.flatnonzero(mass)
        class_weights = np.ones(n_classes)
        if class_weight == "balanced":
            class_weights[present] = mass.sum() / (len(present) * mass[present])
        weights = weights * class_weights[y]
        labels = np.minimum(np.searchsorted(present, y), len(present) - 1)  # rows without weight may be of any class
        return cls(labels, weights / weights.sum(), present, n_classes, class_weights)

    def curvature(self, scores: Single) -> Double:
        p = softmax(scores)
        return np.maximum(self.weights @ (p * (1 - p)), 1e-3 / len(self.present))

    def loss_and_slopes(self, scores: Single) -> tuple[float, Single]:
        scores -= scores.max(axis=1, keepdims=True)
        index = np.arange(len(scores))
        own = scores[index, self.labels].astype(np.float64)
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        loss = float(self.weights @ (np.log(total, dtype=np.float64) - own))
        scores *= (self.weights / total).astype(np.float32)[:, None]
        scores[index, self.labels] -= self.weights.astype(np.float32)
        return loss, scores

    def start(self, design: Design) -> Point:
        """The best constant: no weights, log frequencies as biases."""
        parameters = np.zeros((len(design.moments) + 1, len(self.present)), dtype=np.float32)
        parameters[-1] = np.log(np.bincount(self.labels, self.weights))
        return Point(parameters)

    def complete(self, design: Design, point: Point) -> Point:
        """Add the classes that have no training rows."""
        if len(self.present) == self.n_classes:
            return point
        full = np.zeros((len(point.parameters), self.n_classes), dtype=np.float32)
        typical = special.logsumexp(linear_scores(design.rows, point.parameters), axis=1).mean()
        full[-1] = typical + np.log(0.5 / len(self.labels))
        full[:, self.present] = point.parameters
        return Point(full, point.converged)


@dataclass(frozen=True)
class Indicators:
    """Labels (N, C') that some rows have and others lack, each a binary problem of its own.

    The objective is their mean, so one L-BFGS solves all of them at once: its products are C' columns wide.

    Attributes:
        values: (N, C') zeros and ones.
        weights: Weight of each row in each label's loss, (N, C'); every column sums to 1 / C'.
        present: Which of the C labels the columns are, (C',).
        priors: Shrunk frequency of all labels, (C,): the answer for those that cannot be learnt.
        class_weights: Weight of a row that lacks, and of one that has, each label, (2, C).
    """

    values: Single
    weights: Double
    present: Integers
    priors: Double
    class_weights: Double

    @classmethod
    def of(cls, Y: Floats, class_weight: ClassWeight) -> Self:
        present = np.flatnonzero((Y > 0).any(axis=0) & (Y == 0).any(axis=0))
        class_weights = np.ones((2, Y.shape[1]))
        if class_weight == "balanced":
            ones = Y[:, present].sum(axis=0)
            class_weights[:, present] = len(Y) / 2 / np.stack([len(Y) - ones, ones])
        values = Y[:, present].astype(np.float32)
        weights = np.where(values > 0, class_weights[1, present], class_weights[0, present])
        share = 1 / (len(Y) * max(len(present), 1))
        return cls(values, share * weights, present, shrunk_frequencies(Y), class_weights)

    def case_weights(self, Y: Floats) -> Double:
        """Weight (N, C) of rows with these labels (N, C) in each label's loss."""
        return np.asarray(np.where(Y > 0, self.class_weights[1], self.class_weights[0]))

    def curvature(self, scores: Single) -> Double:
        p = special.expit(scores.astype(np.float64))
        return np.asarray(np.maximum((self.weights * p * (1 - p)).sum(axis=0), 1e-3 / max(len(self.present), 1)))

    def loss_and_slopes(self, scores: Single) -> tuple[float, Single]:
        losses = np.logaddexp(0, scores) - self.values * scores
        slopes = special.expit(scores) - self.values
        return float((self.weights * losses).sum()), (self.weights * slopes).astype(np.float32)

    def start(self, design: Design) -> Point:
        """The best constant: no weights, the log odds as biases."""
        parameters = np.zeros((len(design.moments) + 1, len(self.present)), dtype=np.float32)
        parameters[-1] = special.logit((self.weights * self.values).sum(axis=0) * len(self.present))
        return Point(parameters, link="sigmoid")

    def complete(self, point: Point) -> Point:
        """Add the labels that all rows have or none."""
        full = np.zeros((len(point.parameters), len(self.priors)), dtype=np.float32)
        full[-1] = special.logit(self.priors)
        full[:, self.present] = point.parameters
        return Point(full, point.converged, "sigmoid")


@dataclass(frozen=True)
class Values:
    """Numbers (N, 1) under half the mean squared error."""

    values: Single

    def curvature(self, scores: Single) -> Double:
        return np.ones(scores.shape[1])

    def loss_and_slopes(self, scores: Single) -> tuple[float, Single]:
        scores -= self.values
        loss = 0.5 * float(np.square(scores, dtype=np.float64).mean())
        scores /= len(scores)
        return loss, scores

    def start(self, design: Design) -> Point:
        """The mean."""
        parameters = np.zeros((len(design.moments) + 1, 1), dtype=np.float32)
        parameters[-1] = self.values.mean()
        return Point(parameters, link="identity")
