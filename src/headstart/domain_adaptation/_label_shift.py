"""How often each class occurs in the target, from a source model's probabilities, and what that changes in a head."""

from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from headstart.errors import OptionError
from headstart.linear import LinearModel

Double: TypeAlias = npt.NDArray[np.float64]
Floats: TypeAlias = npt.NDArray[np.floating[Any]]

STEPS: Final = 1000
ENOUGH: Final = 1e-5
RESAMPLES: Final = 200
FLOOR: Final = 1e-6  # a share of 0 would say that the class can never be predicted


def target_shares(probabilities: Floats, shares: Floats) -> Double:
    """Estimate the shares of the classes in the target by maximum likelihood.

    Saerens, Latinne & Decaestecker (Adjusting the outputs of a classifier to new a priori probabilities, 2002, eq.
    2.8), EM: q <- mean over examples of p(y|x) q / s, scaled to 1. Right where the classes look alike in both domains
    and the probabilities are calibrated (Alexandari, Kundaje & Shrikumar, Maximum likelihood with bias-corrected
    calibration, 2020).

    Args:
        probabilities: Of a model of the source on M target examples, (M, C).
        shares: Of the classes in what that model was trained on, (C,).

    Returns:
        (C,) shares that are 1 together.
    """
    return _em(np.asarray(probabilities, dtype=np.float64), np.asarray(shares, dtype=np.float64))


def shares_interval(probabilities: Floats, shares: Floats, *, seed: int, level: float = 0.95) -> tuple[Double, Double]:
    """Return percentile-bootstrap intervals of `target_shares` over the target's examples.

    Args:
        probabilities: Of a model of the source on M target examples, (M, C).
        shares: Of the classes in what that model was trained on, (C,).
        seed: Of the resamples.
        level: Nominal coverage.

    Returns:
        Lower and upper ends, (C,) each.
    """
    p, s = np.asarray(probabilities, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    generator, n = np.random.default_rng(seed), len(p)
    start = _em(p, s)
    counts = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    draws = np.array([_em(p, s, weights=drawn / n, start=start) for drawn in counts])
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def for_shares(model: LinearModel, *, before: Floats, after: Floats) -> LinearModel:
    """Return a model of classes for other shares of them: p(y|x) times after / before, scaled to 1.

    Args:
        model: Of classes.
        before: Shares in what it was trained on, (C,); a class of share 0 keeps its probability.
        after: Shares where it will predict, (C,).

    Returns:
        The model with other biases.

    Raises:
        OptionError: It is no model of classes that exclude each other.
    """
    if model.link != "softmax":
        raise OptionError("shares of classes need classes that exclude each other", fix="Leave label_shift out.")
    had = np.asarray(before, dtype=np.float64)
    ratio = np.where(had > 0, np.maximum(after, FLOOR) / np.maximum(had, FLOOR), 1.0)
    return replace(model, bias=(model.bias + np.log(ratio)).astype(np.float32))


def _em(p: Double, shares: Double, *, weights: Double | None = None, start: Double | None = None) -> Double:
    """Iterate from the given shares, those of training where None, until none moves by `ENOUGH`."""
    known, found = shares > 0, shares if start is None else start
    weights = np.full(len(p), 1 / len(p)) if weights is None else weights
    ratio, found = p[:, known] / shares[known], found[known] / found[known].sum()
    for _ in range(STEPS):
        total = np.maximum(ratio @ found, np.finfo(np.float64).tiny)
        new = found * ((weights / total) @ ratio)
        new /= new.sum()
        done = float(np.abs(new - found).max()) < ENOUGH
        found = new
        if done:
            break
    out = np.zeros(len(shares))
    out[known] = found
    return out
