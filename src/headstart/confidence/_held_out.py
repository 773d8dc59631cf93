"""What the folds of the training part say of a model's answers, in a few numbers per example."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from headstart.errors import OptionError
from headstart.evaluation import (
    Abstention,
    abstention,
    coverage_band,
    design_effect,
    prediction_sets,
    set_threshold,
    threshold_for,
)


@final
@dataclass(frozen=True, eq=False)
class HeldOut:
    """Training examples as predicted by fits that held them out.

    Attributes:
        y: (n,) right classes.
        p: (n, C) probabilities.
        groups: (n,) numbers of the groups whose examples resemble each other; all different where there are none.
    """

    y: NDArray[np.int32]
    p: NDArray[np.float32]
    groups: NDArray[np.int32]

    @classmethod
    def of(cls, y: NDArray[Any], p: NDArray[Any], groups: NDArray[Any]) -> Self:
        """Keep what is needed.

        Args:
            y: (n,) class numbers.
            p: (n, C) probabilities; rows with nan, of examples that no fit held out, are left out.
            groups: (n,) names or numbers.

        Returns:
            The held-out examples.
        """
        known = ~np.isnan(p).any(axis=1)
        numbers = np.unique(np.asarray(groups)[known], return_inverse=True)[1]
        return cls(y[known].astype(np.int32), p[known].astype(np.float32), numbers.astype(np.int32))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return len(np.unique(self.groups))

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether the most probable class is the right one."""
        return np.asarray(self.p.argmax(axis=1) == self.y)

    def set_thresholds(self, coverage: float, *, per_class: bool = False) -> NDArray[np.float64]:
        """Return from which probability on a class is in the set of an item.

        Args:
            coverage: The share of sets wanted to hold the right class.
            per_class: Whether that is wanted of every class by itself, and not on average.

        Returns:
            (C,) thresholds, as `headstart.evaluation.set_threshold` has them. Of one class it is the threshold on its
            own examples; there the most probable class counts as in the set too.
        """
        n_classes = self.p.shape[1]
        if not per_class:
            return np.full(n_classes, set_threshold(self.y, self.p, coverage))
        members = [self.y == number for number in range(n_classes)]
        return np.array([set_threshold(self.y[own], self.p[own], coverage) for own in members])

    def coverage_band(self, coverage: float, *, new: int | None = None) -> tuple[float, float]:
        """Return between which coverages that of the sets lies.

        Args:
            coverage: The share of sets wanted to hold the right class.
            new: The band is of so many new examples, in groups like these; of endlessly many where None.

        Returns:
            The band, as `headstart.evaluation.coverage_band` has it: examples of a group resemble each other, so that
            only as many count as are independent, and no more than there are groups.
        """
        missed = ~prediction_sets(self.p, self.set_thresholds(coverage))[np.arange(len(self)), self.y]
        effect = max(design_effect(missed, self.groups), len(self) / self.n_groups)
        independent = max(1, round(len(self) / effect))
        others = None if new is None else max(1, round(new / effect))
        return coverage_band(independent, coverage, right=float(self.right.mean()), new=others)

    def abstention(self, error: float) -> Abstention | None:
        """Return from which confidence on to answer, so that at most this share of answers is wrong."""
        groups = self.groups if self.n_groups < len(self) else None
        return abstention(self.p.max(axis=1), self.right, error=error, groups=groups)

    def positive(self, number: int) -> "HeldOut":
        """Return the same with class ``number`` as the one that is looked for, in column 1."""
        order = [1 - number, number]
        return replace(self, y=(self.y == number).astype(np.int32), p=self.p[:, order])

    def operating_threshold(self, specificity: float) -> float:
        """Return from which probability of class 1 of two on an item is called positive, at a wanted specificity.

        Args:
            specificity: The share of class 0 that is to be let pass, above 0 and below 1.

        Returns:
            The threshold; infinity where there are too few examples of class 0.

        Raises:
            OptionError: The specificity is not between 0 and 1, or the classes are not two.
        """
        if not 0 < specificity < 1:
            found = f"expected a specificity between 0 and 1, found {specificity:g}"
            raise OptionError(found, fix="Write 0.95 for 95 %.")
        if self.p.shape[1] != 2:
            found = f"an operating point needs two classes, found {self.p.shape[1]}"
            raise OptionError(found, fix="Leave the specificity out, or put the classes together into two.")
        return threshold_for(self.y == 1, self.p[:, 1], specificity)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` reads."""
        return {"y": self.y, "p": self.p, "groups": self.groups}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Build it from what `to_arrays` returned."""
        return cls(arrays["y"], arrays["p"], arrays["groups"])
