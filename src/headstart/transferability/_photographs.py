"""How unlike natural photographs pictures are, by cheap numbers: colours, flatness, edges, layout.

A picture is its largest centred square brought to 32 x 32 pixels and then halved, so that neither its resolution nor
its compression counts. The reference holds only means, spreads and correlations of the numbers over the photographs of
ImageNet, and how far from their centre those lie themselves; ``recipes/natural_photographs.py`` makes it.

The numbers see colourless, flat, line-drawn or oddly laid out pictures. They do not see content: a painting with the
colours and the detail of a photograph counts as one, and so would photographs of things that ImageNet does not hold.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias, final

import numpy as np
import numpy.typing as npt
from PIL import Image

Rows: TypeAlias = npt.NDArray[np.float64]
Pixels: TypeAlias = npt.NDArray[np.uint8]

SIDE: Final = 32
_HALF: Final = SIDE // 2
_STEP: Final = 1 / 255  # one grey level: keeps the logarithm of nothing finite
_GREYS: Final = 32
_RIM: Final = 3  # of 16 pixels, on each side
_RIDGE: Final = 0.02  # some numbers nearly repeat others; keeps their small differences from deciding
_STANDS_OUT: Final = 1.5  # standard deviations of the reference
_MOST_WORDS: Final = 2

# What a user sees where a number is far below or above the reference; of one family only the first is said.
_WORDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "brightness": ("light", "dark", "bright"),
    "contrast": ("contrast", "little contrast", "strong contrast"),
    "red or green": ("tint", "greenish", "reddish"),
    "yellow or blue": ("tint", "bluish", "yellowish"),
    "colour spread": ("colour", "hardly any colours", "many strong colours"),
    "chroma": ("colour", "colourless", "strong colours"),
    "commonest grey": ("flat", "no flat areas", "flat backgrounds"),
    "fine detail": ("detail", "little detail", "much fine detail"),
    "smoothness": ("detail", "much fine detail", "little detail"),
    "edges": ("edges", "faint edges", "strong edges"),
    "sparse edges": ("lines", "detail everywhere", "few sharp lines"),
    "flat": ("flat", "no flat areas", "flat backgrounds"),
    "direction": ("direction", "upright structures", "level structures"),
    "skew": ("ground", "dark on a light ground", "light on a dark ground"),
    "black or white": ("flat", "neither black nor white", "large white or black areas"),
    "centre": ("centre", "a dark centre", "a bright centre"),
    "mirror": ("mirror", "left unlike right", "left like right"),
}
DESCRIPTORS: Final = tuple(_WORDS)


@final
@dataclass(frozen=True)
class Reference:
    """Where the numbers of natural photographs lie.

    Attributes:
        mean: Of each number, (D,).
        deviation: Of each number, (D,).
        correlation: Between them, (D, D).
        limit: The distance from the centre within which 95 of 100 photographs lie.
    """

    mean: Rows
    deviation: Rows
    correlation: Rows
    limit: float = math.inf

    @classmethod
    def measure(cls, rows: Rows) -> "Reference":
        """Take the reference from the numbers of photographs, (N, D)."""
        centred = cls(rows.mean(axis=0), rows.std(axis=0), np.asarray(np.corrcoef(rows.T)))
        limit = float(np.quantile(centred.distances(rows), 0.95))
        return cls(centred.mean, centred.deviation, centred.correlation, limit)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Reference":
        """Read what `to_json` wrote."""
        mean, deviation = np.array([stored["descriptors"][name] for name in DESCRIPTORS]).T
        return cls(mean, deviation, np.array(stored["correlation"]), stored["limit"])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, rounded."""
        pairs = zip(self.mean, self.deviation, strict=True)
        return {
            "descriptors": {
                name: [round(float(value), 5) for value in pair] for name, pair in zip(DESCRIPTORS, pairs, strict=True)
            },
            "correlation": self.correlation.round(4).tolist(),
            "limit": round(self.limit, 4),
        }

    def distances(self, rows: Rows) -> Rows:
        """Return the Mahalanobis distance of each picture, (N,)."""
        steps = self._steps(rows)
        inverse = np.linalg.inv(self.correlation + _RIDGE * np.eye(len(self.mean)))
        return np.asarray(np.sqrt(np.einsum("ni,ij,nj->n", steps, inverse, steps)))

    def unlike(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Say of each picture whether it lies outside, (N,); 5 of 100 photographs do."""
        return np.asarray(self.distances(rows) > self.limit)

    def words(self, rows: Rows) -> tuple[str, ...]:
        """Name the one or two things that set pictures apart most, in a user's words."""
        shift = self._steps(rows).mean(axis=0)
        said: dict[str, str] = {}
        for place in np.argsort(-np.abs(shift), kind="stable"):
            if len(said) < _MOST_WORDS and abs(shift[place]) >= _STANDS_OUT:
                family, low, high = _WORDS[DESCRIPTORS[place]]
                said.setdefault(family, high if shift[place] > 0 else low)
        return tuple(said.values())

    def _steps(self, rows: Rows) -> Rows:
        return np.asarray((rows - self.mean) / self.deviation)


@cache
def natural_photographs() -> Reference:
    """Return the reference that comes with the package."""
    text = files("headstart.transferability").joinpath("natural_photographs.json").read_text(encoding="utf-8")
    return Reference.from_json(json.loads(text))


def shrink(image: Image.Image) -> Pixels:
    """Bring the largest centred square of an RGB picture to (32, 32, 3)."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box, reducing_gap=3.0))


def describe(pixels: Pixels) -> Rows:
    """Describe pictures (N, 32, 32, 3) by the numbers of `DESCRIPTORS`, (N, D)."""
    values = pixels.astype(np.float64) / 255
    # The finest octave is where JPEG and the filter of a resizing show, so it is left out.
    small = values.reshape(-1, _HALF, 2, _HALF, 2, 3).mean(axis=(2, 4))
    grey = small.mean(axis=3)
    found = {**_colours(small), **_greys(grey), **_detail(grey), **_edges(grey), **_layout(grey)}
    return np.stack([found[name] for name in DESCRIPTORS], axis=1)


def _colours(small: Rows) -> dict[str, Rows]:
    red, green, blue = (_flat(small[..., channel]) for channel in range(3))
    opponents = red - green, (red + green) / 2 - blue
    return {
        "red or green": opponents[0].mean(axis=1),
        "yellow or blue": opponents[1].mean(axis=1),
        "colour spread": _log(np.hypot(opponents[0].std(axis=1), opponents[1].std(axis=1))),
        "chroma": _log(_flat(small.max(axis=3) - small.min(axis=3)).mean(axis=1)),
    }


def _greys(grey: Rows) -> dict[str, Rows]:
    flat = _flat(grey)
    spread = flat.std(axis=1)
    bins = np.minimum((flat * _GREYS).astype(np.int64), _GREYS - 1)
    commonest = np.array([np.bincount(row).max() for row in bins]) / flat.shape[1]
    centred = (flat - flat.mean(axis=1, keepdims=True)) / (spread + _STEP)[:, None]
    return {
        "brightness": flat.mean(axis=1),
        "contrast": _log(spread),
        "commonest grey": np.log(commonest),
        "skew": np.cbrt((centred**3).mean(axis=1)),
        "black or white": ((flat < 0.06) | (flat > 0.94)).mean(axis=1),
    }


def _detail(grey: Rows) -> dict[str, Rows]:
    """The share of the spectrum's power from 4 cycles per picture on, and how alike neighbouring pixels are."""
    window = np.hanning(_HALF + 2)[1:-1]
    centred = _centred(grey)
    power = np.abs(np.fft.fft2(centred * np.outer(window, window))) ** 2
    cycles = np.fft.fftfreq(_HALF) * _HALF
    radius = np.hypot(cycles[:, None], cycles)
    fine = power[:, radius >= 4].sum(axis=1) / (power.sum(axis=(1, 2)) + 1e-6 * power[0].size * _HALF)
    below, beside = centred[:, 1:] * centred[:, :-1], centred[:, :, 1:] * centred[:, :, :-1]
    alike = (below.mean(axis=(1, 2)) + beside.mean(axis=(1, 2))) / 2
    variance = (centred**2).mean(axis=(1, 2)) + _STEP**2
    return {"fine detail": np.log(fine + 1e-4), "smoothness": alike / variance}


def _edges(grey: Rows) -> dict[str, Rows]:
    down, right = (_flat(np.abs(np.diff(grey, axis=axis))) for axis in (1, 2))
    both = np.concatenate([down, right], axis=1)
    return {
        "edges": _log(both.mean(axis=1)),
        "sparse edges": _log(both.std(axis=1)) - _log(both.mean(axis=1)),
        "flat": (both < 2 * _STEP).mean(axis=1),
        "direction": _log(down.mean(axis=1)) - _log(right.mean(axis=1)),
    }


def _layout(grey: Rows) -> dict[str, Rows]:
    inner = np.zeros((_HALF, _HALF), dtype=bool)
    inner[_RIM:-_RIM, _RIM:-_RIM] = True
    centred = _centred(grey)
    alike = _flat(centred * centred[:, :, ::-1]).sum(axis=1) / (_flat(centred**2).sum(axis=1) + 1e-3)
    return {"centre": grey[:, inner].mean(axis=1) - grey[:, ~inner].mean(axis=1), "mirror": alike}


def _centred(grey: Rows) -> Rows:
    return np.asarray(grey - grey.mean(axis=(1, 2), keepdims=True))


def _flat(values: Rows) -> Rows:
    return values.reshape(len(values), -1)


def _log(values: Rows) -> Rows:
    return np.asarray(np.log(values + _STEP))
