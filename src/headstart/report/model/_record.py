"""What a report is written from: the documents of a model folder, and what was kept beside them for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from headstart.report.model._html import part

# What a model does to an item of each kind of data.
ITEM: Final = {"image": "picture", "text": "text", "audio": "recording"}


@dataclass(frozen=True)
class ModelRecord:
    """All that a report is made of, as JSON values; it may lack anything, as folders of older versions do.

    Attributes:
        name: What the model is called.
        version: The headstart that wrote it.
        task: ``task.json``.
        network: ``preprocessing.json``.
        evaluation: ``evaluation.json``.
        data: ``data.json``.
        kept: What was kept for the report; names and shows no example.
        examples: Scored examples to show, and what names them; None where none may be shown.
        pages: Further pages in the folder that belong to it.
    """

    name: str
    version: str
    task: Mapping[str, Any]
    network: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    data: Mapping[str, Any]
    kept: Mapping[str, Any] = field(default_factory=dict)
    examples: Mapping[str, Any] | None = None
    pages: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Such as ``classification``."""
        return str(self.task.get("kind", "classification"))

    @property
    def item(self) -> str:
        """What an item is called."""
        return ITEM.get(str(self.network.get("modality")), "item")

    @property
    def test(self) -> Mapping[str, Any]:
        """The final score; empty where none was measured."""
        return part(self.evaluation, "test")

    @property
    def metric(self) -> str:
        """What the final score is of; empty where none was measured."""
        return str(self.test.get("metric") or "")

    @property
    def adapted(self) -> bool:
        """Whether it was made for a target without labels."""
        return "refused" in self.evaluation

    @property
    def classes(self) -> list[str]:
        """Names of classes, labels or types; none for values and transcripts."""
        for name in ("classes", "labels", "types"):
            if isinstance(self.task.get(name), list):
                return [str(each) for each in self.task[name]]
        return []

    @property
    def shown(self) -> Mapping[str, Any]:
        """What may be shown of examples; empty where nothing may."""
        return self.examples or {}
