"""What every format gives back once its files are written, and what it may export."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.data import Item
from headstart.errors import ArtifactError, BackboneError, MissingExtraError, first_line
from headstart.linear import LINKS, FrameModel, KNearest, LinearModel
from headstart.model import AdaptedModel
from headstart.runtime import Promises

FIX = "--format onnx keeps any model's answers."


def all_alike(items: Sequence[Item]) -> list[bool]:
    """Say that the format answers no item otherwise."""
    return [False] * len(items)


@final
@dataclass(frozen=True, eq=False)
class Written:
    """A folder that a format has written.

    Attributes:
        answers: Loads the folder with the tool it is for and answers items, as `AdaptedModel.outputs` does.
        library: The tool, as the Hugging Face hub calls it.
        load: Python code that loads the folder and answers an item.
        call: The line of it that loads, for the command line.
        limits: What the format cannot keep, as sentences.
        beyond: Which items it answers otherwise for a reason that `limits` names, such as a text beyond its window.
        promises: What is promised beside the answers, a sentence each; None where the format keeps no promises.
        exact: Whether it is to answer as the model does, but for rounding.
        facts: What else is worth keeping, as JSON values.
    """

    answers: Callable[[Sequence[Item]], NDArray[Any]]
    library: str
    load: str
    call: str
    limits: tuple[str, ...] = ()
    beyond: Callable[[Sequence[Item]], list[bool]] = all_alike
    promises: Sequence[str] | None = None
    exact: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Measured:
    """What was measured of an export on the items that were given.

    Attributes:
        title: Of a section of the card.
        said: What it says.
        facts: The same as JSON values, for the record.
    """

    title: str
    said: str
    facts: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Asked:
    """What an exported model is to promise, and how small it is to be.

    Attributes:
        promises: What is said with every answer; nothing where None.
        wanted: What these promise, as JSON values.
        notes: What they promise, a sentence each.
        int8: Whether weights have 8 bits.
        calibration: Items by which the range of activations is measured for that; made-up ones where there are none.
        measure: Told the answers of model and export to the items that were given; nothing more is measured where None.
    """

    promises: Promises | None = None
    wanted: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    int8: bool = False
    calibration: Sequence[Item] = ()
    measure: Callable[[NDArray[Any], NDArray[Any]], Measured] | None = None


NOTHING_ASKED: Final = Asked()


@contextmanager
def translated(what: str, *, where: str, missing: str, fix: str) -> Iterator[None]:
    """Turn what the libraries that make graphs raise into one line.

    Args:
        what: What cannot be done, for the message.
        where: The network or the file.
        missing: The package that is not installed, where an import fails without a name.
        fix: What to do about a failure.

    Yields:
        Nothing.

    Raises:
        MissingExtraError: A package is not installed.
        BackboneError: Anything else failed.
    """
    try:
        yield
    except ImportError as error:
        extra = "Type: pip install 'headstart[export]'"
        raise MissingExtraError(f"{error.name or missing} is not installed", fix=extra) from error
    except Exception as error:  # their passes raise nothing more specific
        raise BackboneError(f"{what} ({first_line(error)})", where=where, fix=fix) from error


def linear_head(model: AdaptedModel, tool: str) -> LinearModel:
    """Return the head of a model, where it is a linear layer on the last layer's features.

    Args:
        model: The model.
        tool: What is to hold it, for an error.

    Returns:
        The head.

    Raises:
        ArtifactError: It is of neighbours or of frames, or reads the mean of all layers.
    """
    head, where = model.head, model.backbone.name
    if isinstance(head, KNearest):
        problem = f"its head compares with {len(head.labels)} stored examples, and {tool} has no such layer"
        raise ArtifactError(problem, where=where, fix=f"Fit with probe(), or choose another: {FIX}")
    if isinstance(head, FrameModel):
        problem = f"its head hears several frames at once and decodes their text, and {tool} has no such layer"
        raise ArtifactError(problem, where=where, fix=FIX)
    if model.view != "last":
        problem = f"its head reads the mean of all layers, and {tool} reads the last"
        fix = f"Fit with --strategy \"probe(view='last')\" or finetune, or choose another: {FIX}"
        raise ArtifactError(problem, where=where, fix=fix)
    return head


def outputs_of(model: AdaptedModel, scores: NDArray[Any]) -> NDArray[np.float64]:
    """Turn scores (N, K) into what a model says: probabilities, or values."""
    width = scores.shape[1]
    unchanged = LinearModel(np.eye(width, dtype=np.float32), np.zeros(width, np.float32), link=LINKS[model.task.kind])
    return unchanged.outputs(scores)


def labels_of(model: AdaptedModel) -> tuple[str, ...]:
    """Return a name for every output."""
    return model.task.classes or ("value",)
