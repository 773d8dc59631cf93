"""Scores of entities written out entity by entity, as their definitions read, for comparison with the fast ones.

All take the true tags, the predicted tags, the probabilities, and the names of the tags.
"""

import math
from itertools import combinations


def _spans(documents):
    found = set()
    for number, tags in enumerate(documents):
        for start, tag in enumerate(tags):
            if tag[0] == "B":
                end = start + 1
                while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                    end += 1
                found.add((number, start, end, tag[2:]))
    return found


def entity_precision(true, told, p, classes):
    return len(_spans(true) & _spans(told)) / len(_spans(told))


def entity_recall(true, told, p, classes):
    return len(_spans(true) & _spans(told)) / len(_spans(true))


def entity_f1(true, told, p, classes):
    precision, recall = entity_precision(true, told, p, classes), entity_recall(true, told, p, classes)
    return 2 * precision * recall / (precision + recall)


def macro_f1(true, told, p, classes):
    values = []
    for name in sorted({span[3] for span in _spans(true) | _spans(told)}):
        own, guessed = ({span for span in _spans(each) if span[3] == name} for each in (true, told))
        values.append(2 * len(own & guessed) / (len(own) + len(guessed)))
    return sum(values) / len(values)


def partial_f1(true, told, p, classes):
    own, guessed = _spans(true), _spans(told)
    exact = own & guessed
    edges = [
        (a, b)
        for a in own - exact
        for b in guessed - exact
        if a[0] == b[0] and a[3] == b[3] and max(a[1], b[1]) < min(a[2], b[2])
    ]
    return 2 * (len(exact) + _most_pairs(edges) / 2) / (len(own) + len(guessed))


def _most_pairs(edges):
    """The size of the largest one-to-one choice of edges, by trying every choice among those that touch."""
    total, left = 0, set(edges)
    while left:
        together = {left.pop()}
        while touching := {e for e in left if any(e[0] == f[0] or e[1] == f[1] for f in together)}:
            together |= touching
            left -= touching
        total += max(
            size
            for size in range(1, len(together) + 1)
            for chosen in combinations(sorted(together), size)
            if len({e[0] for e in chosen}) == len({e[1] for e in chosen}) == size
        )
    return total


def token_accuracy(true, told, p, classes):
    pairs = [(a, b) for own, guessed in zip(true, told, strict=True) for a, b in zip(own, guessed, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


def log_loss(true, told, p, classes):
    losses = [
        -math.log(max(row[classes.index(tag)], 1e-7))
        for tags, rows in zip(true, p, strict=True)
        for tag, row in zip(tags, rows.tolist(), strict=True)
    ]
    return sum(losses) / len(losses)
