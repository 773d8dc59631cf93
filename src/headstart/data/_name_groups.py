"""Who speaks, or whose picture it is, guessed from columns, headers or names: suggested as ``--group``, never taken.

The same voice or patient in training and test makes a score too good. Recordings have names such as
``1089-134686-0000.flac`` or ``go_anna_07.wav``: a part is suggested where all names have the same number of them, the
first with letters, else the first, that recurs, does not say the label itself and has every class in two values at
least. Pictures have names such as ``person12_bacteria_3.jpeg``, ``IM-0115-0001.jpeg`` and ``patient_07_slice3.png``,
often several systems side by side: a beginning of all names is suggested where it recurs for enough pictures, tells
many groups and leaves every class several; the coarsest of these, since too large a group costs little and one that is
torn apart spoils the score. A patient may well have one label alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from headstart.data._findings import Finding
from headstart.data._rows import Row
from headstart.data._table import Table
from headstart.errors import DataError
from headstart.runtime import Modality
from headstart.runtime.pictures import hashed_value, is_dicom_file

_COLUMNS: Final[dict[Modality, tuple[str, ...]]] = {
    "audio": ("speaker", "speaker_id", "speakerid", "client_id", "spk", "spk_id"),
    "image": (
        "patient", "patient_id", "patientid", "patient id", "subject", "subject_id", "subjectid", "case", "case_id",
        "study", "study_id", "studyinstanceuid", "person_id", "donor", "animal_id", "lesion_id", "slide_id",
    ),
    "text": (),
}  # fmt: skip
_SAYS: Final[dict[Modality, tuple[str, str, str]]] = {
    "audio": (
        "may say who speaks",
        "keeps each voice on one side of a split",
        "If so, pass it; else the score is of voices known already.",
    ),
    "image": (
        "may say whose picture it is (patient, object, scene)",
        "keeps the pictures of one on one side of a split",
        "If so, pass it; else the score may be of patients or objects known already.",
    ),
}
PATIENT: Final = "PatientID"
_BETWEEN: Final = re.compile("[_-]")
_FEWEST: Final = 6  # names that could show a system
_LEAST: Final = 3  # recordings of a speaker, on average
_COMPANY: Final = 0.2  # of the pictures share their group with another
_LARGEST: Final = 0.2  # of the pictures, in one group
_GROUPS: Final = 5  # of pictures; fewer are kinds or cameras rather than patients
_OF_A_CLASS: Final = 3  # groups of pictures
_BEGINNINGS: Final = (
    r"^([^_-]+)[_-]",  # p12 of p12_scan_3.png
    r"^(.+?[_-]\d+|.+?)(?:[_-]\d+)+\.[^.]+$",  # IM-0531 of IM-0531-0001-0002.png, person12_flu of person12_flu_3.png
    r"^([^_-]+[_-][^_-]+)[_-]",  # patient_07 of patient_07_slice3_left.png
    r"^(.+)[_-][^_-]+$",  # all but the last part
)


def group_column(table: Table, label: str, modality: Modality) -> Finding | None:
    """Suggest a column of a table whose name speaks of speakers or patients.

    Args:
        table: A table without a column of groups.
        label: The column of the labels, which is none of groups.
        modality: What the items are.

    Returns:
        The suggestion, or None.
    """
    known = _COLUMNS[modality]
    named = next((name for name in table.columns if name.lower() in known and name != label), None)
    if named is None:
        return None
    return _suggested(table.path.name, f"column {named!r}", f'"{named}"' if " " in named else named, modality)


def guessed_groups(rows: Sequence[Row], modality: Modality) -> Finding | None:
    """Suggest what recurs as a speaker or patient would: a header's patient, else a part of the file names.

    Args:
        rows: Recordings or pictures without groups.
        modality: Which of them.

    Returns:
        The suggestion, or None.
    """
    named = [row for row in rows if isinstance(row.item, Path)]
    if len(named) < max(_FEWEST, len(rows)):
        return None
    return _in_recordings(named) if modality == "audio" else _in_headers(named) or _in_pictures(named)


def _in_headers(rows: Sequence[Row]) -> Finding | None:
    """Suggest the patient of DICOM headers, where some patient has several pictures; values are compared as hashes."""
    if not all(is_dicom_file(row.item) for row in rows):
        return None
    try:
        patients = [hashed_value(row.item, PATIENT) for row in rows]
    except DataError:  # what is wrong with a file is told where its pixels are read
        return None
    known = {patient for patient in patients if patient}
    if None in patients or not 1 < len(known) < len(rows):
        return None
    said = f"{PATIENT} of the DICOM headers ({len(known):,} patients of {len(rows):,} pictures)"
    return _suggested(rows[0].place, said, f"dicom:{PATIENT}", "image")


def _in_recordings(rows: Sequence[Row]) -> Finding | None:
    names = [_BETWEEN.split(row.item.stem) for row in rows if "." not in row.item.stem]
    if len(names) < len(rows) or len({len(parts) for parts in names}) > 1:
        return None
    labels = [row.label for row in rows]
    ranked = sorted(_recurring(names, labels), key=lambda place: not any(map(str.isalpha, names[0][place])))
    if not ranked:
        return None
    place = ranked[0]
    said = f"part {place + 1} of the file names ({names[0][place]!r} of {rows[0].item.name!r})"
    skipped = f"(?:[^_-]+[_-]){{{place}}}" if place else ""
    return _suggested(rows[0].place, said, f'"filename:^{skipped}([^_.-]+)"', "audio")


def _in_pictures(rows: Sequence[Row]) -> Finding | None:
    """Suggest the shortest beginning of the names that could be of a patient."""
    labels = [row.label for row in rows]
    for pattern in _BEGINNINGS:
        matches = [re.search(pattern, row.item.name) for row in rows]
        begins = [match.group(1) for match in matches if match]
        if len(begins) == len(rows) and _may_be_of_patients(begins, labels):
            where = next(i for i, count in enumerate(map(Counter(begins).get, begins)) if (count or 0) > 1)
            said = f"what the file names begin with ({begins[where]!r} of {rows[where].item.name!r})"
            return _suggested(rows[where].place, said, f'"filename:{pattern}"', "image")
    return None


def _may_be_of_patients(values: Sequence[str], labels: Sequence[str | None]) -> bool:
    counts = Counter(values)
    company = sum(count for count in counts.values() if count > 1) / len(values)
    if len(counts) < _GROUPS or company < _COMPANY or max(counts.values()) > _LARGEST * len(values):
        return False
    if len(set(labels)) > len(labels) / _LEAST:  # numbers to predict are no classes
        return True
    return min(Counter(label for label, _ in set(zip(labels, values, strict=True))).values()) >= _OF_A_CLASS


def _recurring(names: Sequence[Sequence[str]], labels: Sequence[str | None]) -> Iterator[int]:
    for place, values in enumerate(zip(*names, strict=True)):
        different = len(set(values))
        says_label = len(set(zip(values, labels, strict=True))) == different and len(set(labels)) > 1
        counter = place > 0 and all(map(str.isdecimal, values))
        usable = not says_label and not counter and not _holds_a_class(values, labels)
        if 2 <= different <= len(values) / _LEAST and usable and min(map(len, values)):
            yield place


def _holds_a_class(values: Sequence[str], labels: Sequence[str | None]) -> bool:
    """Whether all of a class has one value, so that no split by it is possible; transcripts are no classes."""
    if len(set(labels)) > len(labels) / _LEAST:
        return False
    return min(Counter(label for label, _ in set(zip(labels, values, strict=True))).values()) < 2


def _suggested(where: str, what: str, group: str, modality: Modality) -> Finding:
    says, keeps, fix = _SAYS[modality]
    return Finding("possible-groups", "info", where, f"{what} {says}: --group {group} {keeps}", fix)
