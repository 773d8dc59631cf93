"""What is kept of a fit for its report, beside ``evaluation.json``: nothing that names or shows an example."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Backbone, find, known_licence
from headstart.data import Dataset, Finding, Plan, warnings_about
from headstart.domain_adaptation import along_axes
from headstart.evaluation import Fold
from headstart.linear import KNearest
from headstart.model import AdaptedModel
from headstart.pipeline._privacy import unnamed
from headstart.pipeline._worst import Answered
from headstart.search import Outcome
from headstart.tasks import Task, entities_of, read_tags, split_labels

MOST_POINTS: Final = 500  # of a map or a picture of values
MOST_WRONG: Final = 100  # crosses on a map
COLOURED: Final = 7  # classes on a map
MOST_FINDINGS: Final = 20
_LICENCES: Final = ("license", "licence", "copying")
_LIBRARIES: Final = ("torch", "transformers", "timm", "scikit-learn", "numpy")
_THIRDS: Final = ("lowest third", "middle third", "highest third")


def made_facts(model: AdaptedModel, *, seed: int) -> dict[str, Any]:
    """Say when, with what and on what a model was made."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": model.backbone.device.type,
    }


def data_facts(dataset: Dataset, parts: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Say how much there is of what, what is wrong with it, and under which licence it comes.

    Args:
        dataset: Labelled examples.
        parts: Positions of the examples of ``train`` and ``test``, or of ``all``.

    Returns:
        JSON values that name no example.
    """
    labels = dataset.labels or ()
    facts: dict[str, Any] = {"findings": [_nameless(each) for each in warnings_about(dataset)[:MOST_FINDINGS]]}
    if dataset.kind == "regression":
        values = np.array([float(label) for label in labels])
        facts["values"] = {"least": values.min(), "median": float(np.median(values)), "greatest": values.max()}
    elif dataset.kind != "transcription":
        facts["counts"] = {
            name: dict(Counter(each for i in positions for each in _names(labels[i], dataset.kind)).most_common())
            for name, positions in parts.items()
        }
    return facts | {"licence": data_licence(Path(dataset.source))}


def _names(label: str, kind: str) -> list[str]:
    """Return the classes that an item counts for."""
    if kind == "tagging":
        return [entity.type for entity in entities_of(read_tags(label))]
    return list(split_labels(label)) if kind == "multilabel" else [label]


def finding_facts(each: Finding) -> dict[str, str]:
    """Return a finding as JSON values, with the place it names, but for where that lies on this machine."""
    where = Path(each.where).name if Path(each.where).is_absolute() else each.where
    return {"severity": each.severity, "kind": each.kind, "found": each.found, "fix": each.fix, "where": where}


def _nameless(each: Finding) -> dict[str, str]:
    found = (unnamed([each.found]) or [each.kind])[0]
    return {"severity": each.severity, "kind": each.kind, "found": found, "fix": "", "where": ""}


def data_licence(source: Path) -> str:
    """Return how a licence file beside the data begins; nothing where there is none."""
    folder = source if source.is_dir() else source.parent
    try:
        files = sorted(path for path in folder.iterdir() if path.stem.lower() in _LICENCES and path.is_file())
        lines = [line.strip() for line in files[0].read_text("utf-8", "replace").splitlines()] if files else []
    except OSError:
        return ""
    first = next((line for line in lines if line), "")
    return f"a file {files[0].name} beside it begins: {first[:120]}" if first else ""


def network_facts(model: AdaptedModel) -> dict[str, Any]:
    """Say how large a network is, what of it was trained, and what its publisher says.

    Args:
        model: The model.

    Returns:
        JSON values.
    """
    backbone, base = model.backbone, model.base
    names = set() if base is None else set(base.trained)
    sizes = {name: tensor.numel() for name, tensor in backbone.network.named_parameters()}
    known = find(model.pretrained)
    return {
        "parameters": sum(sizes.values()),
        "trained": sum(size for name, size in sizes.items() if name in names),
        "head": sum(int(np.size(array)) for array in _head_arrays(model)),
        "blocks": _blocks(backbone, names),
        "licence": known_licence(model.pretrained),
        "pretraining": None if known is None else known.pretraining,
    }


def _head_arrays(model: AdaptedModel) -> list[NDArray[Any]]:
    head = model.head
    return [head.features, head.labels] if isinstance(head, KNearest) else [head.weights, head.bias]


def _blocks(backbone: Backbone, trained: set[str]) -> list[dict[str, Any]]:
    """Return every block with the share of its parameters that was trained."""
    ids = {id(tensor) for name, tensor in backbone.network.named_parameters() if name in trained}
    found = []
    for block in backbone.blocks:
        own = {id(tensor): tensor.numel() for module in block.modules for tensor in module.parameters()}
        share = sum(size for each, size in own.items() if each in ids) / max(1, sum(own.values()))
        found.append({"name": block.name, "trained": share})
    return found


def scored_facts(folds: Sequence[Fold], task: Task, *, chosen_once: bool) -> dict[str, Any]:
    """Count what is taken for what among the scored items.

    Args:
        folds: Their predictions.
        task: What they mean.
        chosen_once: Whether outer folds repeat the training of what was chosen, and not all of the choosing.

    Returns:
        JSON values; of entities and transcripts ``evaluation.json`` has the counts.
    """
    facts: dict[str, Any] = {"chosen_once": chosen_once}
    if task.kind in ("tagging", "transcription"):
        return facts
    answered = Answered.of(folds)
    y, p = answered.y, answered.outputs
    facts["once"] = answered.once
    if task.kind == "classification":
        pairs = Counter(zip(y.tolist(), p.argmax(axis=1).tolist(), strict=True))
        facts["names"] = list(task.classes)
        facts["pairs"] = [[task.classes[a], task.classes[b], n] for (a, b), n in sorted(pairs.items())]
    elif task.kind == "multilabel":
        told = np.array([[name in each for name in task.classes] for each in task.decode(p)])
        facts["labels"] = {name: _four(y[:, k] > 0, told[:, k]) for k, name in enumerate(task.classes)}
    else:
        some = np.linspace(0, len(y) - 1, min(MOST_POINTS, len(y))).round().astype(int)
        facts["points"] = [[float(y[i]), float(p[i, 0])] for i in some]
    return facts


def _four(true: NDArray[np.bool_], told: NDArray[np.bool_]) -> list[int]:
    return [int((true & told).sum()), int((~true & told).sum()), int((true & ~told).sum()), int((~true & ~told).sum())]


def map_facts(outcome: Outcome, dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Lay the features of training examples along the two axes on which they vary most.

    Args:
        outcome: What the search found.
        dataset: The examples, in the order it knows them.
        seed: Of the draw.

    Returns:
        Points with the numbers of their classes, and those of wrong answers in a test part; nothing where the network
        gives no row of features per item.
    """
    answers = outcome.answers
    if answers is None or len(answers.looked_at) < 3 or dataset.labels is None:
        return {}
    some = np.sort(np.random.default_rng(seed).permutation(len(answers.looked_at))[:MOST_POINTS])
    labels = [dataset.labels[int(i)] for i in answers.looked_at[some]]
    wrong, truths = _wrong(outcome)
    turned = along_axes(np.concatenate([answers.features[some], wrong]), 2)
    turned = np.pad(turned, ((0, 0), (0, 2 - turned.shape[1])))
    names, numbers = _coloured(labels, outcome.model.task, [*labels, *truths])
    rows = [[round(float(x), 2), round(float(y), 2), number] for (x, y), number in zip(turned, numbers, strict=True)]
    # Standardised, so every column that varies at all has a variance of one.
    varying = int((np.ptp(answers.features[some], axis=0) > 0).sum())
    share = float(turned[: len(some)].var(axis=0).sum() / max(1, varying))
    others = any(number < 0 for number in numbers)
    return {"points": rows[: len(some)], "wrong": rows[len(some) :], "names": names, "share": share, "others": others}


def _wrong(outcome: Outcome) -> tuple[NDArray[np.float32], list[str]]:
    """Return the features and true classes of scored examples that were answered wrongly."""
    answers, task = outcome.answers, outcome.model.task
    assert answers is not None
    nothing = answers.features[:0]
    if task.kind != "classification" or answers.scored is None or len(outcome.predictions) != 1:
        return nothing, []
    fold = outcome.predictions[0]
    if len(fold.y) != len(answers.scored):
        return nothing, []
    rows = np.flatnonzero(fold.probabilities.argmax(axis=1) != fold.y)[:MOST_WRONG]
    return answers.scored[rows], [task.classes[int(k)] for k in fold.y[rows]]


def _coloured(labels: Sequence[str], task: Task, every: Sequence[str]) -> tuple[list[str], list[int]]:
    """Number the commonest classes, or thirds of values; the others have no number."""
    if task.kind == "regression":
        values = np.array([float(label) for label in every])
        return list(_THIRDS), np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values).tolist()
    names = sorted(name for name, _ in Counter(labels).most_common(COLOURED))
    return names, [names.index(label) if label in names else -1 for label in every]


def plan_parts(plan: Plan) -> dict[str, Sequence[int]]:
    """Return the positions of every part that is counted apart."""
    if plan.test is None:
        return {"all": plan.train.tolist()}
    return {"train": plan.train.tolist(), "test": plan.test.tolist()}
