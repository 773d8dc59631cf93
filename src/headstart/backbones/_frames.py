"""A network for sounds that gives one row of features for every frame of a recording, instead of one for all of it.

Neighbouring frames of the network are averaged, because a network has more of them than characters are spoken: 50 a
second, say, of which two are joined. Which frames, in which of the windows of a long recording, see `_framing`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from numpy.typing import NDArray
from torch import Tensor

from headstart.backbones._base import Backbone, Preparer
from headstart.backbones._batch import Batch, pool_words
from headstart.backbones._texts import pool_tokens
from headstart.errors import BackboneError
from headstart.runtime import Places

NOTE_OF_SOUNDS: Final = "a recording's features are "
NOTE_OF_FRAMES: Final = "a frame's features are "
FIX: Final = "Choose a network for sounds: starter:audio-small, or hf: or dir: in transformers' layout."


@runtime_checkable
class ReadsFrames(Protocol):
    """A preparer of recordings that can also say where their frames are."""

    def for_frames(self, per_second: float) -> Preparer:
        """Return a preparer of recordings whose frames have features of their own, about so many a second."""

    def places(self, windows: Sequence[NDArray[Any]]) -> Places:
        """Place the frames of a recording, from its windows as they are prepared or as they are at any cut."""

    @property
    def frame_seconds(self) -> float | None:
        """How long a frame is."""


def frame_backbone(backbone: Backbone, per_second: float) -> Backbone:
    """Let a network for sounds give features of frames.

    Args:
        backbone: For sounds, of any family that averages its frames; it stays as it is. One for frames is given the
            other rate.
        per_second: About how many frames a second has: so many of the network's frames are averaged. It never has more
            than the network.

    Returns:
        A backbone of the same name, network, cut points and weights (they lie in the same memory). What it returns has
        one row for every frame: those of the first item, then those of the second, and so on.
        `Backbone.frame_seconds` says how long a frame is.

    Raises:
        OptionError: The rate is no number above 0, or a window of the network has no room for one such frame.
        BackboneError: It is for images or texts, made from modules of your own, or its features are no mean over
            frames.
    """
    if backbone.modality != "audio":
        problem = f"only recordings have frames, and it reads {backbone.modality}"
        raise BackboneError(problem, where=backbone.name, fix=FIX)
    preparer, tail = backbone.preparer, _of_frames(backbone.tail)
    pool = None if backbone.pool is None else _of_frames(backbone.pool)
    if not isinstance(preparer, ReadsFrames) or tail is None or (pool is None and backbone.pool is not None):
        problem = "it does not tell where the frames of a recording are"
        raise BackboneError(problem, where=backbone.name, fix=FIX)
    framed, per_second = preparer.for_frames(per_second), float(per_second)
    assert isinstance(framed, ReadsFrames)
    changed = replace(
        backbone,
        preparer=framed,
        tail=tail,
        pool=pool,
        source={**backbone.source, "frames": per_second},
        notes=(*_other_notes(backbone), f"{NOTE_OF_FRAMES}of {1000 * (framed.frame_seconds or 0):g} ms of sound"),
        source_head=None,
    )
    vars(changed)["weights_hash"] = backbone.weights_hash  # the weights are the same; hashing them takes seconds
    return changed


def frame_places(backbone: Backbone, windows: Sequence[NDArray[Any]]) -> Places:
    """Tell which frames of the network stand for which rows of a recording.

    Args:
        backbone: One for frames.
        windows: The windows of the recording without padding, (t, ...) each, as its preparer reads them or at any cut.

    Returns:
        (K, 3) window, frame of the network in it, and row; ordered by row.
    """
    assert isinstance(backbone.preparer, ReadsFrames), "a backbone of frames"
    return backbone.preparer.places(windows)


def _other_notes(backbone: Backbone) -> tuple[str, ...]:
    return tuple(note for note in backbone.notes if not note.startswith((NOTE_OF_SOUNDS, NOTE_OF_FRAMES)))


def _of_frames(tail: Callable[[Batch], Tensor]) -> Callable[[Batch], Tensor] | None:
    """Return a tail with the pooling of rows in place of the mean over frames; None where it is no such mean."""
    if tail is pool_words:
        return pool_words
    if not isinstance(tail, partial) or not tail.args:
        return None
    if tail.func is pool_tokens:
        return pool_words if tail.args == ("mean",) else None
    inner = _of_frames(tail.args[-1])
    return None if inner is None else partial(tail.func, *tail.args[:-1], inner)
