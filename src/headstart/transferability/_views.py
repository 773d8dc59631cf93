"""Every score that applies to one feature matrix, from one decomposition."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from headstart.linear import Fold
from headstart.tasks import Kind
from headstart.transferability._discriminant import discriminant
from headstart.transferability._evidence import logme
from headstart.transferability._inputs import Floats, Score, Target
from headstart.transferability._neighbours import neighbours
from headstart.transferability._probe import probe
from headstart.transferability._scatter import h_score
from headstart.transferability._spectrum import Spectrum

_OF_CLASSES: Final = ("neighbours", "h_score", "logme", "discriminant", "probe")

SCORES_FOR: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        "classification": _OF_CLASSES,
        "multilabel": _OF_CLASSES,
        "regression": ("neighbours", "logme", "probe"),
    }
)
"""The scores that apply to each kind of task, in the order of tables."""


def score_view(
    features: Floats,
    y: Target,
    *,
    kind: Kind,
    n_classes: int,
    groups: npt.NDArray[np.generic] | None,
    folds: Sequence[Fold],
    spectrum: Spectrum | None = None,
) -> dict[str, Score]:
    """Return every score that applies to the task, `SCORES_FOR` its kind.

    Args:
        features: F, (N, D).
        y: Class numbers (N,), indicators (N, C) or values (N,).
        kind: What ``y`` is.
        n_classes: Number of classes or labels; 1 for values.
        groups: Group of each example (N,), or None.
        folds: Training and held-out row numbers for the probe; groups must not straddle them.
        spectrum: The decomposition of the features, where it is there already.

    Returns:
        The scores by name.

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, all examples are in one group, or the
            lengths differ.
    """
    spectrum = spectrum or Spectrum.of(features)
    scores = {"neighbours": neighbours(spectrum, y, kind=kind, groups=groups)}
    if kind != "regression":
        scores["h_score"] = h_score(spectrum, y, kind=kind)
        scores["discriminant"] = discriminant(spectrum, y, kind=kind, groups=groups)
    scores["logme"] = logme(spectrum, y, kind=kind)
    scores["probe"] = probe(features, y, folds, kind=kind, n_classes=n_classes)
    return {name: scores[name] for name in SCORES_FOR[kind]}
