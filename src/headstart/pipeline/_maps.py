"""The page of an adaptation: maps of both domains before and after, the gap, and why the choice is what it is."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headstart.domain_adaptation import along_axes
from headstart.pipeline._adapting import Adapted
from headstart.pipeline._domains import Compared, Domains
from headstart.report import DomainMap, Table, write_domains
from headstart.strategies import Run
from headstart.tasks import Task

PAGE: Final = "adaptation.html"
MOST_POINTS: Final = 1000  # of a domain
MOST_PLACES: Final = 50


def write_adaptation_page(
    adapted: Adapted, domains: Domains, task: Task, folder: Path, *, title: str, places: Sequence[str], run: Run
) -> None:
    """Write ``adaptation.html`` into a model folder.

    Args:
        adapted: What was chosen, and among what.
        domains: Both.
        task: What the classes are called.
        folder: The model folder.
        title: What stands above the page.
        places: Where examples of the target are that are like nothing in the source; none where they may not be named.
        run: The store and the seed.
    """
    pair, chosen = adapted.best.pair, adapted.decision.chosen
    plain = adapted.candidates[0].predicted.argmax(axis=1)
    here, there = some = _some(len(pair.source), run.seed), _some(len(pair.target), run.seed)
    maps = [_map("before", (pair.source[here], pair.target[there]), (pair.y[here], plain[there]))]
    if chosen is not adapted.candidates[0]:
        answers = chosen.predicted.argmax(axis=1)[there]
        maps.append(_map(f"after ({chosen.name})", adapted.features(domains, some, run=run), (pair.y[here], answers)))
    compared = adapted.compared
    write_domains(
        maps,
        task.classes,
        folder / PAGE,
        title=title,
        facts=_facts(adapted),
        tables=[_classes(compared), _candidates(adapted)],
        places=places[:MOST_PLACES],
    )


def _map(
    name: str,
    rows: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    classes: tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]],
) -> DomainMap:
    """Lay rows of both domains along the two axes on which both together vary most."""
    turned = along_axes(np.concatenate(rows), 2)
    points = np.pad(turned, ((0, 0), (0, 2 - turned.shape[1])))
    return DomainMap(name, (points[: len(rows[0])], points[len(rows[0]) :]), classes)


def _some(n: int, seed: int) -> npt.NDArray[np.intp]:
    return np.sort(np.random.default_rng(seed).permutation(n)[:MOST_POINTS])


def _facts(adapted: Adapted) -> list[str]:
    compared, decision = adapted.compared, adapted.decision
    gap, (n_source, n_target) = compared.gap, compared.n
    refused = "Not adapted: the model is that of the source. " if decision.refused else ""
    return [
        f"{n_source:,} labelled examples of the source, {n_target:,} of the target; {adapted.best.backbone.name}.",
        f"Chosen: {decision.chosen.name}. {refused}{decision.reason}",
        f"A classifier of domains has AUC {gap.auc:.3f} [{gap.interval.low:.3f}, {gap.interval.high:.3f}] (0.5: no "
        f"gap); proxy A-distance {gap.distance:.2f} of 2; squared MMD {gap.mmd:.4f}, p {gap.mmd_p:.3f}.",
        "How right the model is on the target is not known without labels of it.",
    ]


def _classes(compared: Compared) -> Table:
    rows = []
    for name, (source, target, low, high) in compared.shares.items():
        shift = compared.shifts[name]
        moved = "" if math.isnan(shift) else f"{shift:.2f}"
        rows.append([name, f"{source:.3f}", f"{target:.3f} [{low:.3f}, {high:.3f}]", moved])
    return Table(
        "Classes",
        ["class", "share in the source", "estimated in the target", "moved by"],
        rows,
        "Shares are right only where classes look alike in both domains. Moved by: distance between the means of a "
        "class over its spread in the source, by the answers of the head as it is.",
    )


def _candidates(adapted: Adapted) -> Table:
    rows, judged = [], ("information", "mixval") if adapted.trained.scores else ()
    for each in adapted.candidates:
        scores = adapted.trained.scores.get(each.name, {})
        told = ["" if scores.get(name) is None else f"{scores[name]:.3f}" for name in judged]
        mark = " (chosen)" if each is adapted.decision.chosen else ""
        rows.append(
            [each.name + mark, f"{each.modularity:.3f}", f"{each.better:.2f}", f"{adapted.changed(each):.0%}", *told],
        )
    return Table(
        "Ways to adapt",
        ["way", "modularity", "above none", "answers changed", *judged],
        rows,
        "Modularity: how much oftener than by chance neighbours in the target get one answer; above none: the "
        "probability that it is higher than that of the head as it is.",
    )
