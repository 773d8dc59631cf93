"""Two domains: a labelled source and a target of which no label is read, and how far apart they lie."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from headstart.backbones import Backbone, View
from headstart.data import Dataset, LeftOut, inner_folds, load_items
from headstart.domain_adaptation import Gap, Pair, measure_gap, shares_interval, target_shares
from headstart.errors import DataError, OptionError
from headstart.linear import LinearModel
from headstart.pipeline._options import Reading, labels_of
from headstart.pipeline._source import training_side
from headstart.pipeline._values import plain
from headstart.strategies import Probe, Run
from headstart.tasks import Task

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
        shares: Of every class in the source, in the target by estimate, and the interval of that.
        unlike: Where the target's examples are that are like nothing in the source, the farthest first.
        n: How many examples of the source and of the target there are.
    """

    gap: Gap
    shares: Mapping[str, tuple[float, float, float, float]]
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
                name: {"source": source, "target": target, "interval": [low, high]}
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
    if dataset.kind != "classification":
        raise OptionError(
            f"adapting without labels of the target needs classes, found {dataset.kind}",
            where=str(source),
            fix="With some labels of the target, headstart fit --source learns from both.",
        )
    labels_of(dataset)
    domains = _by_name(dataset, given) if target is None else Domains(dataset, _unlabelled(target, dataset, reading))
    if len(domains.target) < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} examples of the target, found {len(domains.target)}",
            where=domains.target.source,
            fix="Add more; they need no labels.",
        )
    return replace(domains, source=training_side(domains.source))


@dataclass(frozen=True, eq=False)
class Under:
    """Both domains under one network.

    Attributes:
        backbone: The network.
        pair: The features.
        view: Which view of them: the one that a probe prefers on the source.
        strength: Of the probe's penalty, chosen on the source.
        loss: Of the probe, cross-validated on the source.
    """

    backbone: Backbone
    pair: Pair
    view: View
    strength: float
    loss: float


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
    source = domains.source
    fitted = Probe().fit(backbone, source, task, run=run)
    view = fitted.model.view
    y = np.asarray(task.encode(labels_of(source)))
    groups = tuple(None if each.groups is None else np.array(each.groups) for each in (source, domains.target))
    pair = Pair(
        source=run.features.features(backbone, source, view=view),
        y=y,
        target=run.features.features(backbone, domains.target, view=view),
        n_classes=task.n_outputs,
        folds=inner_folds(source, y, seed=run.seed),
        seed=run.seed,
        groups=(groups[0], groups[1]),
    )
    return Under(backbone, pair, view, float(fitted.chosen["strength"]), fitted.loss)


def compare_domains(domains: Domains, pair: Pair, head: LinearModel, task: Task) -> Compared:
    """Measure how far apart two domains lie.

    Args:
        domains: Source and target.
        pair: Their features.
        head: Of the source, not adapted: it says how often the classes seem to occur in the target.
        task: What its classes are called.

    Returns:
        The comparison.
    """
    gap = measure_gap(pair.source, pair.target, groups=pair.groups, seed=pair.seed)
    predicted = head.probabilities(pair.target)
    found = target_shares(predicted, pair.shares)
    low, high = shares_interval(predicted, pair.shares, seed=pair.seed)
    columns = zip(pair.shares.tolist(), found.tolist(), low.tolist(), high.tolist(), strict=True)
    shares = dict(zip(task.classes, columns, strict=True))
    unlike = tuple(domains.target.places[i] for i in gap.unlike)
    return Compared(gap, shares, unlike, (len(domains.source), len(domains.target)))


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
    named = load_items([target], like.modality, text=reading.text)
    faults = [(place, item) for place, item in named if isinstance(item, DataError)]
    if faults and reading.on_error == "stop":
        raise faults[0][1]
    good = [(place, item) for place, item in named if not isinstance(item, DataError)]
    left_out = tuple(LeftOut(place, error.problem) for place, error in faults)
    places, items = tuple(place for place, _ in good), tuple(item for _, item in good)
    return Dataset(like.modality, items, places, source=str(target), left_out=left_out)
