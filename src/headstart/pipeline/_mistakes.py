"""What is wrong with scored items whose predictions are texts or parts of them, and the page that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from headstart.data import Dataset
from headstart.evaluation import Fold, Score
from headstart.pipeline._entities import EntityErrors, entity_errors, tagged_texts, write_page
from headstart.pipeline._options import Say
from headstart.pipeline._transcripts import SpeechErrors, heard_recordings, speech_errors, write_transcripts_page
from headstart.report import HeardRecording, TaggedText
from headstart.tasks import Task


@final
@dataclass(frozen=True)
class Mistakes:
    """What is wrong with items that were scored; nothing for tasks that have one answer per item.

    Attributes:
        texts: The scored texts with their entities.
        recordings: The scored recordings with what was heard.
        entities: What is right and wrong with the entities.
        errors: What is right and wrong with what was heard.
    """

    texts: Sequence[TaggedText] = ()
    recordings: Sequence[HeardRecording] = ()
    entities: EntityErrors | None = None
    errors: SpeechErrors | None = None

    @classmethod
    def of(cls, dataset: Dataset, folds: Sequence[Fold], task: Task) -> "Mistakes":
        """Compare predictions with what is true.

        Args:
            dataset: The items.
            folds: Predictions; of all items in their order where they do not say of which.
            task: What they mean.

        Returns:
            What is wrong.
        """
        if task.kind == "tagging":
            texts = tagged_texts(dataset, folds, task)
            return cls(texts=texts, entities=entity_errors(texts, folds))
        if task.kind == "transcription":
            recordings = heard_recordings(dataset, folds)
            return cls(recordings=recordings, errors=speech_errors(recordings, folds))
        return cls()

    def write_page(self, folder: Path, *, source: str, score: Score, say: Say) -> None:
        """Write the page about them into a model folder, where there is any.

        Args:
            folder: The model folder.
            source: Where the data lies.
            score: What the page says of all items together.
            say: Told why there is none.
        """
        name = Path(source).name
        if self.texts:
            write_page(self.texts, folder, title=f"Entities in {name}", score=score, say=say)
        if self.recordings:
            write_transcripts_page(self.recordings, folder, title=f"Transcripts of {name}", score=score, say=say)
