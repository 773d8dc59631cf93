"""Pictures to predict that are of other pixels than those a model was fitted on: some cannot be used, some may do."""

from collections.abc import Iterator
from typing import Any

from headstart.backbones import Backbone
from headstart.data import ImageFacts, Item, PixelScale, name_of
from headstart.errors import DataError
from headstart.pipeline._options import Say


def said_of_pixels(backbone: Backbone) -> Iterator[str]:
    """Say on what pixels a model of pictures was fitted: what answers one request at a time cannot look at all."""
    if backbone.modality == "image":
        scale = backbone.pixels or PixelScale({})
        kinds = sorted({name_of(kind) for kind in scale.ranges}) or [name_of("uint8")]
        yield (
            f"It was fitted on pictures of {' and '.join(kinds)}; in others what is black and white is taken from the "
            "file or its type, and more mistakes are to be expected where they look otherwise."
        )


class NewPixels:
    """Collects inputs for which the model knows no range from black to white.

    Args:
        backbone: The model's.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._scale = backbone.pixels or PixelScale({})
        self._known = {"uint8", *self._scale.ranges}
        self._seen, self._new = 0, dict[str, str]()
        self._faults = dict[str, DataError]()

    def look(self, name: str, facts: Any) -> None:
        """Look at an input that can be read."""
        if isinstance(facts, ImageFacts):
            self._seen += 1
            try:
                self._scale.check(facts.channels, kind=facts.kind, window=facts.window)
            except DataError as error:
                self._faults[name] = DataError(error.problem, where=name, fix=error.fix)
            if facts.kind not in self._known:
                self._new[name] = name_of(facts.kind)

    def judged(self, name: str, item: Item | DataError) -> Item | DataError:
        """Return an item, or why the model cannot use it."""
        return self._faults.get(name, item)

    def tell(self, say: Say) -> None:
        """Say it once, if there are any."""
        if not self._new:
            return
        name, kind = next(iter(self._new.items()))
        say(
            f"{len(self._new)} of {self._seen} inputs have pixels of a kind that the model was not fitted on (first: "
            f"{name}, {kind}): what is black and white in them is taken from the file or its type. Where they look "
            "otherwise than the pictures it was fitted on, expect more mistakes; fit on pictures like these too."
        )
