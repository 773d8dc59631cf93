"""How far answers can be trusted: what is kept beside a model, and what is promised with each answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.confidence import Confidence, HeldOut, fit_novelty
from headstart.data import Dataset, united_groups
from headstart.errors import OptionError
from headstart.evaluation import DELTA, Abstention, fewest_examples
from headstart.runtime import Promises
from headstart.search import Outcome
from headstart.tasks import Task

NOT_KEPT: Final = "the model folder does not say how sure it may be"
FIT_AGAIN: Final = "Fit it again with this version."


@final
@dataclass(frozen=True)
class Wanted:
    """What answers are to promise.

    Attributes:
        coverage: The share of sets of classes that hold the right one.
        per_class: Whether that is wanted of every class by itself.
        max_error: The share of wrong answers at most, with abstention otherwise; None abstains never.
        specificity: Of two classes, the share of the negative to be let pass; None takes the more probable class.
        positive: Which of two classes is looked for; the last by name where None.
    """

    coverage: float = 0.9
    per_class: bool = False
    max_error: float | None = None
    specificity: float | None = None
    positive: str | None = None


NOTHING_ASKED: Final = Wanted()


def confidence_of(outcome: Outcome, dataset: Dataset, task: Task, *, seed: int) -> Confidence:
    """Keep what the training part says of a model's answers.

    Args:
        outcome: What the search found.
        dataset: The examples its positions are of.
        task: What their labels mean.
        seed: For the parts that are left out when distances are measured.

    Returns:
        What goes into the model folder; nothing after an interrupt.
    """
    known = outcome.answers
    if known is None:
        return Confidence()
    units, held = np.asarray(united_groups(dataset)), None
    if len(known.items):
        y = np.asarray(task.encode([(dataset.labels or ())[i] for i in known.items]))
        held = HeldOut.of(y, known.outputs, units[known.items])
    novelty = fit_novelty(known.features, units[known.looked_at], seed=seed) if len(known.looked_at) else None
    return Confidence(held, novelty)


def why_no_promise(held: HeldOut, error: float) -> str:
    """Say why no threshold keeps an error rate."""
    fewest = fewest_examples(error)
    if held.n_groups < fewest:
        return f"it takes {fewest} labelled examples (or groups) or more, and there are {held.n_groups}"
    return "too many of the surest answers are wrong, among those held out in training"


def positive_class(classes: Sequence[str], name: str | None) -> int:
    """Return the number of the class that is looked for, of two.

    Args:
        classes: Their names.
        name: The one asked for; None takes the last.

    Returns:
        Its number.

    Raises:
        OptionError: There is no such class, or there are not two.
    """
    if len(classes) != 2:
        found = f"--positive needs two classes, found {len(classes)}"
        raise OptionError(found, fix="Leave it out, or put the classes together into two.")
    if name is None:
        return 1
    if name not in classes:
        known = " and ".join(map(repr, classes))
        fix = "Write it as the data does."
        raise OptionError(f"--positive: expected one of the classes {known}, found {name!r}", fix=fix)
    return list(classes).index(name)


@final
@dataclass(frozen=True, eq=False)
class Promised:
    """What is said with every answer of a classifier, and of which items are unlike the training data.

    Attributes:
        confidence: What is kept beside the model.
        classes: Their names; empty for tasks other than classification.
        wanted: What is promised.
        thresholds: (C,) of the sets; None where nothing is known.
        abstention: From which confidence on to answer; None where that is not asked for.
        positive: The class that is looked for and from which probability on it is said; None where not asked for.
    """

    confidence: Confidence
    classes: Sequence[str]
    wanted: Wanted
    thresholds: NDArray[np.float64] | None = None
    abstention: Abstention | None = None
    positive: tuple[int, float] | None = None

    @classmethod
    def of(cls, confidence: Confidence, task: Task, wanted: Wanted) -> "Promised":
        """Read off what is kept, once for all answers.

        Args:
            confidence: What is kept beside the model.
            task: What it does.
            wanted: What is promised.

        Returns:
            The promises.

        Raises:
            OptionError: Something is asked for that cannot be promised.
        """
        classes = task.classes if task.kind == "classification" else ()
        asked = wanted.max_error is not None or wanted.specificity is not None or wanted.positive is not None
        held = confidence.held_out if classes else None
        if asked and not classes:
            found = f"--max-error, --specificity and --positive go with classes, and the model does {task.kind}"
            raise OptionError(found, fix="Leave them out.")
        if held is None or not len(held):
            if asked:
                raise OptionError(f"nothing can be promised: {NOT_KEPT}", fix=FIT_AGAIN)
            return cls(confidence, classes, wanted)
        if wanted.max_error is not None and wanted.specificity is not None:
            found = "--max-error abstains by the most probable class, and --specificity may say the other one"
            raise OptionError(found, fix="Ask for one of the two.")
        abstention = None
        if wanted.max_error is not None and (abstention := held.abstention(wanted.max_error)) is None:
            found = (
                f"an error rate of {wanted.max_error:g} cannot be promised: {why_no_promise(held, wanted.max_error)}"
            )
            raise OptionError(found, where="--max-error", fix="Ask for a higher one, or label more examples.")
        if wanted.positive is not None and wanted.specificity is None:
            raise OptionError("--positive goes with --specificity", fix="Add --specificity 0.95.")
        positive = None
        if wanted.specificity is not None:
            column = positive_class(classes, wanted.positive)
            positive = column, held.positive(column).operating_threshold(wanted.specificity)
        thresholds = held.set_thresholds(wanted.coverage, per_class=wanted.per_class)
        return cls(confidence, classes, wanted, thresholds, abstention, positive)

    def notes(self) -> Iterator[str]:
        """Say what the answers promise, a sentence each."""
        held = self.confidence.held_out
        if held is None or self.thresholds is None:
            return
        if self.abstention is not None:
            yield (
                f"Answers are given from a confidence of {self.abstention.threshold:.3f} on: with probability "
                f"{1 - DELTA:g} at most {self.wanted.max_error:g} of them are wrong, on items like the training part; "
                f"{self.abstention.answered:.0%} of those are answered."
            )
        if self.positive is not None:
            yield self._said_of_positive(*self.positive)

    def _said_of_positive(self, column: int, threshold: float) -> str:
        name, other, share = self.classes[column], self.classes[1 - column], self.wanted.specificity
        if threshold > 1:
            return (
                f"{name!r} is never said: so few examples of {other!r} were held out that no threshold promises a "
                f"specificity of {share:g}."
            )
        return (
            f"{name!r} is said from a probability of {threshold:.3f} on: at least {share:.1%} of items that are "
            f"{other!r} are then not taken for it (specificity), on items like the training part."
        )

    def promises_said(self) -> Iterator[str]:
        """Say what the answers promise, that of sets of classes included."""
        if self.thresholds is not None:
            of_whom = "of the items of every class" if self.wanted.per_class else "of items"
            yield (
                f"The set of classes holds the right one for {self.wanted.coverage:.0%} {of_whom} like those that the "
                "model was fitted on."
            )
        yield from self.notes()

    @property
    def promises(self) -> Promises:
        """What is promised, as what answers needs it."""
        below = None if self.abstention is None else self.abstention.threshold
        return Promises(self.classes, self.thresholds, below, self.positive, self.confidence.novelty)

    def rows(self, features: NDArray[Any] | None, outputs: NDArray[Any]) -> list[dict[str, Any]]:
        """Return what is said beside each of some answers.

        Args:
            features: (n, D) of the items, or None.
            outputs: (n, C) what the head makes of them.

        Returns:
            Per item ``set`` (names), ``abstain`` and ``novelty``, each where it is known, and ``label`` where a
            threshold decides it.
        """
        return self.promises.rows(features, outputs)
