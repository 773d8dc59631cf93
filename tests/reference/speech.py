"""Transcripts, alignments and their weights by trying everything there is, for comparison with the fast ones."""

import math
from functools import cache
from itertools import groupby, product


def edit_distance(a, b):
    """Every way to begin: edit, or keep what is the same."""

    @cache
    def rest(i, j):
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        return min(rest(i + 1, j + 1) + (a[i] != b[j]), rest(i + 1, j) + 1, rest(i, j + 1) + 1)

    return rest(0, 0)


def said(path):
    """The characters of a path of frames: repeats are one, then blanks go."""
    return tuple(number for number, _ in groupby(path) if number)


def paths(p):
    """Every path of frames with its probability."""
    for path in product(range(len(p[0]) if len(p) else 0), repeat=len(p)):
        yield path, math.prod(row[number] for row, number in zip(p, path, strict=True))


def texts(p):
    """Every sequence of characters with the sum over the paths that say it."""
    found = {}
    for path, weight in paths(p):
        found[said(path)] = found.get(said(path), 0.0) + weight
    return found


def best_path(p, numbers):
    """The most probable path that says these characters."""
    return max((weight, path) for path, weight in paths(p) if said(path) == tuple(numbers))[1]


def next_probability(texts, context, character, characters, order):
    """Witten and Bell's mixture, counted anew in the texts; ^ begins a text and $ ends it."""
    if len(context) >= order:
        return next_probability(texts, context[len(context) - order + 1 :], character, characters, order)
    followed = [
        text[place]
        for text in (f"^{text}$" for text in texts)
        for place in range(1, len(text))
        if text[:place].endswith(context)
    ]
    kinds = len(set(followed))
    if context:
        shorter = next_probability(texts, context[1:], character, characters, order)
    else:
        shorter = 1 / (len(characters) + 1)
    if not followed:
        return shorter
    return (followed.count(character) + kinds * shorter) / (len(followed) + kinds)


def prefix_beam(p, width, gain, end):
    """Prefix beam search as it is usually written out: texts as tuples, one frame after the other.

    ``gain(text, number)`` multiplies the weight of a text that goes on, ``end(text)`` that of one that ends.
    """
    kept = {(): (1.0, 0.0)}
    for row in p:
        found = {}

        def add(text, silent, spoken, found=found):
            before = found.get(text, (0.0, 0.0))
            found[text] = (before[0] + silent, before[1] + spoken)

        for text, (silent, spoken) in kept.items():
            add(text, (silent + spoken) * row[0], 0.0)
            for number in range(1, len(row)):
                if text and text[-1] == number:
                    add(text, 0.0, spoken * row[number])
                    add((*text, number), 0.0, silent * row[number] * gain(text, number))
                else:
                    add((*text, number), 0.0, (silent + spoken) * row[number] * gain(text, number))
        kept = dict(sorted(found.items(), key=lambda each: -sum(each[1]))[:width])
    return max(kept, key=lambda text: sum(kept[text]) * end(text))
