"""From many candidates to the few that a fit tries, and what each of these reached."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from headstart.backbones import Backbone
from headstart.data import Dataset, Modality, Plan
from headstart.errors import BackboneError
from headstart.pipeline._candidates import Named, load_all, load_one, on_device
from headstart.pipeline._options import FitOptions, Say
from headstart.pipeline._rank import candidate_to_dict
from headstart.search import Outcome
from headstart.strategies import Run
from headstart.tasks import Task
from headstart.transferability import TOP, rank

Row = Mapping[str, Any]


def ready(names: Named, modality: Modality, options: FitOptions, *, say: Say) -> Named:
    """Load candidates that are few enough to be tried all, so that what is wrong with them is said at once.

    Args:
        names: Addresses, or loaded backbones.
        modality: What the data is.
        options: Device and connection.
        say: Told which are left out.

    Returns:
        Loaded backbones; of more than three candidates, what was given.
    """
    return load_all(names, modality, options, say=say) if len(names) <= TOP else names


def shortlist(
    names: Named, dataset: Dataset, plan: Plan, task: Task, *, options: FitOptions, run: Run
) -> tuple[tuple[Backbone, ...], Sequence[Row]]:
    """Load the candidates; of more than three, rank all on the training part and load the best three.

    Args:
        names: Addresses, or loaded backbones.
        dataset: The data.
        plan: Which of it trains.
        task: What its labels mean.
        options: Seed, device and connection.
        run: Features, and where decisions are kept: an interrupted run goes on with the same three.

    Returns:
        The candidates to try, and the ranking as JSON values; none where there was none.

    Raises:
        BackboneError: No candidate could be looked at.
        KeyboardInterrupt: The ranking was interrupted; there is no model yet that could be kept.
    """
    if len(names) <= TOP:
        return load_all(names, dataset.modality, options, say=run.say), ()
    found = run.decide("ranking", lambda: _rank(names, dataset.take(plan.train), task, options, run))
    rows: Sequence[Row] = found["candidates"]
    left_out = [f"Left out: {row['name']}: {row['error']}" for row in rows if row["error"] is not None]
    for note in (*found["notes"], *left_out):
        run.say(note)
    fine = [row["name"] for row in rows if row["error"] is None]
    given = {each if isinstance(each, str) else each.name: each for each in names}
    chosen = [given[name] for name in fine[:TOP]]
    run.say(f"Shortlist: {', '.join(fine[:TOP])}.")
    if plan.folds:
        run.say("The shortlist was made once, on all examples: the score may be a little too good.")
    return load_all(chosen, dataset.modality, options, say=run.say), rows


def _rank(names: Named, train: Dataset, task: Task, options: FitOptions, run: Run) -> dict[str, Any]:
    """Rank in half of the time; a failure or an interrupt is raised, so that it is not what a resumed run replays."""
    ranking = rank(
        train,
        on_device(names, options.device),
        task=task,
        features=run.features,
        load=partial(load_one, modality=train.modality, offline=options.offline, device=options.device),
        seed=options.seed,
        until=None if run.deadline is None else (time.monotonic() + run.deadline) / 2,
        progress=run.progress,
    )
    if ranking.interrupted:
        raise KeyboardInterrupt
    if not ranking.shortlist():
        first = ranking.candidates[0]
        raise BackboneError(f"no candidate could be looked at; the first: {first.error}", where=first.name)
    return {"candidates": [candidate_to_dict(each) for each in ranking.candidates], "notes": list(ranking.notes)}


def reached(outcome: Outcome, ranking: Sequence[Row]) -> list[dict[str, Any]]:
    """Say what every candidate reached at every rung, the chosen one first.

    Args:
        outcome: What the search found.
        ranking: The rows of all candidates, or none.

    Returns:
        For each candidate its name, whether it was chosen, its rungs with their scores, and its row of the ranking.
    """
    chosen = outcome.model.pretrained
    names = dict.fromkeys([chosen, *(rung.backbone for rung in outcome.rungs), *(row["name"] for row in ranking)])
    rank_of = {row["name"]: row for row in ranking}
    return [
        {
            "name": name,
            "chosen": name == chosen,
            "reached": [
                {
                    "rung": rung.strategy,
                    "value": rung.value,
                    "interval": [rung.interval.low, rung.interval.high],
                    "accepted": rung.accepted,
                }
                for rung in outcome.rungs
                if rung.backbone == name
            ],
            **({"ranking": rank_of[name]} if name in rank_of else {}),
        }
        for name in names
    ]
