"""Recordings that were scored: what is wrong with what was heard in them, and the page that shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np

from headstart.data import Dataset
from headstart.errors import HeadstartError
from headstart.evaluation import Fold, Score, drawn_groups, metric_name, transcript_errors
from headstart.pipeline._options import Say
from headstart.report import HeardRecording, write_transcripts
from headstart.tasks import Edit

TRANSCRIPTS_PAGE: Final = "transcripts.html"
_WORST: Final = 5
_REMOVE: Final = "This page quotes and plays scored data; the model needs it for nothing, and it may be removed."


@final
@dataclass(frozen=True)
class WorstRecording:
    """A recording with many errors.

    Attributes:
        place: Where it came from.
        words: How many the transcript has.
        errors: How many words are substituted, left out or put in.
        marked: The transcript with what was heard: ``she [-had-]{+has+} your [-dark-] suit``.
    """

    place: str
    words: int
    errors: int
    marked: str


@final
@dataclass(frozen=True)
class GroupErrors:
    """The errors of a group of recordings, such as a speaker's."""

    recordings: int
    words: int
    errors: int

    @property
    def wer(self) -> float | None:
        """Errors per word; None without words."""
        return self.errors / self.words if self.words else None


@final
@dataclass(frozen=True)
class SpeechErrors:
    """What is right and wrong with what was heard.

    Attributes:
        counts: How many words are ``same``, ``substituted``, ``left out`` and ``put in``.
        substituted: Said, heard instead, and how often; the most frequent first.
        left_out: Words left out, and how often.
        put_in: Words put in, and how often.
        outside: Characters of the transcripts that training has never seen, and how often.
        outside_recordings: How many transcripts have such characters.
        worst: The recordings with most errors.
        groups: The errors of every group, where they are marked.
        interval_over: What the interval of the score draws: ``groups`` (speakers, from five on) or ``items``.
        drawn: How many of them.
    """

    counts: Mapping[Edit, int]
    substituted: tuple[tuple[str, str, int], ...]
    left_out: tuple[tuple[str, int], ...]
    put_in: tuple[tuple[str, int], ...]
    outside: Mapping[str, int]
    outside_recordings: int
    worst: tuple[WorstRecording, ...]
    groups: Mapping[str, GroupErrors]
    interval_over: Literal["groups", "items"]
    drawn: int

    def to_dict(self, *, texts: bool = True) -> dict[str, Any]:
        """Return it as JSON values, on request without any words of the transcripts: where the model is shipped."""
        words = {
            "substituted": [list(row) for row in self.substituted],
            "left_out": [list(row) for row in self.left_out],
            "put_in": [list(row) for row in self.put_in],
        }
        return {
            "counts": dict(self.counts),
            **(words if texts else {}),
            "outside": dict(self.outside),
            "outside_recordings": self.outside_recordings,
            "worst": [
                {"place": each.place, "words": each.words, "errors": each.errors}
                | ({"marked": each.marked} if texts else {})
                for each in self.worst
            ],
            "groups": {name: {**vars(each), "wer": each.wer} for name, each in self.groups.items()},
            "interval_over": self.interval_over,
            "drawn": self.drawn,
        }


def heard_recordings(dataset: Dataset, folds: Sequence[Fold]) -> list[HeardRecording]:
    """Put what is said and what was heard beside each other; of a recording scored several times the first.

    Args:
        dataset: The recordings.
        folds: Predictions; of all recordings in their order where they do not say of which.

    Returns:
        The scored recordings, in the order of the data.
    """
    found: dict[int, HeardRecording] = {}
    for fold in folds:
        items = np.arange(len(dataset)) if fold.items is None else fold.items
        for item, said, heard in zip(items.tolist(), fold.y.tolist(), fold.probabilities, strict=True):
            if item not in found:
                group = None if dataset.groups is None else dataset.groups[item]
                found[item] = HeardRecording(
                    name=dataset.places[item], item=dataset.items[item], said=said, heard=heard, group=group
                )
    return [found[item] for item in sorted(found)]


def speech_errors(recordings: Sequence[HeardRecording], folds: Sequence[Fold]) -> SpeechErrors:
    """Count what is right and wrong with what was heard.

    Args:
        recordings: Scored ones.
        folds: The predictions they are from.

    Returns:
        The counts, the most frequent errors and the worst recordings.
    """
    outputs = np.empty(len(recordings), dtype=object)
    outputs[:] = [each.heard for each in recordings]
    found = transcript_errors(np.array([each.said for each in recordings], dtype=np.str_), outputs)
    order = sorted(range(len(recordings)), key=lambda i: (-found.recordings[i].errors, found.recordings[i].words))
    worst = [
        WorstRecording(recordings[i].name, each.words, each.errors, each.marked)
        for i in order[:_WORST]
        if (each := found.recordings[i]).errors
    ]
    by_group: dict[str, list[tuple[int, int]]] = {}
    for recording, each in zip(recordings, found.recordings, strict=True):
        if recording.group is not None:
            by_group.setdefault(recording.group, []).append((each.words, each.errors))
    groups = {
        name: GroupErrors(len(rows), sum(words for words, _ in rows), sum(errors for _, errors in rows))
        for name, rows in sorted(by_group.items())
    }
    over_groups = bool(groups)
    if len(folds) == 1:  # of few speakers their recordings are drawn; folds hold whole groups
        over_groups = drawn_groups(folds[0].y, folds[0].groups) is not None
    return SpeechErrors(
        counts=dict(found.counts),
        substituted=found.substituted,
        left_out=found.left_out,
        put_in=found.put_in,
        outside=dict(found.outside),
        outside_recordings=found.outside_recordings,
        worst=tuple(worst),
        groups=groups,
        interval_over="groups" if over_groups else "items",
        drawn=len(groups) if over_groups else len(recordings),
    )


def write_transcripts_page(
    recordings: Sequence[HeardRecording], folder: Path, *, title: str, score: Score, say: Say
) -> None:
    """Write the page of recordings into a model folder; the model is worth having without it."""
    name, low, high = metric_name(score.metric), score.interval.low, score.interval.high
    said = f"{name[0].upper()}{name[1:]} {score.value:.3f} [{low:.3f}, {high:.3f}] on {score.n:,} recordings"
    try:
        write_transcripts(
            recordings, folder / TRANSCRIPTS_PAGE, title=title, facts=[f"{said} that were not trained on.", _REMOVE]
        )
    except HeadstartError as error:
        say(f"No page of the recordings: {error}")
