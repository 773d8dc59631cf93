"""How far the user's items are from what a network was pretrained on: asked before any of it is run.

Distances go from 0 (near) to 1 (far), and far begins at one half:

* Pictures: the share that lies where only 5 of 100 ImageNet photographs do. Among ImageNet's own classes one in two
  hundred has 30 % of its photographs there, so a set with that many is no longer a matter of its topic.
* Texts: how many tokens the candidate's own tokenizer needs for a word, as against the 1.0 to 1.15 that one made from
  English needs for English reviews, questions and tweets alike. Only letters count: no tokenizer knows addresses, tags
  and numbers. Medical English takes 1.4, Spanish 1.7, German 2.0, Arabic over 4. Words grow longer where a tokenizer
  serves many languages, so there more is allowed. Tokens that stand for "unknown" count for themselves.
* Sounds: not measured, and said.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, final

import numpy as np

from headstart.backbones import Backbone, CountsTokens, TokenCounts
from headstart.data import Item, PixelScale, read_image
from headstart.transferability._photographs import describe, natural_photographs, shrink

T = TypeVar("T")

PHOTOGRAPHS: Final = "natural photographs"
ENGLISH: Final = "English text"
MOST_IMAGES: Final = 200
MOST_TEXTS: Final = 200
FAR: Final = 0.5

_FEWEST_IMAGES: Final = 10
_FEWEST_WORDS: Final = 20
_TEXT_LENGTH: Final = 2000
_USUAL_SHARE: Final = 0.05
_FAR_SHARE: Final = 0.3
_USUAL_TOKENS: Final = 1.2  # a word
_FAR_TOKENS_ENGLISH: Final = 1.5
_FAR_TOKENS: Final = 2.5
_FAR_UNKNOWN: Final = 0.1  # of the tokens
_SHOWN: Final = 0.2  # a distance worth a word
# Scripts without spaces, and how many of their letters make a word.
_DENSE: Final = (
    (re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"), 2),  # Han, kana
    (re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"), 4),  # Thai, Lao, Burmese, Khmer
)


@final
@dataclass(frozen=True)
class Similarity:
    """How far items are from a candidate's pretraining data.

    Attributes:
        domain: What that data holds, such as ``natural photographs``; None where it is not known.
        distance: 0 near to 1 far, from 0.5 on far; None where it cannot be said.
        far: Whether the items are unlike it; None where that cannot be said.
        sentence: The same in words, with what makes them unlike.
    """

    domain: str | None
    distance: float | None
    far: bool | None
    sentence: str


def similarity_of(
    backbone: Backbone,
    items: Sequence[Item],
    domain: str | None,
    *,
    seed: int = 0,
    pixels: PixelScale | None = None,
) -> Similarity:
    """Compare items with what a network was pretrained on, by `image_similarity` or `text_similarity`.

    Args:
        backbone: The candidate.
        items: Of its modality.
        domain: The candidate's, from the catalogue, or None.
        seed: Decides the sample.
        pixels: How pictures of more than 8 bits are seen.

    Returns:
        The similarity; unknown for sounds.
    """
    if backbone.modality == "image":
        return image_similarity(items, domain, seed=seed, pixels=pixels)
    if backbone.modality == "audio":
        return _nothing(domain, "how like its own training data the sounds are is not measured")
    return text_similarity(backbone, items, domain, seed=seed)


def image_similarity(
    items: Sequence[Item], domain: str | None, *, seed: int = 0, pixels: PixelScale | None = None
) -> Similarity:
    """Compare pictures with the photographs that a network was pretrained on.

    The answer depends on the domain alone, so one call serves all candidates that share it.

    Args:
        items: Paths, images or arrays; a sample of at most 200 is read.
        domain: The candidate's, from the catalogue.
        seed: Decides the sample.
        pixels: How pictures of more than 8 bits are seen.

    Returns:
        The similarity; unknown for other domains than natural photographs and for fewer than ten pictures.

    Raises:
        DataError: A picture cannot be read.
    """
    if domain != PHOTOGRAPHS:
        return _nothing(domain, "the catalogue cannot say what pictures it was trained on")
    if len(items) < _FEWEST_IMAGES:
        return _nothing(domain, f"{len(items)} pictures are too few to say how like {domain} they are")
    if pixels is not None and pixels.channels != 3:
        return _nothing(domain, f"pictures of {pixels.channels} channels are like no {domain}")
    read = np.stack([shrink(read_image(item, pixels)) for item in _sample(items, MOST_IMAGES, seed=seed)])
    rows = describe(read)
    reference = natural_photographs()
    unlike = reference.unlike(rows)
    return judge_images(int(unlike.sum()), len(rows), reference.words(rows[unlike]) if unlike.any() else ())


def judge_images(unlike: int, n: int, words: Sequence[str]) -> Similarity:
    """Judge by how many of ``n`` pictures are unlike natural photographs.

    Args:
        unlike: How many lie where only 5 of 100 photographs do.
        n: How many were looked at.
        words: What sets those apart.

    Returns:
        The similarity.
    """
    distance = FAR * (unlike / n - _USUAL_SHARE) / (_FAR_SHARE - _USUAL_SHARE)
    distance = min(1.0, max(0.0, distance))
    count = f"{unlike} of {n} pictures are unlike the {PHOTOGRAPHS} it was trained on"
    if distance < _SHOWN:
        sentence = f"the pictures look like the {PHOTOGRAPHS} it was trained on"
    else:
        sentence = f"{count} ({', '.join(words)})" if words else count
    return Similarity(PHOTOGRAPHS, distance, distance >= FAR, sentence)


def text_similarity(backbone: Backbone, items: Sequence[Item], domain: str | None, *, seed: int = 0) -> Similarity:
    """Compare texts with those that a network's tokenizer was made from.

    Args:
        backbone: The candidate; its tokenizer speaks for itself where the catalogue says nothing.
        items: The texts or documents; a sample of at most 200 is counted, the first 2,000 characters of each.
        domain: The candidate's, from the catalogue.
        seed: Decides the sample.

    Returns:
        The similarity; unknown without a tokenizer and for fewer than twenty words.
    """
    if not isinstance(backbone.preparer, CountsTokens):
        return _nothing(domain, "it has no tokenizer of its own that could tell which texts it knows")
    texts = [only_words(str(text)[:_TEXT_LENGTH]) for text in _sample(items, MOST_TEXTS, seed=seed)]
    return judge_texts(backbone.preparer.count(texts), sum(count_words(text) for text in texts), domain)


def judge_texts(counts: TokenCounts, words: float, domain: str | None) -> Similarity:
    """Judge by the tokens that words take.

    Args:
        counts: What the tokenizer made of the words.
        words: How many there are.
        domain: What the tokenizer was made from, or None.

    Returns:
        The similarity. Without a domain, what would be far for a tokenizer of English and near for one of many
        languages is neither.
    """
    if words < _FEWEST_WORDS or counts.tokens == 0:
        return _nothing(domain, "there are too few words to say how well it knows them")
    taken, unknown = counts.tokens / words, counts.unknown / counts.tokens
    distance = _text_distance(taken, unknown, _FAR_TOKENS_ENGLISH if domain == ENGLISH else _FAR_TOKENS)
    unclear = domain is None and distance < FAR <= _text_distance(taken, unknown, _FAR_TOKENS_ENGLISH)
    rate = f"{taken:.1f} tokens a word"
    if unknown >= _FAR_UNKNOWN:
        sentence = f"its tokenizer does not know {unknown:.0%} of these texts' pieces"
    elif unclear:
        sentence = f"{rate}: usual for a tokenizer of many languages, many for one of English"
    elif distance >= FAR:
        sentence = f"its tokenizer breaks up the words of these texts: {rate}, where about 1.1 is usual for English"
    elif distance >= _SHOWN:
        sentence = f"its tokenizer breaks up some words of these texts: {rate}"
    else:
        sentence = f"its tokenizer knows the words of these texts: {rate}"
    return Similarity(domain, distance, None if unclear else distance >= FAR, sentence)


def _text_distance(taken: float, unknown: float, far: float) -> float:
    broken = FAR * (taken - _USUAL_TOKENS) / (far - _USUAL_TOKENS)
    return min(1.0, max(0.0, broken, FAR * unknown / _FAR_UNKNOWN))


def only_words(text: str) -> str:
    """Return the words of a text, one space between, without addresses, tags, numbers and punctuation."""
    kept = (part for part in text.split() if not any(sign in part for sign in "/@#"))
    letters = "".join(sign if unicodedata.category(sign)[0] in "LM" else " " for sign in " ".join(kept))
    return " ".join(letters.split())


def count_words(text: str) -> float:
    """Count words between spaces; in scripts without spaces, by the letters that a word has on average."""
    words = 0.0
    for letters, length in _DENSE:
        text, found = letters.subn(" ", text)
        words += found / length
    return words + len(text.split())


def _sample(items: Sequence[T], most: int, *, seed: int) -> list[T]:
    if len(items) <= most:
        return list(items)
    chosen = np.random.default_rng(seed).choice(len(items), most, replace=False)
    return [items[place] for place in np.sort(chosen)]


def _nothing(domain: str | None, why: str) -> Similarity:
    return Similarity(domain, None, None, why)
