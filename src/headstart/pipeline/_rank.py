"""Rank: which pretrained networks suit the data, before any of them is adapted."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from headstart import backbones
from headstart.data import Modality, plan_split
from headstart.engine import Engine, LocalEngine
from headstart.errors import BackboneError, OptionError
from headstart.features import FeatureSource, Progress, silent
from headstart.pipeline._candidates import Named, load_one, nothing_here, on_device, told_apart
from headstart.pipeline._options import Reading, Say, notes_on_left_out, say_nothing, say_once
from headstart.pipeline._pictures import check_picture, drawn
from headstart.pipeline._values import plain
from headstart.report import plot_ranking
from headstart.tasks import task_from_labels
from headstart.transferability import Limits, Ranked, Ranking
from headstart.transferability import rank as rank_candidates


@dataclass(frozen=True)
class RankOptions:
    """What `rank` may be told besides the data.

    Attributes:
        backbones: Addresses of the candidates, or loaded ones; by default all of the catalogue that are on this
            machine.
        download: Without named ones, also those of the catalogue that have to be fetched first.
        max_size: Most that the weights may take, in 2^20 bytes.
        max_latency: Most milliseconds that one item may take on this machine.
        licences: Licences of the weights that will do, such as ``apache-2.0``; all where none is named.
        seed: Every random choice comes from it.
        offline: Open no connection.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        resplit: Split anew by group where groups straddle the given split.
        allow_straddling: Keep a given split that groups straddle.
    """

    backbones: Named = ()
    download: bool = False
    max_size: float | None = None
    max_latency: float | None = None
    licences: tuple[str, ...] = ()
    seed: int = 0
    offline: bool = False
    device: str = "auto"
    resplit: bool = False
    allow_straddling: bool = False


@dataclass(frozen=True)
class RankResult:
    """Candidates in order, and what a user should know.

    Attributes:
        ranking: The candidates, best first, and whether there is anything to choose by.
        task: Modality and kind.
        source: The data.
        seconds: From the start.
        picture: Where score against cost is drawn, or None.
        elsewhere: Candidates of the catalogue that would have to be downloaded first.
        notes: What was inferred, left out or found.
    """

    ranking: Ranking
    task: str
    source: str
    seconds: float
    picture: Path | None = None
    elsewhere: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def shortlist(self) -> tuple[str, ...]:
        """The best three, for `fit`."""
        return self.ranking.shortlist()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON values, as ``headstart rank --json`` prints it."""
        signal, prior = self.ranking.signal, self.ranking.prior
        return {
            "task": self.task,
            "n": self.ranking.n,
            "candidates": [candidate_to_dict(each) for each in self.ranking.candidates],
            "signal": None if signal is None else signal.detected,
            "signal_p_value": None if signal is None else signal.p_value,
            "prior": None if prior is None else {"what": prior.what, "weight": prior.weight},
            "shortlist": list(self.shortlist),
            "interrupted": self.ranking.interrupted,
            "elsewhere": list(self.elsewhere),
            "seconds": self.seconds,
            "picture": None if self.picture is None else str(self.picture),
            "notes": list(self.notes),
        }


def candidate_to_dict(each: Ranked) -> dict[str, Any]:
    """Return one candidate as JSON values; its costs stand beside its score."""
    values = asdict(each) | {"scores": dict(each.scores)}
    costs: Mapping[str, Any] = values.pop("costs") or dict.fromkeys(
        ("seconds", "milliseconds", "megabytes", "memory_megabytes")
    )
    found: dict[str, Any] = plain({**values, **costs})
    return found


def rank(
    source: str | Path,
    output: str | Path | None = None,
    *,
    reading: Reading | None = None,
    options: RankOptions | None = None,
    overwrite: Literal["never", "file"] = "never",
    engine: Engine | None = None,
    progress: Progress = silent,
    say: Say = say_nothing,
    started: float | None = None,
) -> RankResult:
    """Rank pretrained networks on labelled data; the part that a fit would score is not looked at.

    Args:
        source: The labelled data.
        output: The picture to make, ending in ``.png`` or ``.svg``; none where None.
        reading: How the data is read.
        options: Which candidates, and what they may cost.
        overwrite: ``file`` replaces an existing picture.
        engine: Where frozen passes run; in this process where None.
        progress: Told about long work.
        say: Told what was inferred, left out or found, one sentence at a time.
        started: `time.monotonic` at the start of the process.

    Returns:
        The candidates in order.
    """
    started = time.monotonic() if started is None else started
    reading, options = reading or Reading(), options or RankOptions()
    picture = None if output is None else check_picture(Path(output), overwrite)
    _check(options)
    tell, notes = say_once(say)
    dataset = reading.load(source)
    plan = plan_split(dataset, seed=options.seed, resplit=options.resplit, allow_straddling=options.allow_straddling)
    for note in (*dataset.notes, *plan.notes, *notes_on_left_out(dataset)):
        tell(note)
    names, elsewhere = _names(dataset.modality, options)
    train = dataset.take(plan.train)
    ranking = rank_candidates(
        train,
        on_device(names, options.device),
        task=task_from_labels(dataset.kind, train.labels or ()),
        features=FeatureSource(engine=engine or LocalEngine(), progress=progress),
        load=partial(load_one, modality=dataset.modality, offline=options.offline, device=options.device),
        limits=Limits(options.max_size, options.max_latency, options.licences),
        seed=options.seed,
        progress=progress,
    )
    for note in ranking.notes:
        tell(note)
    if not ranking.shortlist():
        picture = None  # there is nothing to draw
    elif picture is not None:
        picture = drawn(lambda path: plot_ranking(ranking, path, title=Path(source).name), picture, say=tell)
    return RankResult(ranking, dataset.task, str(source), time.monotonic() - started, picture, elsewhere, tuple(notes))


def _check(options: RankOptions) -> None:
    """Refuse what can be refused before anything is read."""
    for name in options.backbones:
        if isinstance(name, str):
            backbones.parse_name(name)
    for option, value in (("--max-size", options.max_size), ("--max-latency", options.max_latency)):
        if value is not None and value <= 0:
            raise OptionError(f"expected a number above zero, found {value:g}", where=option)
    if options.download and options.offline:
        raise OptionError("--download needs a connection, and --offline opens none", fix="Leave one of them out.")


def _names(modality: Modality, options: RankOptions) -> tuple[Named, tuple[str, ...]]:
    """Return the candidates, and those of the catalogue that are not on this machine."""
    if options.backbones:
        return told_apart(options.backbones), ()
    known = [each.name for each in backbones.catalogue() if each.modality == modality]
    here = tuple(_here(known))
    elsewhere = tuple(name for name in known if name not in here)
    if options.download:
        return tuple(known), ()
    if not here:
        also = "" if options.offline else "Or add --download: those of the catalogue are fetched."
        raise nothing_here(modality, also=also)
    return here, elsewhere


def _here(names: list[str]) -> Iterator[str]:
    for name in names:
        try:
            backbones.locate(name, offline=True)
        except (BackboneError, ImportError):
            continue
        yield name
