"""Scores of a head that is there already: how well its source classes tell the target classes.

Neither is comparable between heads with different numbers of source classes: more of them score higher.
"""

import numpy as np

from headstart.errors import DataError
from headstart.transferability._inputs import Double, Floats, Score, Target, class_numbers, mean_score, one_hot


def leep(theta: Floats, y: Target) -> Score:
    """Return the log expected empirical prediction.

    Nguyen, Hassner, Seeger & Archambeau, LEEP: a new measure to evaluate transferability of learned representations,
    2020: P(y, z) = 1/N sum of theta_iz over the examples of class y, and the score is the mean over examples of
    ln sum_z P(y_i | z) theta_iz. The influence is the derivative, P included.

    Args:
        theta: Probabilities of the source classes, (N, Cs).
        y: Class numbers of the target, (N,).

    Returns:
        The score, at most 0; `share_of_entropy` puts it on a scale.

    Raises:
        DataError: Rows of ``theta`` are no probabilities, there is one class, or the lengths differ.
    """
    theta = _probabilities(theta)
    numbers = class_numbers(y, len(theta))
    belongs = one_hot(numbers)
    theta = theta[:, theta.sum(axis=0) > 0]
    total = theta.sum(axis=0)
    given = belongs.T @ theta / total
    expected = (given[numbers] * theta).sum(axis=1)
    gained = np.log(expected)
    # dP(y | z) / dw_j = theta_jz ([y = y_j] - P(y | z)) / sum_i theta_iz moves what all examples expect.
    pull = belongs.T @ (theta / expected[:, None])
    parts = gained + (theta / total * (pull[numbers] - (given * pull).sum(axis=0))).sum(axis=1)
    return Score(float(gained.mean()), parts - parts.mean())


def nce(theta: Floats, y: Target) -> Score:
    """Return the negative conditional entropy of the target class given the most probable source class.

    Tran, Nguyen & Hassner, Transferability and hardness of supervised classification tasks, 2019: the mean of
    ln P(y_i | z_i), z_i the source class of highest probability, the first of equals.

    Args:
        theta: Probabilities of the source classes, (N, Cs).
        y: Class numbers of the target, (N,).

    Returns:
        The score, at most 0; `share_of_entropy` puts it on a scale.

    Raises:
        DataError: Rows of ``theta`` are no probabilities, there is one class, or the lengths differ.
    """
    theta = _probabilities(theta)
    numbers = class_numbers(y, len(theta))
    source = theta.argmax(axis=1)
    joint = np.zeros((int(numbers.max()) + 1, theta.shape[1]))
    np.add.at(joint, (numbers, source), 1)
    return mean_score(np.log(joint[numbers, source] / joint.sum(axis=0)[source]))


def share_of_entropy(score: Score, y: Target) -> Score:
    """Return 1 + score / H(y): the share of the entropy of the classes that a `leep` or `nce` score explains.

    Args:
        score: Of the same examples.
        y: Class numbers of the target, (N,).

    Returns:
        1 where all is explained, 0 where nothing is.

    Raises:
        DataError: There is one class, or the lengths differ.
    """
    numbers = class_numbers(y, len(score.influence))
    surprise = -np.log(np.bincount(numbers) / len(numbers))[numbers]
    entropy = float(surprise.mean())
    influence = score.influence / entropy - score.value * (surprise - entropy) / entropy**2
    return Score(1 + score.value / entropy, influence)


def _probabilities(theta: Floats) -> Double:
    wide = np.asarray(theta, dtype=np.float64)
    if wide.ndim != 2 or 0 in wide.shape or not np.isfinite(wide).all() or wide.min() < 0:
        raise DataError(f"expected probabilities of shape (N, source classes), found shape {wide.shape} or others")
    if (off := int((np.abs(wide.sum(axis=1) - 1) > 1e-3).sum())) > 0:
        raise DataError(f"expected rows of probabilities that sum to 1, found {off} that do not")
    return wide
