"""The report of a fit: gather what it needs, keep it beside the model, and write it from there."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from headstart.data import Dataset, Plan, warnings_about
from headstart.errors import HeadstartError
from headstart.pipeline._asked import asked_facts, fit_command
from headstart.pipeline._kept import (
    MOST_FINDINGS,
    data_facts,
    finding_facts,
    made_facts,
    map_facts,
    network_facts,
    plan_parts,
    scored_facts,
)
from headstart.pipeline._mistakes import Mistakes
from headstart.pipeline._options import FitOptions, Reading, Say
from headstart.pipeline._privacy import unnamed
from headstart.pipeline._report import keep_for_report, write_report
from headstart.pipeline._worst import worst_examples
from headstart.search import Outcome

_WORDS = 25  # of each kind of error


@final
@dataclass(frozen=True)
class Request:
    """What was asked, before anything was inferred.

    Attributes:
        source: The labelled data.
        output: The model folder.
        reading: How the data is read.
        options: What to try and how.
    """

    source: str
    output: Path
    reading: Reading
    options: FitOptions

    def command(self, *, named: bool) -> str:
        """Return the command that asks for it again, on request without names of files."""
        return fit_command(self.source, self.output, self.reading, self.options, named=named)


@final
@dataclass(frozen=True)
class Fitted:
    """What a fit found, as far as its report needs it.

    Attributes:
        outcome: The model and its predictions.
        dataset: The examples that were scored or trained.
        pooled: The same with what is lent behind them, as the outcome counts them.
        plan: Which of the examples did what.
        mistakes: What is wrong with texts and transcripts.
        notes: What was inferred, converted or limited.
    """

    outcome: Outcome
    dataset: Dataset
    pooled: Dataset
    plan: Plan
    mistakes: Mistakes
    notes: Sequence[str]


def write_fit_report(folder: Path, fitted: Fitted, request: Request, *, metric: str, private: bool, say: Say) -> None:
    """Keep what the report needs and write it; a model is worth more than its report, so what fails is said.

    Args:
        folder: The model folder, whole but for this.
        fitted: What was found.
        request: What was asked.
        metric: What it was scored by.
        private: Whether no example may be shown or named.
        say: Told why there is no report, or why it lacks something.
    """
    try:
        keep_for_report(folder, _record(fitted, request, metric), None if private else _examples(fitted, request, say))
        write_report(folder)
    except HeadstartError as error:
        say(f"No report: {error}")
    except Exception as error:
        if os.environ.get("HEADSTART_TRACEBACK"):
            raise
        # A fault of ours; the model is there, whole, and must get its name.
        say(f"No report, by a fault of Headstart ({type(error).__name__}: {error}); HEADSTART_TRACEBACK=1 shows where.")


def _record(fitted: Fitted, request: Request, metric: str) -> dict[str, Any]:
    outcome, options = fitted.outcome, request.options
    return {
        "made": made_facts(outcome.model, seed=options.seed),
        "asked": {"command": request.command(named=False), **asked_facts(replace(options, metric=metric))},
        "data": data_facts(fitted.dataset, plan_parts(fitted.plan)) | {"notes": unnamed(fitted.notes)},
        "network": network_facts(outcome.model),
        "scored": scored_facts(outcome.predictions, outcome.model.task, chosen_once=outcome.chosen_once),
        "map": map_facts(outcome, fitted.pooled, seed=options.seed),
    }


def _examples(fitted: Fitted, request: Request, say: Say) -> dict[str, Any]:
    """Gather what shows or names examples; without the worst of them the rest is still worth having."""
    outcome, dataset, mistakes = fitted.outcome, fitted.dataset, fitted.mistakes
    model = outcome.model
    try:
        worst = worst_examples(dataset, outcome.predictions, mistakes, model)
    except HeadstartError as error:
        say(f"No worst errors in the report: {error}")
        worst = {}
    return {
        "source": Path(dataset.source).name,
        "command": request.command(named=True),
        "findings": [finding_facts(each) for each in warnings_about(dataset)[:MOST_FINDINGS]],
        "notes": list(fitted.notes),
        "worst": worst,
        "words": _words(mistakes),
    }


def _words(mistakes: Mistakes) -> Mapping[str, Any]:
    """Return the words that are most often heard wrongly."""
    errors = mistakes.errors
    if errors is None:
        return {}
    return {
        name: [list(row) for row in getattr(errors, name)[:_WORDS]] for name in ("substituted", "left_out", "put_in")
    }
