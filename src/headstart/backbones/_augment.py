"""Augmented views of images and sounds: the same network behind a preparer that crops and flips, or adds noise.

What is computed once cannot see a new crop in every epoch, but it can see a few: each view is a fixed function of the
item, so its activations are stored like any others, and training draws one of the views in every epoch.

The crop is that of Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6, as torchvision's
``RandomResizedCrop`` draws it: a share of the area, uniform in `SCALE`; an aspect ratio, log-uniform in `RATIO`; ten
attempts, then a centre crop. Ours keeps at least half of the area, because few labelled images bear no stronger change,
and brings the crop to a square without giving up pixels; the network's own resizing follows. What becomes of sounds is
in `_augment_sounds`.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal, final

import numpy as np
from PIL import Image

from headstart.backbones._augment_sounds import SoundChange, heard_otherwise
from headstart.backbones._base import Backbone, Preparer
from headstart.backbones._images import ImagePreparer
from headstart.backbones._module import RATE, CallablePreparer
from headstart.backbones._sounds import SoundPreparer
from headstart.backbones._yamnet import FRONT, PatchPreparer
from headstart.errors import BackboneError, OptionError
from headstart.runtime.pictures import Planes

Flips = Literal["on", "off"]
SCALE: Final = (0.5, 1.0)
RATIO: Final = (3 / 4, 4 / 3)
ATTEMPTS: Final = 10
VERSION: Final = 1  # raised where the same seed gives other views, so that stored rows are not mixed


def augmented(backbone: Backbone, view: int, *, seed: int = 0, flips: Flips = "on") -> Backbone:
    """Return a backbone that sees another view of every image, or hears one of every recording.

    Args:
        backbone: For images or sounds.
        view: 0 is the backbone itself; 1, 2, ... are augmented views.
        seed: Other seeds give other views.
        flips: Whether half of the images are mirrored; ``off`` where left and right mean something. Of no effect on
            sounds.

    Returns:
        The same network behind another preparer. The same item always gives the same view, whatever it is called and
        whatever else is run.

    Raises:
        OptionError: The view is negative.
        BackboneError: It is for texts, prepares items in an unknown way, or is augmented already.
    """
    if view < 0:
        raise OptionError(
            f"expected a view from 0, found {view}", where=backbone.name, fix="View 0 is the item itself."
        )
    if view == 0:
        return backbone
    if "augmentation" in backbone.preparer.settings:
        raise BackboneError("it is augmented already", where=backbone.name, fix="Pass the backbone it was made from.")
    changed = replace(backbone, preparer=_changed(backbone, seed=seed, view=view, flips=flips))
    vars(changed)["weights_hash"] = backbone.weights_hash  # the weights are the same; hashing them takes seconds
    return changed


def _changed(backbone: Backbone, *, seed: int, view: int, flips: Flips) -> Preparer:
    """Return the preparer of a view."""
    preparer, modality = backbone.preparer, backbone.modality
    if isinstance(preparer, SoundPreparer):
        return heard_otherwise(preparer, seed=seed, view=view, shifts=backbone.frames is None)
    if isinstance(preparer, PatchPreparer):
        change = SoundChange(seed=seed, view=view, rate=FRONT["sample_rate"])
        return replace(preparer, change=change, settings={**preparer.settings, "augmentation": change.settings})
    if isinstance(preparer, CallablePreparer) and modality == "audio":
        change = SoundChange(seed=seed, view=view, rate=RATE)
        prepare = partial(_then, change, partial(_then, change.silence, preparer.preprocessing))
        return replace(preparer, preprocessing=prepare, settings={**preparer.settings, "augmentation": change.settings})
    crop = _CropAndFlip(seed=seed, view=view, flips=flips)
    settings = {**preparer.settings, "augmentation": crop.settings}
    if isinstance(preparer, ImagePreparer):
        return replace(preparer, change=crop.of_all, settings=settings)
    if isinstance(preparer, CallablePreparer) and modality == "image":
        return replace(preparer, preprocessing=partial(_then, crop, preparer.preprocessing), settings=settings)
    fix = "Train on view 0 alone."
    raise BackboneError("only images and sounds have augmented views", where=backbone.name, fix=fix)


def _then(change: Callable[[Any], Any], prepare: Callable[[Any], Any], item: Any) -> Any:
    return prepare(change(item))


@final
@dataclass(frozen=True)
class _CropAndFlip:
    """A random crop and flip, fixed by seed, view and the image's pixels."""

    seed: int
    view: int
    flips: Flips

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that changes the result, as JSON values."""
        return {
            "version": VERSION,
            "seed": self.seed,
            "view": self.view,
            "scale": list(SCALE),
            "ratio": list(RATIO),
            "flips": self.flips,
        }

    def __call__(self, image: Image.Image) -> Image.Image:
        return self.of_all((image,))[0]

    def of_all(self, planes: Planes) -> Planes:
        """Change all channels of a picture alike."""
        size, pixels = planes[0].size, b"".join(plane.tobytes() for plane in planes)
        digest = hashlib.sha256(f"{size} ".encode() + pixels).digest()
        rng = np.random.default_rng([self.seed, self.view, *np.frombuffer(digest, dtype="<u4").tolist()])
        box, flip = _draw_box(size, rng), rng.random() < 0.5
        side = max(box[2] - box[0], box[3] - box[1])
        squares = tuple(plane.resize((side, side), Image.Resampling.BICUBIC, box=box) for plane in planes)
        if flip and self.flips == "on":
            return tuple(square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for square in squares)
        return squares


def _draw_box(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw the crop: left, upper, right, lower."""
    width, height = size
    for _ in range(ATTEMPTS):
        area = width * height * rng.uniform(*SCALE)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, upper = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, upper, left + w, upper + h
    w = max(1, min(width, round(height * RATIO[1])))
    h = max(1, min(height, round(width / RATIO[0])))
    left, upper = (width - w) // 2, (height - h) // 2
    return left, upper, left + w, upper + h
