"""What the training pictures are of: the range of their pixels, and the channels that all of them have."""

from collections.abc import Sequence
from typing import Final

from headstart.data.dataset import Dataset
from headstart.engine import LocalEngine
from headstart.errors import DataError
from headstart.runtime import Item
from headstart.runtime.pictures import RGB, PixelScale, Sample, name_of_channels, ranges_of, wide_pixels

ALL: Final = 2**22  # pixels that are remembered, of all pictures together
FEWEST: Final = 1024  # of each


def learn_scale(train: Dataset) -> PixelScale | None:
    """Learn how pictures become values from black to white, from training examples alone and without their labels.

    Args:
        train: The training part; of 8-bit pictures only the headers are read.

    Returns:
        The ranges and the number of channels; None where all are 8-bit pictures in gray or colours, or no pictures.

    Raises:
        DataError: Pictures have different channels, or one cannot be read.
    """
    if train.modality != "image":
        return None
    most = min(2**18, max(FEWEST, ALL // max(1, len(train))))

    def look(item: Item) -> tuple[int, Sample | None]:
        pixels = wide_pixels(item)
        if pixels is None:
            return RGB, None
        return RGB if pixels.colours else pixels.channels, Sample.of(pixels, most=most)

    looked = list(LocalEngine().map(look, train.items))
    channels = _same_channels([found for found, _ in looked], train.places)
    samples = [sample for _, sample in looked if sample is not None]
    return PixelScale(ranges_of(samples), channels) if samples else None


def _same_channels(found: Sequence[int], places: Sequence[str]) -> int:
    first = found[0] if found else RGB
    for channels, place in zip(found, places, strict=True):
        if channels != first:
            raise DataError(
                f"expected {name_of_channels(first)}, as in {places[0]}, found {name_of_channels(channels)}",
                where=place,
                fix="Train on pictures of the same channels.",
            )
    return first
