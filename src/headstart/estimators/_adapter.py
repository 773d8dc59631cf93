"""The classifier for a target without labels: both domains in one list, told apart by `sample_domain`."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from headstart.backbones import Backbone
from headstart.data import Item
from headstart.errors import DataError
from headstart.estimators._classifier import TransferClassifier, class_name, class_names
from headstart.estimators._transfer import column, dataset_of
from headstart.features import FeatureSource
from headstart.pipeline import Domains, adapt_domains, check_methods
from headstart.strategies import Run
from headstart.tasks import Classification

if TYPE_CHECKING:
    from sklearn.utils import Tags


class TransferAdapter(TransferClassifier):
    """A classifier that starts from a pretrained network and adapts to a target without labels.

    It takes data as skada does: examples of both domains in ``X``, of the source where ``sample_domain`` is positive
    and of the target where it is negative. What ``y`` says of the target is never looked at.

    Args:
        backbone: An address such as ``starter:minilm-l6``, a `Backbone`, or several of either to choose among by the
            source's cross-validated loss; by default the ones that need no network.
        method: ``auto`` chooses without labels of the target, or leaves the head as it is; or the name of a way, of
            `headstart.domain_adaptation.METHODS` or `headstart.strategies.DeepMethod`. A tuple of several, ``auto``
            among them or not, are candidates.
        modality: ``image``, ``text`` or ``audio``; ``auto`` goes by the names of files, as in `TransferClassifier`.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        offline: Open no connection.
        random_state: Seed of every random choice.

    Attributes:
        classes_: (C,) labels of the source in the order of the probabilities.
        model_: The fitted `headstart.model.AdaptedModel`.
        chosen_: The way, whether adapting was refused, and why.
        adapted_: The candidates, the gap and the rest of what was found.
    """

    def __init__(
        self,
        backbone: str | Backbone | Sequence[str | Backbone] | None = None,
        *,
        method: str | tuple[str, ...] = "auto",
        modality: Literal["auto", "image", "text", "audio"] = "auto",
        device: str = "auto",
        offline: bool = False,
        random_state: int = 0,
    ) -> None:
        super().__init__(backbone, modality=modality, device=device, offline=offline, random_state=random_state)
        self.method = method

    def fit(
        self,
        X: Iterable[Item],
        y: ArrayLike,
        groups: ArrayLike | None = None,
        *,
        sample_domain: ArrayLike | None = None,
    ) -> "TransferAdapter":
        """Fit a head on the source and adapt it to the target.

        Args:
            X: N paths, images, arrays or strings, of both domains.
            y: N labels; those of the target may be anything, such as -1.
            groups: N groups (patient, speaker, document) that the folds keep together.
            sample_domain: N numbers, positive for the source and negative for the target.

        Returns:
            The estimator itself.

        Raises:
            DataError: The domains are not told, one is missing, labels are too few or too many, the source has a single
                class, or the target fewer than 20 examples.
        """
        methods = (self.method,) if isinstance(self.method, str) else tuple(self.method)
        check_methods(methods)
        items, labels = list(X), column_or_1d(y, warn=True)
        if len(labels) != len(items):
            raise DataError(f"expected {len(items)} labels, one per item, found {len(labels)}", where="y")
        source, target = _sides(sample_domain, len(items))
        known = column(labels[source], "y")
        check_classification_targets(known)
        self.classes_, numbers = np.unique(known, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"expected at least 2 classes, found 1 class: {self.classes_[0]!r}", where="y")
        names = np.full(len(items), class_name(0))
        names[source] = [class_name(int(number)) for number in numbers]
        both = dataset_of(items, self.modality, labels=names.tolist(), groups=groups)
        domains = Domains(both.take(source), replace(both.take(target), labels=None))
        task = Classification(class_names(len(self.classes_)))
        run = Run(FeatureSource(), seed=self.random_state)
        self.adapted_ = adapt_domains(domains, self._candidates(both.modality), task, methods=methods, run=run)
        decision, self.model_ = self.adapted_.decision, self.adapted_.model
        self.chosen_ = {"method": decision.chosen.name, "refused": decision.refused, "reason": decision.reason}
        return self

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags


def _sides(sample_domain: ArrayLike | None, n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the source and of the target."""
    if sample_domain is None:
        raise DataError(
            "expected a number per example that tells its domain, found none",
            where="sample_domain",
            fix="Pass positive numbers for the labelled source, negative ones for the target.",
        )
    sides = column(sample_domain, "sample_domain")
    if sides.dtype.kind not in "if" or len(sides) != n or (sides == 0).any():
        raise DataError(
            f"expected {n} numbers above or below zero, found {len(sides)} values of type {sides.dtype}",
            where="sample_domain",
        )
    source, target = np.flatnonzero(sides > 0), np.flatnonzero(sides < 0)
    if not len(source) or not len(target):
        found = f"{len(source)} of the source, {len(target)} of the target"
        raise DataError(f"expected examples of both domains, found {found}", where="sample_domain")
    return source, target
