"""The report of an adaptation: maps of both domains before and after beside what a fit keeps."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headstart.domain_adaptation import along_axes
from headstart.errors import HeadstartError
from headstart.pipeline._adapting import Adapted
from headstart.pipeline._domains import Domains
from headstart.pipeline._kept import COLOURED, data_facts, made_facts, network_facts
from headstart.pipeline._options import Say
from headstart.pipeline._privacy import unnamed
from headstart.pipeline._report import keep_for_report, write_report
from headstart.strategies import Run
from headstart.tasks import Task

MOST_POINTS: Final = 400  # of a domain


def write_adaptation_report(
    adapted: Adapted,
    domains: Domains,
    task: Task,
    folder: Path,
    *,
    commands: tuple[str, str],
    notes: tuple[str, ...],
    private: bool,
    run: Run,
    say: Say,
) -> None:
    """Keep what the report needs and write it; a model is worth more than its report, so what fails is said.

    Args:
        adapted: What was chosen, and among what.
        domains: Both.
        task: What the classes are called.
        folder: The model folder, whole but for this.
        commands: What was asked, with the names of files and without.
        notes: What was inferred.
        private: Whether no example may be named.
        run: The store and the seed.
        say: Told why there is no report.
    """
    named, nameless = commands
    record = {
        "made": made_facts(adapted.model, seed=run.seed),
        "asked": {"command": nameless},
        "data": data_facts(domains.source, {"all": range(len(domains.source))}) | {"notes": unnamed(notes)},
        "network": network_facts(adapted.model),
        "domains": domain_maps(adapted, domains, task, run=run),
    }
    examples = {"source": Path(domains.source.source).name, "command": named, "notes": list(notes)}
    try:
        keep_for_report(folder, record, None if private else examples)
        write_report(folder)
    except HeadstartError as error:
        say(f"No report: {error}")


def domain_maps(adapted: Adapted, domains: Domains, task: Task, *, run: Run) -> dict[str, Any]:
    """Lay both domains along the axes on which they vary most, before adapting and after.

    Args:
        adapted: What was chosen.
        domains: Both.
        task: What the classes are called.
        run: The store and the seed.

    Returns:
        JSON values: maps of points with the numbers of their classes, and the names of the commonest classes.
    """
    pair, chosen = adapted.best.pair, adapted.decision.chosen
    plain = adapted.candidates[0].predicted.argmax(axis=1)
    here, there = some = _some(len(pair.source), run.seed), _some(len(pair.target), run.seed)
    common = np.sort(np.argsort(-np.bincount(pair.y, minlength=len(task.classes)), kind="stable")[:COLOURED])
    maps = [_map("before", (pair.source[here], pair.target[there]), (pair.y[here], plain[there]), common)]
    if chosen is not adapted.candidates[0]:
        answers = chosen.predicted.argmax(axis=1)[there]
        maps.append(_map("after", adapted.features(domains, some, run=run), (pair.y[here], answers), common))
    return {"maps": maps, "names": [task.classes[int(k)] for k in common]}


def _map(
    name: str,
    rows: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]],
    classes: tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]],
    common: npt.NDArray[np.integer[Any]],
) -> dict[str, Any]:
    """Lay rows of both domains along the two axes on which both together vary most."""
    turned = along_axes(np.concatenate(rows), 2)
    points = np.pad(turned, ((0, 0), (0, 2 - turned.shape[1])))
    number = {int(k): place for place, k in enumerate(common)}
    every = [
        [round(float(x), 2), round(float(y), 2), number.get(int(k), -1)]
        for (x, y), k in zip(points, np.concatenate(classes), strict=True)
    ]
    return {"name": name, "source": every[: len(rows[0])], "target": every[len(rows[0]) :]}


def _some(n: int, seed: int) -> npt.NDArray[np.intp]:
    return np.sort(np.random.default_rng(seed).permutation(n)[:MOST_POINTS])
