"""Compare: how far a target lies from a source, before anything is adapted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.backbones import Backbone
from headstart.domain_adaptation import METHODS
from headstart.engine import Engine, LocalEngine
from headstart.evaluation import DEFAULT_METRICS
from headstart.features import FeatureSource, Progress, silent
from headstart.pipeline._candidates import load_named
from headstart.pipeline._domains import Compared, compare_domains, read_domains, under
from headstart.pipeline._options import Reading, labels_of
from headstart.strategies import Run, reading_for
from headstart.tasks import task_from_labels


@dataclass(frozen=True, eq=False)
class CompareResult:
    """How far apart two domains lie, under which network.

    Attributes:
        backbone: The network.
        compared: The figures.
    """

    backbone: str
    compared: Compared

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart check --target --json`` prints it."""
        return {"backbone": self.backbone, **self.compared.to_dict()}


def compare(
    source: str | Path,
    target: str | Path,
    *,
    reading: Reading | None = None,
    backbone: str | Backbone | None = None,
    seed: int = 0,
    offline: bool = False,
    device: str = "auto",
    engine: Engine | None = None,
    progress: Progress = silent,
) -> CompareResult:
    """Measure how far a target lies from a labelled source, on the features of a network.

    Args:
        source: Labelled data.
        target: Other data of the same kind; its labels are not read.
        reading: How the source is read.
        backbone: An address, or a loaded backbone; by default the first that needs no network.
        seed: Of every random choice.
        offline: Open no connection.
        device: Where the network runs.
        engine: Where frozen passes run; in this process where None.
        progress: Told about frozen passes.

    Returns:
        The gap, the estimated shares of the classes, and what of the target is like nothing in the source.
    """
    domains = read_domains(source, target, reading=reading or Reading())
    loaded = load_named(backbone, domains.source.modality, offline=offline, device=device)
    task = task_from_labels(domains.source.kind, labels_of(domains.source))
    run = Run(
        FeatureSource(engine=engine or LocalEngine(), progress=progress),
        seed=seed,
        progress=progress,
        metric=DEFAULT_METRICS[domains.source.kind],
    )
    found = under(domains, reading_for([loaded], domains.source, task, run=run)[0], task, run=run)
    plain = METHODS["none"]().fit(found.pair, strength=found.strength).probabilities(found.pair.target)
    return CompareResult(loaded.name, compare_domains(domains, found, plain, task))
