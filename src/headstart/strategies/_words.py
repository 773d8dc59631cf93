"""What tagging needs: networks that give a row of features per word."""

from dataclasses import replace
from typing import Final, Literal

from headstart.backbones import Backbone, word_backbone
from headstart.data import Dataset
from headstart.features import silent
from headstart.strategies._base import Run
from headstart.strategies._documents import some_documents
from headstart.strategies.probe import Probe
from headstart.tasks import Task

FEW_DOCUMENTS: Final = 200  # to choose on them how the tokens of a word become its features
POOLINGS: Final[tuple[Literal["first", "mean"], ...]] = ("first", "mean")


def reading_words(backbone: Backbone, train: Dataset, task: Task, *, run: Run) -> Backbone:
    """Return a candidate as a network that gives a row per word.

    Whether a word is its first token or the mean of its tokens is chosen by the held-out loss of a probe on some of the
    training documents.

    Args:
        backbone: The candidate.
        train: The training documents.
        task: What is to be learnt.
        run: Features, seed, and where the choice is kept.

    Returns:
        The network for words.

    Raises:
        BackboneError: It cannot read words.
    """
    if backbone.pooling_of_words is not None:
        return backbone
    candidates = {pooling: word_backbone(backbone, pooling) for pooling in POOLINGS}

    def choose() -> str:
        sizes = run.features.rows_each(candidates["mean"], train)
        assert sizes is not None
        few = some_documents(train, sizes, seed=run.seed, most=FEW_DOCUMENTS)
        losses = {
            pooling: Probe().fit(each, few, task, run=replace(run, progress=silent)).loss
            for pooling, each in candidates.items()
        }
        best = min(POOLINGS, key=lambda pooling: losses[pooling])
        shown = ", ".join(f"{pooling} {loss:.4f}" for pooling, loss in losses.items())
        how = "its first token" if best == "first" else "the mean of its tokens"
        run.say(f"{backbone.name}: a word is {how} (held-out loss on {len(few)} documents: {shown}).")
        return best

    chosen: str = run.decide(f"tokens of a word on {backbone.name}", choose)
    return next(each for pooling, each in candidates.items() if pooling == chosen)
