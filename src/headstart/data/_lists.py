"""Texts and their entities as programs hold them: lists of tokens with tags, or strings with spans."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headstart.data._rows import Row
from headstart.data._schemes import TAG, Scheme, marks_of, recognise, to_iob2
from headstart.data._spans import Odd, about_spans, with_spans
from headstart.errors import DataError
from headstart.runtime import Document
from headstart.tasks import OUTSIDE, write_tags

Form = Literal["tokens", "texts"]
_LISTS = (list, tuple, np.ndarray)


def read_texts(X: Iterable[Any]) -> tuple[list[Document], Form]:
    """Read texts, or lists of tokens, as documents.

    Args:
        X: N strings, or N lists of words.

    Returns:
        N documents, and which of the two they are.

    Raises:
        DataError: It is no such list, or empty.
    """
    if isinstance(X, str | Path):
        problem = f"expected a list of texts or of lists of tokens, found the single item {str(X)[:40]!r}"
        raise DataError(problem, where="X", fix="Wrap it: [item].")
    items = list(X)
    if not items:
        raise DataError("expected at least one item, found none", where="X")
    form: Form = "texts" if isinstance(items[0], str) else "tokens"
    return [_document(item, form, f"X[{i}]") for i, item in enumerate(items)], form


def read_entities(documents: Sequence[Document], y: Iterable[Any], form: Form) -> tuple[list[Document], list[str], str]:
    """Read the entities of documents: tags of tokens, or spans of texts.

    Args:
        documents: N documents.
        y: Of tokens, N lists of tags, in any scheme that `recognise` knows; of texts, N lists of (start, end, type) in
            characters, the end exclusive.
        form: Which of the two.

    Returns:
        The documents, whose words end where entities do; their labels; and what looks wrong, in words.

    Raises:
        DataError: A tag or span is none, spans overlap, or numbers differ.
    """
    given = [y] if isinstance(y, str) else list(y)
    if len(given) != len(documents):
        raise DataError(f"expected {len(documents)} values, one per item, found {len(given)}", where="y")
    for i, each in enumerate(given):
        if not isinstance(each, _LISTS):
            what = "tags" if form == "tokens" else "spans (start, end, type)"
            raise DataError(f"expected a list of {what}, found {str(each)[:40]!r}", where=f"y[{i}]")
    return _from_tags(documents, given) if form == "tokens" else _from_spans(documents, given)


def _document(item: Any, form: Form, where: str) -> Document:
    if isinstance(item, str) and form == "texts":
        return Document.of_text(item)
    if not isinstance(item, _LISTS) or form == "texts":
        expected = "a string, as X[0] is one" if form == "texts" else "a list of tokens"
        raise DataError(f"expected {expected}, found {type(item).__name__}", where=where)
    for j, token in enumerate(item):
        if not isinstance(token, str) or not token.strip():
            raise DataError(f"expected a word, found {token!r}", where=f"{where}[{j}]", fix="Leave out empty tokens.")
    return Document.of_words([str(token) for token in item])


def _from_tags(documents: Sequence[Document], y: Sequence[Sequence[Any]]) -> tuple[list[Document], list[str], str]:
    for i, (document, tags) in enumerate(zip(documents, y, strict=True)):
        _check_tags(tags, len(document.words), f"y[{i}]")
    scheme = recognise(y)
    labels, broken = [], []
    for i, tags in enumerate(y):
        _check_scheme(tags, scheme, f"y[{i}]")
        converted, found = to_iob2(tags, scheme)
        labels.append(write_tags(converted))
        broken += [f"y[{i}][{each.place}]: {each.found}" for each in found]
    odd = f"impossible tag sequences ({scheme}), mended: {len(broken)} (first: {broken[0]})" if broken else ""
    return list(documents), labels, odd


def _check_tags(tags: Sequence[Any], n_words: int, where: str) -> None:
    for j, tag in enumerate(tags):
        if not isinstance(tag, str) or TAG.fullmatch(tag) is None:
            problem = f"expected O or a tag such as B-PER, found {str(tag)[:40]!r}"
            raise DataError(problem, where=f"{where}[{j}]", fix="Spans (start, end, type) go with texts, not tokens.")
    if len(tags) != n_words:
        raise DataError(f"expected {n_words} tags, one per token, found {len(tags)}", where=where)


def _check_scheme(tags: Sequence[str], scheme: Scheme, where: str) -> None:
    marks = marks_of(scheme)
    for j, tag in enumerate(tags):
        if tag != OUTSIDE and tag[0] not in marks:
            named = ", ".join(f"{mark}-" for mark in marks)
            problem = f"expected O or a tag with {named} ({scheme}, as the others), found {str(tag)!r}"
            raise DataError(problem, where=f"{where}[{j}]", fix="Correct the tag.")


def _from_spans(documents: Sequence[Document], y: Sequence[Sequence[Any]]) -> tuple[list[Document], list[str], str]:
    odd: list[Odd] = []
    found, labels = [], []
    for i, (document, spans) in enumerate(zip(documents, y, strict=True)):
        row = with_spans(Row(document.text, f"y[{i}]"), list(_plain(spans)), odd)
        if isinstance(row, DataError):
            raise row
        found.append(row.item)
        labels.append(row.label or "")
    return found, labels, "; ".join(each.found for each in about_spans(odd, "y"))


def _plain(spans: Iterable[Any]) -> Iterator[Any]:
    """Yield tuples and numpy's numbers as JSON has them."""
    for span in spans:
        if isinstance(span, _LISTS):
            yield [int(part) if isinstance(part, np.integer) else part for part in span]
        else:
            yield span
