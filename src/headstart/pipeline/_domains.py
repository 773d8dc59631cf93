"""Two domains: a labelled source and a target of which no label is read, and how far apart they lie."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headstart.backbones import Backbone, View
from headstart.data import Dataset, LeftOut, inner_folds, load_items
from headstart.domain_adaptation import (
    Gap,
    Pair,
    class_shifts,
    measure_gap,
    shares_interval,
    target_shares,
)
from headstart.errors import DataError, OptionError
from headstart.pipeline._options import Reading, labels_of
from headstart.pipeline._source import training_side
from headstart.pipeline._values import plain
from headstart.strategies import Probe, Run
from headstart.tasks import Task, counts, flat, is_ragged

KINDS: Final = ("classification", "tagging")
MOST_ROWS: Final = 5000  # that are drawn again for the interval of shares
FEWEST: Final = 20  # examples of the target: fewer have no neighbourhood to speak of


@dataclass(frozen=True)
class Domains:
    """What is adapted from and to.

    Attributes:
        source: Labelled examples.
        target: Examples without labels.
    """

    source: Dataset
    target: Dataset


@dataclass(frozen=True, eq=False)
class Compared:
    """How far apart two domains lie under a network.

    Attributes:
        gap: On its features.
        shares: Of every class (of words, of every tag) in the source, in the target by estimate, and the interval of
            that.
        shifts: How far every class seems to have moved, in the spread it has in the source; NaN where it is too rare.
        unlike: Where the target's examples are that are like nothing in the source, the farthest first.
        n: How many examples of the source and of the target there are.
    """

    gap: Gap
    shares: Mapping[str, tuple[float, float, float, float]]
    shifts: Mapping[str, float]
    unlike: tuple[str, ...]
    n: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        gap = self.gap
        return {
            "n": {"source": self.n[0], "target": self.n[1]},
            "gap": {
                "auc": gap.auc,
                "interval": plain([gap.interval.low, gap.interval.high]),
                "proxy_a_distance": gap.distance,
                "mmd": gap.mmd,
                "mmd_p": gap.mmd_p,
                "within_noise": gap.within_noise,
            },
            "classes": {
                name: {
                    "source": source,
                    "target": target,
                    "interval": [low, high],
                    "shift": plain(self.shifts[name]),
                }
                for name, (source, target, low, high) in self.shares.items()
            },
            "unlike": list(self.unlike),
        }


def read_domains(
    source: str | Path,
    target: str | Path | None,
    *,
    reading: Reading,
    names: tuple[str | None, str | None] = (None, None),
) -> Domains:
    """Read both domains; labels of the target are not read, or are dropped at once.

    Args:
        source: Labelled data, or with ``names`` one data set with a column ``domain``.
        target: Data as `headstart.predict` takes it; None where ``names`` tells the domains apart.
        reading: How the source is read, and the target's texts.
        names: Of the source domain and of the target domain.

    Returns:
        Both.

    Raises:
        DataError: There are no labels, no such domain, too few examples of the target, or other items than in the
            source.
        OptionError: Not exactly one way to name the target is used, or the task has no classes.
    """
    given = [name for name in names if name is not None]
    if (target is None) == (len(given) < 2) or (target is not None and given):
        raise OptionError(
            "expected either --target, or --source-domain and --target-domain of data with a column 'domain'",
            where="--target",
            fix="Name the target in one of these ways.",
        )
    dataset = reading.load(source)
    if dataset.kind not in KINDS:
        raise OptionError(
            f"adapting without labels of the target needs classes or entities, found {dataset.kind}",
            where=str(source),
            fix="With some labels of the target, headstart fit --source learns from both.",
        )
    labels_of(dataset)
    domains = _by_name(dataset, given) if target is None else Domains(dataset, _unlabelled(target, dataset, reading))
    check_target(domains.target)
    return replace(domains, source=training_side(domains.source))


def check_target(target: Dataset) -> None:
    """Refuse a target of which too little is known to adapt to.

    Args:
        target: Examples without labels.

    Raises:
        DataError: There are too few.
    """
    if len(target) < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} examples of the target, found {len(target)}",
            where=target.source,
            fix="Add more; they need no labels.",
        )


@dataclass(frozen=True, eq=False)
class Under:
    """Both domains under one network.

    Attributes:
        backbone: The network.
        pair: The features.
        view: Which view of them: the one that a probe prefers on the source.
        strength: Of the probe's penalty, chosen on the source.
        loss: Of the probe, cross-validated on the source.
        score: The wanted metric of the probe, cross-validated on the source.
        items: (M,) which example of the target each row of its features is of.
    """

    backbone: Backbone
    pair: Pair
    view: View
    strength: float
    loss: float
    score: float
    items: npt.NDArray[np.intp]


def under(domains: Domains, backbone: Backbone, task: Task, *, run: Run) -> Under:
    """Compute the features of both domains, and fit a probe on the source.

    Args:
        domains: Source and target.
        backbone: The frozen network.
        task: What the source's labels mean.
        run: The store and the seed.

    Returns:
        The features, and what the probe chose.
    """
    source, target = domains.source, domains.target
    fitted = Probe().fit(backbone, source, task, run=run)
    usual = float(np.nanmean(fitted.fold_values))
    view, y = fitted.model.view, np.asarray(task.encode(labels_of(source)))
    features = [run.features.features(backbone, each, view=view) for each in (source, target)]
    items = [_items(X) for X in features]
    pair = Pair(
        source=flat(features[0]),
        y=flat(y),
        target=flat(features[1]),
        n_classes=task.n_outputs,
        folds=() if is_ragged(y) else inner_folds(source, y, seed=run.seed),
        seed=run.seed,
        groups=(_groups(source, items[0], words=is_ragged(y)), _groups(target, items[1], words=is_ragged(y))),
        words=is_ragged(y),
    )
    return Under(backbone, pair, view, float(fitted.chosen["strength"]), fitted.loss, usual, items[1])


def _items(X: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Say of which item every row of features is."""
    return np.repeat(np.arange(len(X)), counts(X)) if is_ragged(X) else np.arange(len(X))


def _groups(dataset: Dataset, items: npt.NDArray[np.intp], *, words: bool) -> npt.NDArray[Any] | None:
    """Return the group of every row; the words of a sentence are one where no larger group is known."""
    if dataset.groups is None:
        return items if words else None
    return np.array(dataset.groups)[items]


def compare_domains(domains: Domains, found: Under, predicted: npt.NDArray[np.float64], task: Task) -> Compared:
    """Measure how far apart two domains lie.

    Args:
        domains: Source and target.
        found: Their features.
        predicted: Probabilities (M, C) of the target by the head of the source, not adapted: they say how often the
            classes seem to occur there.
        task: What its classes are called.

    Returns:
        The comparison.
    """
    pair = found.pair
    gap = measure_gap(pair.source, pair.target, groups=pair.groups, seed=pair.seed)
    shares = target_shares(predicted, pair.shares)
    few = predicted[:: -(-len(predicted) // MOST_ROWS)]  # fewer than there are widen the interval, if anything
    low, high = shares_interval(few, pair.shares, seed=pair.seed)
    moved = class_shifts(pair.source, pair.y, pair.target, predicted.argmax(axis=1), n_classes=pair.n_classes)
    columns = zip(pair.shares.tolist(), shares.tolist(), low.tolist(), high.tolist(), strict=True)
    unlike = dict.fromkeys(domains.target.places[found.items[i]] for i in gap.unlike)
    return Compared(
        gap,
        dict(zip(task.classes, columns, strict=True)),
        dict(zip(task.classes, moved.tolist(), strict=True)),
        tuple(unlike),
        (len(domains.source), len(domains.target)),
    )


def _by_name(dataset: Dataset, given: list[str]) -> Domains:
    """Take two domains out of one data set."""
    where, counts = "--source-domain", Counter(dataset.domains)
    if dataset.domains is None:
        problem = "expected a column 'domain' that every example has, found none"
        raise DataError(problem, where=dataset.source, fix="Add it, or give the target as --target.")
    missing = [name for name in given if name not in counts]
    if missing or given[0] == given[1]:
        found = ", ".join(map(repr, sorted(counts)[:5]))
        wanted = " and ".join(map(repr, given))
        raise DataError(
            f"expected two different domains, {wanted}, found {found}", where=where, fix="Name two of these."
        )
    names = np.array(dataset.domains)
    source, target = (dataset.take(np.flatnonzero(names == name)) for name in given)
    return Domains(source, replace(target, labels=None, source=f"domain {given[1]!r}"))


def _unlabelled(target: str | Path, like: Dataset, reading: Reading) -> Dataset:
    """Read examples as a prediction reads them."""
    named = load_items([target], like.modality, text=reading.text, kind=like.kind)
    faults = [(place, item) for place, item in named if isinstance(item, DataError)]
    if faults and reading.on_error == "stop":
        raise faults[0][1]
    good = [(place, item) for place, item in named if not isinstance(item, DataError)]
    left_out = tuple(LeftOut(place, error.problem) for place, error in faults)
    places, items = tuple(place for place, _ in good), tuple(item for _, item in good)
    return Dataset(like.modality, items, places, source=str(target), left_out=left_out, kind=like.kind)
