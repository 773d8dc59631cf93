"""The tagger: entities in texts."""

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from headstart.backbones import Backbone
from headstart.data import Dataset, Document, Form, read_entities, read_texts
from headstart.errors import DataError
from headstart.estimators._transfer import Transfer, column
from headstart.tasks import Entity, Tagging, entities_of, read_tags, tags_of

if TYPE_CHECKING:
    from sklearn.utils import Tags


class TransferTagger(Transfer):
    """A tagger of words, which finds entities, that starts from a pretrained network.

    What it is given says what it answers with: lists of tokens have lists of tags, strings have lists of spans.

    Args:
        backbone: An address such as ``starter:minilm-l6``, a `Backbone`, or several of either to choose among by
            cross-validation; by default the ones that need no network.
        strategy: How to adapt it, such as ``probe()`` or ``finetune(last=2)``.
        metric: The score that will matter; by default the F1 of entities.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        offline: Open no connection.
        random_state: Seed of every random choice.

    Attributes:
        classes_: (T,) types of entity, sorted.
        tags_: The 1 + 2 T tags, ``O``, ``B-...`` and ``I-...`` of each type: the columns of `predict_proba` for tokens.
        model_: The fitted `headstart.model.AdaptedModel`.
        chosen_: Settings that cross-validation chose.
    """

    def __init__(
        self,
        backbone: str | Backbone | Sequence[str | Backbone] | None = None,
        *,
        strategy: str = "probe",
        metric: str | None = None,
        device: str = "auto",
        offline: bool = False,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            backbone, strategy=strategy, metric=metric, device=device, offline=offline, random_state=random_state
        )

    def fit(self, X: Iterable[Any], y: Iterable[Any], groups: ArrayLike | None = None) -> "TransferTagger":
        """Choose settings by cross-validation inside these examples and fit on all of them.

        Args:
            X: N lists of tokens, or N strings.
            y: Of tokens N lists of tags, one per token, as IOB1, IOB2, BIOES or BILOU writes them; of strings N lists
                of spans (start, end, type) in characters, the end exclusive, no two overlapping. Tags and spans that
                can be read but look wrong are warned of.
            groups: N groups (document, author) that the inner folds keep together.

        Returns:
            The estimator itself.

        Raises:
            DataError: Something in it cannot be read, which is named, or there is no entity.
        """
        documents, labels = _labelled(X, y)
        units = None if groups is None else tuple(map(str, column(groups, "groups")))
        if units is not None and len(units) != len(documents):
            raise DataError(f"expected {len(documents)} values, one per item, found {len(units)}", where="groups")
        task = Tagging.from_labels(labels)
        if not task.types:
            raise DataError("expected entities, found none", where="y")
        self.classes_, self.tags_ = np.array(task.types), np.array(task.classes)
        self._choose(_dataset(documents, tuple(labels), units), task)
        return self

    def predict(self, X: Iterable[Any]) -> list[list[Any]]:
        """Return the most probable tags of every list of tokens, or the spans of every string.

        Args:
            X: N lists of tokens, or N strings.

        Returns:
            Of tokens N lists of tags, as IOB2 writes them, one per token and never an impossible sequence; of strings N
            lists of spans (start, end, type), in order.
        """
        documents, form = self._documents(X)
        found = self._entities(documents)
        if form == "tokens":
            return [tags_of(each, len(document.words)) for document, each in zip(documents, found, strict=True)]
        return [[span[:3] for span in spans] for spans in _spans(documents, found)]

    def predict_proba(self, X: Iterable[Any]) -> list[Any]:
        """Return the probability of every tag of every token, or of every span that is predicted in a string.

        Args:
            X: N lists of tokens, or N strings.

        Returns:
            Of tokens N arrays (tokens, 1 + 2 T), columns as in ``tags_``; of strings, whose words are not the caller's,
            N lists of (start, end, type, probability), the probability that exactly this span is exactly this.
        """
        documents, form = self._documents(X)
        if form == "tokens":
            return list(self._outputs_of(_dataset(documents)))
        return _spans(documents, self._entities(documents))

    def score(self, X: Iterable[Any], y: Iterable[Any]) -> float:
        """Return the F1 of all entities together; one is right if its borders and its type are (strict, as seqeval).

        Args:
            X: N lists of tokens, or N strings.
            y: What is true of them, as in `fit`.

        Returns:
            The F1; 1 where no entity is there and none is found.
        """
        documents, form = self._documents(X)
        where, labels, odd = read_entities(documents, y, form)
        _warn(odd)
        # Spans are compared, not words: those of the labels may end inside a word, which the model does not know.
        marked = [
            {span[:3] for span in spans} for spans in _spans(where, [entities_of(read_tags(label)) for label in labels])
        ]
        told = [{span[:3] for span in spans} for spans in _spans(documents, self._entities(documents))]
        right = sum(len(true & guessed) for true, guessed in zip(marked, told, strict=True))
        total = sum(map(len, marked)) + sum(map(len, told))
        return 2 * right / total if total else 1.0

    def _documents(self, X: Iterable[Any]) -> tuple[list[Document], Form]:
        check_is_fitted(self, "model_")
        return read_texts(X)

    def _entities(self, documents: Sequence[Document]) -> list[list[Entity]]:
        found: list[list[Entity]] = self.model_.task.decode(self._outputs_of(_dataset(documents)))
        return found

    def __sklearn_tags__(self) -> "Tags":
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _labelled(X: Iterable[Any], y: Iterable[Any]) -> tuple[list[Document], list[str]]:
    documents, form = read_texts(X)
    documents, labels, odd = read_entities(documents, y, form)
    _warn(odd)
    return documents, labels


def _warn(odd: str) -> None:
    if odd:
        warnings.warn(f"{odd[0].upper()}{odd[1:]}.", UserWarning, stacklevel=3)


def _dataset(
    documents: Sequence[Document], labels: tuple[str, ...] | None = None, groups: tuple[str, ...] | None = None
) -> Dataset:
    places = tuple(f"X[{i}]" for i in range(len(documents)))
    return Dataset("text", tuple(documents), places, labels, groups, source="X", kind="tagging")


def _spans(
    documents: Sequence[Document], entities: Sequence[Sequence[Entity]]
) -> list[list[tuple[int, int, str, float]]]:
    return [
        [(*document.span(each.start, each.end), each.type, each.probability) for each in found]
        for document, found in zip(documents, entities, strict=True)
    ]
