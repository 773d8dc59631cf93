"""What it takes to turn one sequence into another: words or characters that differ, are left out, or are put in.

The table of distances is kept by its differences, one bit each, in whole numbers as long as the first sequence
(Myers, Journal of the ACM, 1999; Hyyrö, Nordic Journal of Computing, 2003): a step is a few operations of such numbers,
so that texts of thousands of characters take milliseconds.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import Literal

Edit = Literal["same", "substituted", "left out", "put in"]


def edits(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Count the least substitutions, insertions and deletions that turn one sequence into the other.

    Args:
        a: A sequence: words in a list, or the characters of a text.
        b: Another.

    Returns:
        Their edit distance, the same both ways round.
    """
    rises, falls = (1 << len(a)) - 1, 0
    for rises, falls in _columns(a, b):  # noqa: B007 - the last one counts
        pass
    return len(b) + rises.bit_count() - falls.bit_count()


def edit_path(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[Edit, int, int]]:
    """Tell which edits turn what should be there into what was found, at the least number of them.

    Several paths may have as few edits. Read from the first items to the last, two are then paired wherever that takes
    no more edits, so that a substitution goes before leaving one out and putting one in; else leaving out goes before
    putting in. The same sequences always have the same path.

    Args:
        a: What should be there.
        b: What was found.

    Returns:
        (edit, i, j) from first to last, with places i in ``a`` and j in ``b``: ``same`` and ``substituted`` pair
        ``a[i]`` with ``b[j]``; ``left out`` means that ``a[i]`` is missing before ``b[j]``; ``put in`` that ``b[j]``
        is too much before ``a[i]``.
    """
    a, b = a[::-1], b[::-1]  # the table tells how far what was read is apart; here what is still to be read
    columns = [((1 << len(a)) - 1, 0), *_columns(a, b)]
    path: list[tuple[Edit, int, int]] = []
    i, j, left = len(a), len(b), _distance(columns, len(a), len(b))
    while i or j:
        place = len(a) - i, len(b) - j
        differ = i > 0 and j > 0 and a[i - 1] != b[j - 1]
        if i and j and left == _distance(columns, i - 1, j - 1) + differ:
            path.append(("substituted" if differ else "same", *place))
            i, j, left = i - 1, j - 1, left - differ
        elif i and left == _distance(columns, i - 1, j) + 1:
            path.append(("left out", *place))
            i, left = i - 1, left - 1
        else:
            path.append(("put in", *place))
            j, left = j - 1, left - 1
    return path


def _distance(columns: Sequence[tuple[int, int]], i: int, j: int) -> int:
    """The distance of ``a[:i]`` from ``b[:j]``, by the columns of the table."""
    (rises, falls), first = columns[j], (1 << i) - 1
    return j + (rises & first).bit_count() - (falls & first).bit_count()


def _columns(a: Sequence[Hashable], b: Sequence[Hashable]) -> Iterator[tuple[int, int]]:
    """Yield, after each item of ``b``, where the distance rises and where it falls from each item of ``a`` to the next.

    Bit i tells of the distances of ``a[:i]`` and ``a[:i + 1]`` from what was read of ``b``.
    """
    every = (1 << len(a)) - 1
    places: dict[Hashable, int] = {}
    for i, item in enumerate(a):
        places[item] = places.get(item, 0) | 1 << i
    rises, falls = every, 0
    for item in b:
        same = places.get(item, 0)
        level = ((((same & rises) + rises) ^ rises) | same | falls) & every  # as far as the distance one place back
        up = falls | every ^ (level | rises)
        down = level & rises
        up, down = (up << 1 | 1) & every, (down << 1) & every
        rises = down | every ^ (level | up)
        falls = up & level
        yield rises, falls
