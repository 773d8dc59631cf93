"""Metrics and resampling written out item by item, as their definitions read, for comparison with the fast ones."""

import math

import numpy as np


def _predicted(p):
    return [max(range(len(row)), key=lambda c: (row[c], -c)) for row in p.tolist()]


def accuracy(y, p):
    return sum(a == b for a, b in zip(y, _predicted(p), strict=True)) / len(y)


def balanced_accuracy(y, p):
    guesses, recalls = _predicted(p), []
    for c in sorted(set(y.tolist())):
        own = [g for g, true in zip(guesses, y, strict=True) if true == c]
        recalls.append(sum(g == c for g in own) / len(own))
    return sum(recalls) / len(recalls)


def macro_f1(y, p):
    guesses, values = _predicted(p), []
    for c in sorted(set(y.tolist()) | set(guesses)):
        hits = sum(g == c == t for g, t in zip(guesses, y, strict=True))
        precision = hits / max(1, guesses.count(c))
        recall = hits / max(1, sum(t == c for t in y))
        values.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    return sum(values) / len(values)


def log_loss(y, p):
    return sum(-math.log(max(row[c], 1e-7)) for c, row in zip(y, p.tolist(), strict=True)) / len(y)


def brier(y, p):
    return sum(sum((q - (i == c)) ** 2 for i, q in enumerate(row)) for c, row in zip(y, p.tolist(), strict=True)) / len(
        y
    )


def auroc(y, p):
    areas = []
    for c in [1] if p.shape[1] == 2 else range(p.shape[1]):
        above, below = p[y == c, c], p[y != c, c]
        if len(above) == 0 or len(below) == 0:
            return float("nan")
        areas.append(sum((a > b) + 0.5 * (a == b) for a in above for b in below) / (len(above) * len(below)))
    return sum(areas) / len(areas)


def bootstrap(metric, y, p, *, groups, resamples, seed):
    """Scores of resamples that are really put together, group by group."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    scores = []
    for _ in range(resamples):
        items = np.concatenate([np.flatnonzero(groups == name) for name in rng.choice(names, len(names))])
        scores.append(metric(y[items], p[items]))
    return np.array(scores)
