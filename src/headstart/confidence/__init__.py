"""What a model knows of its own answers: sets, abstention, operating points and novelty, kept in the model folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from numpy.typing import NDArray

from headstart.confidence._held_out import HeldOut
from headstart.confidence._novelty import fit_novelty
from headstart.runtime import Novelty

__all__ = ["Confidence", "HeldOut", "Novelty", "fit_novelty"]


@final
@dataclass(frozen=True, eq=False)
class Confidence:
    """What is kept beside a model.

    Attributes:
        held_out: What the folds of the training part say of its answers; None for tasks other than classification, and
            where no fit held anything out.
        novelty: How unlike the training data an item is; None where there were too few examples.
    """

    held_out: HeldOut | None = None
    novelty: Novelty | None = None

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `from_arrays` reads."""
        parts = {"held_out": self.held_out, "novelty": self.novelty}
        return {
            f"{part}.{name}": array
            for part, known in parts.items()
            if known is not None
            for name, array in known.to_arrays().items()
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Build it from what `to_arrays` returned; of nothing there is nothing to say."""

        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

        held_out, novelty = part("held_out."), part("novelty.")
        return cls(
            HeldOut.from_arrays(held_out) if held_out else None, Novelty.from_arrays(novelty) if novelty else None
        )
