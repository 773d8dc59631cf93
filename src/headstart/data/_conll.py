"""CoNLL columns: a token a line, its tag last, a blank line between sentences, ``-DOCSTART-`` between documents.

Columns are separated by tabs or spaces, so a token holds neither. A line ``# ...`` before the first token of a sentence
is a comment, unless it has as many columns as the others and a tag. A line that cannot be read spoils its sentence.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from headstart.data._findings import Finding
from headstart.data._lines import read_lines
from headstart.data._rows import Found, Names, Row
from headstart.data._schemes import TAG, Scheme, marks_of, recognise, to_iob2
from headstart.data.dataset import Part
from headstart.errors import DataError, OptionError
from headstart.runtime import Document
from headstart.tasks import OUTSIDE, write_tags

CONLL_SUFFIXES: Final = frozenset({".conll", ".iob", ".iob2", ".bio", ".bioes"})
_ON_REQUEST: Final = frozenset({".txt", ".tsv"})
_DOCUMENT: Final = "-DOCSTART-"
_CELL: Final = re.compile(r"[^ \t\r\n]+")  # other kinds of white space are part of a token
_WRITE: Final = "Write a token and its tag, separated by a tab or a space; inside a token put other characters."


@dataclass(slots=True)
class _Sentence:
    """The lines between two blank ones.

    ``document`` is how many documents were marked before it; ``faults`` is what spoils the sentence.
    """

    document: int
    lines: list[int] = field(default_factory=list)
    cells: list[Sequence[str]] = field(default_factory=list)
    faults: list[DataError] = field(default_factory=list)

    @property
    def tags(self) -> list[str]:
        return [cells[-1] for cells in self.cells]


def is_conll(path: Path, names: Names) -> bool:
    """Say whether a file is read as CoNLL columns: by its name, or because tagging was asked for."""
    suffix = path.suffix.lower()
    return suffix in CONLL_SUFFIXES or (names.labelled and names.kind == "tagging" and suffix in _ON_REQUEST)


def from_conll(path: Path, names: Names, *, part: Part | None = None) -> Found:
    """Read a file of CoNLL columns.

    Args:
        path: The file.
        names: Whether tags are needed; without them one column is enough.
        part: What the file's name says about all its sentences.

    Returns:
        One entry per sentence, bad ones included, in their order; documents are groups where they are marked.

    Raises:
        DataError: The file cannot be read or holds no sentence.
        OptionError: A group column is asked for.
    """
    if names.group:
        fix = f"Leave it out: documents are groups where {_DOCUMENT} lines mark them."
        raise OptionError(f"--group {names.group}: CoNLL columns have no column of groups", fix=fix)
    notes: list[str] = []
    sentences = list(_sentences(path, names, notes))
    if not sentences:
        raise DataError("expected sentences, found none", where=path.name, fix="Fill the file or remove it.")
    documents = _count_documents(sentences)
    if documents:
        notes.append(f"Documents marked in {path.name}, each a group: {documents}.")
    scheme = recognise(sentence.tags for sentence in sentences if not sentence.faults) if names.labelled else None
    broken: list[tuple[str, str]] = []
    entries = tuple(_entry(sentence, path, part, scheme, broken) for sentence in sentences)
    findings: tuple[Finding, ...] = ()
    if scheme:
        notes.insert(0, _note_on_tags(sentences, path, scheme))
        findings = tuple(_impossible(broken, path, scheme))
    notes += [finding.note() for finding in findings]
    return Found("text", entries, "CoNLL tags", tuple(notes), kind="tagging", findings=findings, counted=documents > 0)


def _count_documents(sentences: Sequence[_Sentence]) -> int:
    """Number the documents that have sentences from 1; a mark that separates nothing is none."""
    numbers = {document: n for n, document in enumerate(dict.fromkeys(one.document for one in sentences), start=1)}
    for sentence in sentences:
        sentence.document = numbers[sentence.document] if len(numbers) > 1 else 0
    return len(numbers) if len(numbers) > 1 else 0


def _note_on_tags(sentences: Sequence[_Sentence], path: Path, scheme: Scheme) -> str:
    if not any(tag != OUTSIDE for sentence in sentences if not sentence.faults for tag in sentence.tags):
        return f"Tags in {path.name}: no entity."
    said = {"IO": "IO, or IOB1 (no 'B-')", "IOB2": "IOB2"}.get(scheme, scheme)
    return f"Tags in {path.name}: {said}{'' if scheme == 'IOB2' else ', read as IOB2'}."


def _impossible(broken: Sequence[tuple[str, str]], path: Path, scheme: Scheme) -> Iterator[Finding]:
    if broken:
        where, first = broken[0]
        found = f"impossible tag sequences in {path.name} ({scheme}), mended: {len(broken)} (first: {first})"
        fix = "Look at them: a tag that continues nothing begins an entity, one that is not ended ends there."
        yield Finding("impossible-tags", "warning", where, found, fix)


def _entry(
    sentence: _Sentence, path: Path, part: Part | None, scheme: Scheme | None, broken: list[tuple[str, str]]
) -> Row | DataError:
    """Return a sentence or its fault; ``scheme`` is None where no tags are needed."""
    if not sentence.faults and scheme:
        sentence.faults += _not_of_scheme(sentence, path, scheme)
    if sentence.faults:
        first, more = sentence.faults[0], len(sentence.faults) - 1
        others = f"{more} more bad line{'s' * (more > 1)} in this sentence"
        problem = f"{first.problem} (and {others})" if more else first.problem
        return DataError(problem, where=first.where, fix=first.fix)
    label = None
    if scheme:
        tags, found = to_iob2(sentence.tags, scheme)
        broken += [(f"{path.name}:{sentence.lines[place]}", what) for place, what in found]
        label = write_tags(tags)
    group = f"{path.name} document {sentence.document}" if sentence.document else None
    item = Document.of_words([cells[0] for cells in sentence.cells])
    return Row(item, f"{path.name}:{sentence.lines[0]}", label, group, part)


def _not_of_scheme(sentence: _Sentence, path: Path, scheme: Scheme) -> Iterator[DataError]:
    allowed = OUTSIDE + marks_of(scheme)
    for line, tag in zip(sentence.lines, sentence.tags, strict=True):
        if tag[0] not in allowed:
            marks = ", ".join(f"{mark}-" for mark in marks_of(scheme))
            found = f"expected O or a tag with {marks} ({scheme}, as in the rest of the file), found {tag!r}"
            yield DataError(found, where=f"{path.name}:{line}", fix="Correct the tag.")


def _sentences(path: Path, names: Names, notes: list[str]) -> Iterator[_Sentence]:
    """Cut a file into sentences, with what is wrong with them."""
    lines = _lines(path, notes)
    width = _width([cells for _, cells in lines if not isinstance(cells, DataError)])
    sound = _sound(lines, width, names)
    documents = comments = 0
    sentence = _Sentence(documents)
    for n, cells in lines:
        if isinstance(cells, DataError):
            sentence.lines.append(n)
            sentence.faults.append(cells)
        elif not cells or cells[0] == _DOCUMENT:
            if sentence.lines:
                yield sentence
            documents += bool(cells)
            sentence = _Sentence(documents)
        elif not sentence.lines and _is_comment(cells, width):
            comments += 1
        else:
            sentence.lines.append(n)
            sentence.cells.append(cells)
            if len(cells) != width or cells[-1] not in sound:
                sentence.faults += _faults(cells, width, f"{path.name}:{n}", names)
    if sentence.lines:
        yield sentence
    if comments:
        notes.append(f"Comment lines in {path.name}, passed over: {comments}.")


def _lines(path: Path, notes: list[str]) -> list[tuple[int, Sequence[str] | DataError]]:
    """Cut lines into cells; a line of white space has none."""
    lines: list[tuple[int, Sequence[str] | DataError]] = []
    separators = set()
    for n, row in read_lines(path):
        if isinstance(row, DataError):
            lines.append((n, row))
            continue
        text = row[0]
        cells = _CELL.findall(text) if text.strip() else ()
        if len(cells) > 1:
            separators.add("\t" in text)
        lines.append((n, cells))
    if len(separators) > 1:
        notes.append(f"Columns in {path.name} are separated by tabs in some lines and by spaces in others.")
    return lines


def _width(lines: Sequence[Sequence[str]]) -> int:
    """Return how many columns most lines have."""
    plain = Counter(len(cells) for cells in lines if cells and cells[0] not in ("#", _DOCUMENT))
    return (plain or Counter(len(cells) for cells in lines if cells)).most_common(1)[0][0] if any(lines) else 0


def _sound(lines: Sequence[tuple[int, Sequence[str] | DataError]], width: int, names: Names) -> frozenset[str]:
    """Return what may stand in the last column, so that each of many lines need not be looked at closely."""
    last = {cells[-1] for _, cells in lines if not isinstance(cells, DataError) and len(cells) == width}
    return frozenset(cell for cell in last if not names.labelled or (width > 1 and TAG.fullmatch(cell)))


def _is_comment(cells: Sequence[str], width: int) -> bool:
    return cells[0] == "#" and len(cells) > 1 and (len(cells) != width or not TAG.fullmatch(cells[-1]))


def _faults(cells: Sequence[str], width: int, where: str, names: Names) -> Iterator[DataError]:
    """Find what is wrong with the line of a token."""
    if names.labelled and len(cells) == 1:
        yield DataError(f"expected a token and a tag, found only {cells[0]!r}", where=where, fix=_WRITE)
    elif len(cells) != width:
        found = f"{len(cells)}: {' '.join(cells)[:60]!r}"
        yield DataError(f"expected {width} columns as in most lines, found {found}", where=where, fix=_WRITE)
    elif names.labelled and not TAG.fullmatch(cells[-1]):
        fix = "Tags of IOB1, IOB2, IO, BIOES and BILOU are read; the tag is the last column."
        found = f"expected O or a tag like B-TYPE, found {cells[-1]!r}"
        yield DataError(found, where=where, fix=fix)
