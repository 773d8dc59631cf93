"""Linear classifiers on arrays: the one implementation behind probes, ranking and classical baselines.

Decisions:

* **Objective.** Multinomial logistic regression: mean log loss + ``strength`` / 2 * (sum of squared weights), biases
  free. The loss is a mean, so a strength means the same at every number of examples. scikit-learn's ``C`` is ``1 / (n *
  strength)`` for three and more classes and ``2 / (n * strength)`` for two, because two classes also get two rows of
  weights here.
* **Coordinates.** The penalty does not change under rotation and the free biases absorb any shift. So dense features
  are centred and rotated to their principal axes, at most min(N, D) of them: same optimum, fewer columns when N < D.
  There every coordinate is scaled by its expected curvature, after which L-BFGS needs tens of steps where it needed
  hundreds.
* **Strengths** are walked from strong to weak, each fit starting at the one before; the walk ends once the held-out
  loss has clearly turned up.
* **Precision.** Products and vectors are float32, sums of losses float64.
* A class without training examples gets no weights and a typical probability of half an example.
"""

from headstart.linear._fitting import (
    PROBABILITY_FLOOR,
    STRENGTHS,
    CrossValidation,
    Fold,
    cross_validate,
    fit_cross_validated,
    fit_logistic,
    fit_nearest_mean,
)
from headstart.linear._models import KNearest, LinearModel, Matrix, Standardiser
from headstart.linear._solver import ClassWeight

__all__ = [
    "PROBABILITY_FLOOR",
    "STRENGTHS",
    "ClassWeight",
    "CrossValidation",
    "Fold",
    "KNearest",
    "LinearModel",
    "Matrix",
    "Standardiser",
    "cross_validate",
    "fit_cross_validated",
    "fit_logistic",
    "fit_nearest_mean",
]
