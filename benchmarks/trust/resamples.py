"""Whether what a classifier promises is kept, over many draws of who trains and who is new.

    python benchmarks/trust/resamples.py DATA [--backbone NAME] [--resamples 200] [--train 400]

The training part of DATA (all where it has no parts) is drawn in two, by group, again and again: a probe is fitted
on one side, its promises are read off its held-out folds as `headstart fit` does, and they are held to the other side.
Printed are the coverage of sets and in how many draws it lies in the band stated, the share of wrong answers above the
threshold for an error rate and in how many draws it is kept, sensitivity and specificity at the wanted specificity (two
classes), and calibration before and after a temperature. One frozen pass; a draw takes about a second.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from headstart import backbones
from headstart.confidence import HeldOut, Novelty
from headstart.data import inner_folds, load, united_groups
from headstart.evaluation import answers, calibration, prediction_sets
from headstart.features import FeatureSource
from headstart.linear import fit_cross_validated
from headstart.strategies import TUNING_FOLDS, Temperature
from headstart.tasks import task_from_labels

COVERAGES = (0.9, 0.95, 0.98)
ERRORS = (0.02, 0.05, 0.1)
SPECIFICITY = 0.95


def halves(units, rng, most):
    """Draw groups into two sides, the first of at most so many examples."""
    order = rng.permutation(np.unique(units))
    sizes = np.cumsum([(units == unit).sum() for unit in order])
    first = order[: max(1, int(np.searchsorted(sizes, most)))]
    inside = np.isin(units, first)
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def draw(dataset, X, y, units, *, seed, most, found):
    """Fit on one side and hold its promises to the other."""
    inside, outside = halves(units, np.random.default_rng(seed), most)
    train, classes = dataset.take(inside), int(y.max()) + 1
    folds = inner_folds(train, y[inside], seed=seed, n_splits=TUNING_FOLDS)
    settings = {"n_classes": classes, "class_weight": "none", "kind": "classification"}
    model, known = fit_cross_validated(X[inside], y[inside], folds, **settings)
    held = HeldOut.of(y[inside], known.outputs, units[inside])
    p, truth = model.outputs(X[outside]), y[outside]
    confidence, right = answers(truth, p)
    found["accuracy"].append(right.mean())
    for coverage in COVERAGES:
        sets = prediction_sets(p, held.set_thresholds(coverage))
        low, high = held.coverage_band(coverage, new=len(truth))
        share = sets[np.arange(len(truth)), truth].mean()
        for name, value in (("coverage", share), ("in band", low <= share <= high), ("size", sets.sum(1).mean())):
            found[f"{name} {coverage}"].append(value)
    for error in ERRORS:
        limit = held.abstention(error)
        found[f"promised {error}"].append(limit is not None)
        if limit is not None and (given := confidence >= limit.threshold).any():
            found[f"answered {error}"].append(given.mean())
            found[f"wrong {error}"].append((~right[given]).mean())
            found[f"kept {error}"].append((~right[given]).mean() <= error)
    if classes == 2:
        called = p[:, 1] >= held.operating_threshold(SPECIFICITY)
        found["sensitivity"].append(called[truth == 1].mean())
        found["specificity"].append((~called[truth == 0]).mean())
    temperature = Temperature.fit(known.outputs, y[inside])
    found["temperature"].append(temperature.value)
    found["calibration error"].append(calibration(truth, p, seed=0).error)
    found["calibration error, cooled"].append(calibration(truth, temperature.calibrate(p), seed=0).error)
    found["calibration error by chance"].append(calibration(truth, p, seed=0).chance[0])
    if novelty := Novelty.fit(X[inside], units[inside], seed=seed):
        found["more unusual than 95 %"].append((novelty.of(X[outside]) > 0.95).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--label", help="column of the labels")
    parser.add_argument("--backbone", default="starter:image-small")
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--train", type=int, help="examples to fit on [half of them]")
    options = parser.parse_args()
    dataset = load(options.data, label=options.label, on_error="skip")
    if dataset.parts:
        dataset = dataset.take(i for i, part in enumerate(dataset.parts) if part == "train")
    backbone = backbones.load(options.backbone, offline=True)
    X = FeatureSource().features(backbone, dataset, view=backbone.views[0])
    y = np.asarray(task_from_labels("classification", dataset.labels).encode(dataset.labels))
    units, found = np.asarray(united_groups(dataset)), defaultdict(list)
    for seed in range(options.resamples):
        draw(dataset, X, y, units, seed=seed, most=options.train or len(y) // 2, found=found)
    row = {name: round(float(np.mean(values)), 4) for name, values in found.items()}
    facts = {"data": options.data.name, "label": options.label, "backbone": options.backbone, "n": len(y)}
    print(json.dumps({**facts, "groups": len(np.unique(units)), "resamples": options.resamples, **row}, indent=1))


if __name__ == "__main__":
    main()
