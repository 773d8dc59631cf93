"""Which words of a text an answer hangs on: what it loses when each of them is left out.

Erasure (Li, Monroe and Jurafsky, Understanding neural networks through representation erasure, 2016): the weight of a
word is the probability of what was said, less that without the word. It needs no gradient and any head has it. Of long
texts words are left out several at a time, so that a text costs as many passes as another.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from headstart.data import split_words
from headstart.model import AdaptedModel

PASSES: Final = 24  # of a text
LEAST: Final = 0.02  # of a probability; what weighs less is not worth a mark

Mark = tuple[int, int, float]  # start and end in the text, and the weight


def weighed(model: AdaptedModel, texts: Sequence[str], told: Sequence[int]) -> list[list[Mark]]:
    """Weigh the words of some texts.

    Args:
        model: A classifier of texts.
        texts: N texts.
        told: (N,) the class that was said of each.

    Returns:
        Of each text the parts without which what was said is less probable by `LEAST` or more, in their order.
    """
    parts = [_parts(text) for text in texts]
    without = [text[:start] + text[end:] for text, each in zip(texts, parts, strict=True) for start, end in each]
    p = model.outputs([*texts, *without])
    whole, rest = p[: len(texts)], p[len(texts) :]
    found, at = [], 0
    for number, (each, said) in enumerate(zip(parts, told, strict=True)):
        lost = whole[number, said] - rest[at : at + len(each), said]
        at += len(each)
        found.append([(a, b, float(w)) for (a, b), w in zip(each, lost.tolist(), strict=True) if w >= LEAST])
    return found


def _parts(text: str) -> list[tuple[int, int]]:
    """Return words, or runs of as many words as keep the passes few; nothing of a text of one part."""
    words = split_words(text)
    runs = np.array_split(np.arange(len(words)), min(len(words), PASSES)) if len(words) > 1 else []
    return [(words[run[0]][0], words[run[-1]][1]) for run in runs]
