"""What the scores are when the labels mean nothing: the same features, the labels dealt out anew.

Only scores that are cheap once the features are decomposed: the nearest neighbours and the singular vectors do not
move with the labels.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from headstart.errors import DataError
from headstart.tasks import Kind
from headstart.transferability._evidence import solve, target_columns
from headstart.transferability._inputs import (
    Double,
    Floats,
    Indices,
    Target,
    class_numbers,
    group_numbers,
)
from headstart.transferability._neighbours import hits, nearest, sizes_for, told_by
from headstart.transferability._spectrum import Spectrum, spectrum_of

NULL_SCORES: Final = ("neighbours", "logme")
"""The scores of `permuted_scores`, in the order of its columns."""

_CHUNK: Final = 1 << 22  # numbers held at once, several times over


def permutations(y: Target, groups: npt.NDArray[np.generic] | None, n: int, *, seed: int) -> Indices:
    """Draw labellings that are as likely as the real one where features say nothing about labels.

    Where every group has one label throughout, the labels of whole groups change places, so that near copies keep on
    agreeing; the classes then keep their numbers of groups, not of examples. Where labels differ within groups, the
    groups are put in another order and their labels laid down one after another, so that most that were together stay
    together. Without groups single examples change places.

    Args:
        y: Class numbers (N,), indicators (N, C) or values (N,).
        groups: Group of each example (N,), or None.
        n: How many labellings.
        seed: Decides them; same seed, same labellings, whatever the features.

    Returns:
        Row numbers (n, N): the labels of one labelling are ``y[row numbers]``.

    Raises:
        DataError: All examples are in one group, or the lengths differ.
    """
    rng = np.random.default_rng(seed)
    codes = group_numbers(groups, len(y))
    if codes is not None:
        first = np.unique(codes, return_index=True)[1]
        if (y[first][codes] == y).all():
            return np.stack([first[rng.permutation(len(first))][codes] for _ in range(n)])
        return np.stack([_in_another_order(codes, rng) for _ in range(n)])
    return np.stack([rng.permutation(len(y)) for _ in range(n)])


def _in_another_order(codes: Indices, rng: np.random.Generator) -> Indices:
    """Lay whole groups, in chance order, over the places of the groups as they are."""
    order = rng.permutation(int(codes.max()) + 1)
    rows = np.empty(len(codes), dtype=np.intp)
    rows[np.argsort(codes, kind="stable")] = np.argsort(order[codes], kind="stable")
    return rows


def permuted_scores(
    features: Spectrum | Floats,
    y: Target,
    permutations: Indices,
    *,
    kind: Kind,
    groups: npt.NDArray[np.generic] | None = None,
) -> Double:
    """Return the scores `NULL_SCORES` of every labelling.

    The identity gives the scores of `neighbours` and `logme`. The numbers of neighbours are those of the real labels
    for classes.

    Args:
        features: F, (N, D), or its decomposition.
        y: Class numbers (N,), indicators (N, C) or values (N,).
        permutations: Row numbers (P, N), what `permutations` draws.
        kind: What ``y`` is.
        groups: Group of each example (N,), or None; for the neighbours.

    Returns:
        Scores (P, 2).

    Raises:
        DataError: Features are not finite, there is nothing to tell apart, all examples are in one group, or the
            lengths differ.
    """
    spectrum = spectrum_of(features)
    if permutations.ndim != 2 or permutations.shape[1] != len(spectrum.left):
        raise DataError(f"expected row numbers of shape (P, {len(spectrum.left)}), found {permutations.shape}")
    return np.stack(
        [
            _permuted_neighbours(spectrum, y, permutations, kind, groups),
            _permuted_evidence(spectrum, y, permutations, kind),
        ],
        axis=1,
    )


def _permuted_neighbours(
    spectrum: Spectrum, y: Target, permutations: Indices, kind: Kind, groups: npt.NDArray[np.generic] | None
) -> Double:
    found = nearest(spectrum, groups)
    if kind != "classification":
        return np.array([told_by(found, y[order], kind=kind).value for order in permutations])
    numbers = class_numbers(y, len(found))
    sizes = sizes_for(int(np.bincount(numbers).min()))
    blocks = [hits(numbers[orders], found, sizes).mean(axis=1) for orders in _blocks(permutations, found.size)]
    return np.concatenate(blocks)


def _permuted_evidence(spectrum: Spectrum, y: Target, permutations: Indices, kind: Kind) -> Double:
    n = len(spectrum.left)
    columns = target_columns(y, n, kind=kind)
    scores = []
    for orders in _blocks(permutations, max(columns.size, spectrum.left.shape[1] * columns.shape[1])):
        rows = columns[orders].transpose(0, 2, 1).reshape(-1, n)  # one per labelling and column
        if kind == "regression":  # where groups of different sizes change places, mean and variance do too
            rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
            inside = rows @ spectrum.left
        else:
            inside = sparse.csr_array(rows) @ spectrum.left
        evidence = solve(spectrum.energies, inside.T, np.square(rows).sum(axis=1), n=n)[2]
        scores.append(evidence.reshape(len(orders), -1).mean(axis=1))
    return np.concatenate(scores)


def _blocks(permutations: Indices, each: int) -> Iterator[Indices]:
    """Parts of the labellings, as many at once as fit where one needs ``each`` numbers."""
    step = max(1, _CHUNK // max(each, 1))
    for start in range(0, len(permutations), step):
        yield permutations[start : start + step]
