"""What an item looks or sounds like in a few numbers, and copies of it that are altered as copies usually are.

* A picture is its low frequencies: the discrete cosine transform of 32 x 32 grey pixels, 12 x 12 of it without the
  mean, as in the perceptual hash of Zauner (Implementation and benchmarking of perceptual image hash functions, 2010).
  Unlike there, coefficients stay numbers, because each is then measured in its spread over the data (`comparable`):
  radiographs all share their coarse shape, and signs of coefficients tell a crop of one no better than another patient.
  That is a transform and a slice; imagehash would bring PyWavelets for them.
* A text is its character 4-grams, hashed into numbers with signs and weighted by rarity.
* A sound is how loud 24 bands below 4 kHz are in 16 stretches of it.
"""

import io
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance
from scipy import fft

from headstart.data import Dataset, Item, Modality, Sound, read_image, read_sound
from headstart.engine import LocalEngine

Single = npt.NDArray[np.float32]

_SIDE: Final = 32  # pixels of a picture before the transform
_KEPT: Final = 12  # frequencies a side
_GRAMS: Final = 4  # characters
_HASHED: Final = 1024
_RATE: Final = 16_000  # Hz, of altered copies
_HEARD: Final = 8_000  # Hz, of signatures: half the rate loses nothing of them
_BANDS: Final = 24
_STRETCHES: Final = 16
_CROP: Final = 0.03  # of a side
_LIGHT: Final = 1.1
_SMALLER: Final = 0.7
_QUALITY: Final = 40  # of a JPEG
# What writing anew changes a number by, in grey levels and in nats; smaller spreads must not be blown up.
_TRIFLE: Final[dict[Modality, float]] = {"image": 4.0, "audio": 0.3}


def signatures(dataset: Dataset) -> Single:
    """Return what every item looks, reads or sounds like.

    Args:
        dataset: N items.

    Returns:
        (N, D) numbers, to be made comparable with `comparable`.

    Raises:
        DataError: An item cannot be read.
    """
    if dataset.modality == "text":
        return _of_texts(dataset.items)
    one = _of_picture if dataset.modality == "image" else _of_sound
    return np.stack(list(LocalEngine().map(one, dataset.items))).astype(np.float32)


def comparable(rows: Single, modality: Modality, like: Single | None = None) -> Single:
    """Return signatures at length 1, each number measured in its spread over the data; their products are cosines.

    Args:
        rows: (N, D) signatures.
        modality: Numbers of texts are weighted by how rare they are instead.
        like: The signatures of the data, where ``rows`` are not they.

    Returns:
        (N, D) rows.
    """
    data = rows if like is None else like
    if modality == "text":
        scaled = rows * np.log((1 + len(data)) / (1 + (data != 0).sum(axis=0))).astype(np.float32)
    else:
        spread = np.sqrt(np.square(data.std(axis=0)) + _TRIFLE[modality] ** 2)
        scaled = (rows - data.mean(axis=0)) / spread
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def altered(item: Item, modality: Modality) -> list[Item]:
    """Return copies of an item as people make them without thinking of it.

    Args:
        item: A picture, text or sound.
        modality: Which of them.

    Returns:
        Of a picture one at 70 % of its size, one as a JPEG of quality 40, and one cropped by 3 % a side and 10 %
        lighter; of a text one in lower case without punctuation and one without a word; of a sound one quieter with
        noise, one at half its rate, and one that begins 20 ms later.

    Raises:
        DataError: The item cannot be read.
    """
    ways: dict[Modality, Callable[[Item], list[Item]]] = {
        "image": _altered_picture,
        "text": _altered_text,
        "audio": _altered_sound,
    }
    return ways[modality](item)


def _of_picture(item: Item) -> Single:
    grey = read_image(item).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    found = fft.dctn(np.asarray(grey, dtype=np.float32), norm="ortho")[:_KEPT, :_KEPT]
    return np.asarray(found.ravel()[1:], dtype=np.float32)


def _of_texts(texts: Sequence[str]) -> Single:
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(
        analyzer="char_wb", ngram_range=(_GRAMS, _GRAMS), n_features=_HASHED, norm=None, dtype=np.float32
    )
    return np.asarray(hashed.transform(" ".join(str(text).split()) for text in texts).toarray(), dtype=np.float32)


def _of_sound(item: Item) -> Single:
    samples = read_sound(item, rate=_HEARD)
    from scipy import signal  # takes seconds, and only sounds need it

    _, _, power = signal.spectrogram(samples, _HEARD, nperseg=min(256, len(samples)), noverlap=0)
    edges = np.unique(np.geomspace(1, len(power), _BANDS + 1).astype(int))
    bands = np.add.reduceat(power, edges[:-1] - 1, axis=0)
    bands = np.pad(bands, ((0, _BANDS - len(bands)), (0, 0)), mode="edge")
    whole = np.array(np.linspace(0, bands.shape[1], _STRETCHES + 1), dtype=int)
    parts = [
        bands[:, a : max(b, a + 1)] for a, b in zip(np.minimum(whole[:-1], bands.shape[1] - 1), whole[1:], strict=True)
    ]
    loud = np.log(np.stack([part.mean(axis=1) for part in parts]) + 1e-10)
    return np.asarray(loud - loud.mean(), dtype=np.float32).ravel()


def _altered_picture(item: Item) -> list[Item]:
    image = read_image(item)
    small = [max(8, round(side * _SMALLER)) for side in image.size]
    across, down = (max(1, round(side * _CROP)) for side in image.size)
    inner = image.crop((across, down, max(image.width - across, across + 1), max(image.height - down, down + 1)))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY)
    return [
        image.resize((small[0], small[1]), Image.Resampling.BICUBIC),
        Image.open(written).convert("RGB"),
        ImageEnhance.Brightness(inner).enhance(_LIGHT),
    ]


def _altered_text(item: Item) -> list[Item]:
    words = str(item).split()
    bare = "".join(sign for sign in str(item).lower() if sign.isalnum() or sign.isspace())
    fewer = " ".join(words[: len(words) // 2] + words[len(words) // 2 + 1 :])
    return [text for text in (" ".join(bare.split()), fewer) if text]


def _altered_sound(item: Item) -> list[Item]:
    samples = read_sound(item, rate=_RATE)
    noise = np.random.default_rng(len(samples)).normal(size=len(samples)) * samples.std() / 30
    half = read_sound(Sound(samples, _RATE), rate=_RATE // 2)
    late = samples[min(_RATE // 50, len(samples) // 2) :]
    return [Sound((0.7 * samples + noise).astype(np.float32), _RATE), Sound(half, _RATE // 2), Sound(late, _RATE)]
