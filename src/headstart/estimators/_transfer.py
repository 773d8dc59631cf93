"""What the estimators share: settings, the choice of a model, and items in lists as a data set."""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from headstart import backbones, strategies
from headstart.backbones import Backbone
from headstart.data import IMAGE_SUFFIXES, SOUND_SUFFIXES, Dataset, Item, Modality, Sound
from headstart.engine import pick_device
from headstart.errors import DataError, OptionError
from headstart.evaluation import DEFAULT_METRICS
from headstart.features import FeatureSource
from headstart.strategies import Run, reading_for
from headstart.tasks import Kind, Task

if TYPE_CHECKING:
    from sklearn.utils import Tags


class Transfer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the estimators share: settings, the choice of a model, and its outputs for new items."""

    def __init__(
        self,
        backbone: str | Backbone | Sequence[str | Backbone] | None = None,
        *,
        strategy: str = "probe",
        modality: Literal["auto", "image", "text", "audio"] = "auto",
        metric: str | None = None,
        device: str = "auto",
        offline: bool = False,
        random_state: int = 0,
    ) -> None:
        self.backbone = backbone
        self.strategy = strategy
        self.modality = modality
        self.metric = metric
        self.device = device
        self.offline = offline
        self.random_state = random_state

    def _choose(self, dataset: Dataset, task: Task) -> None:
        """Fit every candidate and keep the one of the lowest cross-validated loss."""
        strategy = strategies.parse(self.strategy)
        metric = DEFAULT_METRICS[task.kind] if self.metric is None else self.metric
        run = Run(FeatureSource(), seed=self.random_state, metric=metric)
        candidates = reading_for(self._candidates(dataset.modality), dataset, task, run=run)
        fits = [strategy.fit(backbone, dataset, task, run=run) for backbone in candidates]
        best = min(fits, key=lambda fit: fit.loss)
        self.model_, self.chosen_ = best.model, dict(best.chosen)

    def _outputs(self, X: Iterable[Item]) -> NDArray[np.float64]:
        check_is_fitted(self, "model_")
        return self._outputs_of(dataset_of(X, self.model_.backbone.modality))

    def _outputs_of(self, dataset: Dataset) -> NDArray[Any]:
        model = self.model_
        outputs: NDArray[Any] = model.head.outputs(FeatureSource().features(model.backbone, dataset, view=model.view))
        return outputs

    def _candidates(self, modality: Modality) -> list[Backbone]:
        given = self.backbone
        if given is None:
            given = [candidate.name for candidate in backbones.candidates(modality, offline=True)]
        several = [given] if isinstance(given, str | Backbone) else list(given)
        if not several:
            raise OptionError(
                f"no {modality} backbone is installed",
                where="backbone",
                fix="Name one, such as 'timm:resnet18.a1_in1k'.",
            )
        device = pick_device(self.device)
        return [_load(b, self.offline, device) if isinstance(b, str) else b.to(device) for b in several]

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


@lru_cache(maxsize=4)
def _load(name: str, offline: bool, device: str) -> Backbone:  # noqa: FBT001  (a cache key)
    """Keep the last few networks: a cross-validation clones and fits its estimator many times."""
    return backbones.load(name, offline=offline).to(device)


def dataset_of(
    X: Iterable[Item],
    modality: Literal["auto", "image", "text", "audio"],
    *,
    labels: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    kind: Kind = "classification",
) -> Dataset:
    """Return items in lists as a data set, or say what is wrong with them."""
    if isinstance(X, str | Path):
        raise DataError(
            f"expected a list of items, found the single item {str(X)[:40]!r}", where="X", fix="Wrap it: [item]."
        )
    items = list(X)
    units = None if groups is None else column(groups, "groups")
    for name, values in (("y", labels), ("groups", units)):
        if values is not None and len(values) != len(items):
            raise DataError(f"expected {len(items)} values, one per item, found {len(values)}", where=name)
    if not items:
        raise DataError("expected at least one item, found none", where="X")
    found = _modality(items) if modality == "auto" else modality
    return Dataset(
        modality=found,
        items=tuple(Path(item) if found != "text" and isinstance(item, str) else item for item in items),
        places=tuple(f"X[{i}]" for i in range(len(items))),
        labels=None if labels is None else tuple(labels),
        groups=None if units is None else tuple(map(str, units)),
        source="X",
        kind=kind,
    )


def _modality(items: Sequence[Item]) -> Modality:
    if all(isinstance(item, str) for item in items):
        return _modality_of_strings(items)
    if all(isinstance(item, Sound) or (isinstance(item, Path) and _ends_in(item, SOUND_SUFFIXES)) for item in items):
        return "audio"
    if all(isinstance(item, Path | Image.Image | np.ndarray) for item in items):
        return "image"
    kinds = sorted({type(item).__name__ for item in items})
    raise DataError(f"expected paths, images, arrays, sounds or strings, found {', '.join(kinds)}", where="X")


def _modality_of_strings(items: Sequence[str]) -> Modality:
    """Take strings that all end like names of images, or all like names of sounds, for files, which must be there."""
    modality: Modality = "text"
    if all(_ends_in(item, IMAGE_SUFFIXES) for item in items):
        modality = "image"
    elif all(_ends_in(item, SOUND_SUFFIXES) for item in items):
        modality = "audio"
    missing = next((i for i, item in enumerate(items) if modality != "text" and not Path(item).is_file()), None)
    if missing is not None:
        fix = "Correct the path; or pass modality='text', if these are texts."
        raise DataError(f"expected a file, found no such file {items[missing]!r}", where=f"X[{missing}]", fix=fix)
    return modality


def _ends_in(name: str | Path, suffixes: Collection[str]) -> bool:
    return str(name).lower().endswith(tuple(suffixes))


def column(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return one value per item as an array, or say what is wrong with it."""
    found = np.asarray(values)
    if found.ndim != 1:
        raise DataError(f"expected one value per item, found an array of shape {found.shape}", where=name)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        where = int(np.isfinite(found).argmin())
        raise DataError(f"expected finite values, found {found[where]} (nan or inf) at position {where}", where=name)
    return found
