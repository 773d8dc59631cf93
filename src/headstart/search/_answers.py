"""What the training part says of the model to ship: held-out outputs, and the features it was fitted on."""

from typing import Final

import numpy as np

from headstart.search._problem import Answers
from headstart.search._race import held_out_of
from headstart.search._scoring import Scored, features
from headstart.search._source import Reached, contender_of, known_folds
from headstart.strategies import Temperature

MOST_FEATURES: Final = 1000  # examples whose features are looked at


def answers_of(reached: Reached, scored: Scored) -> Answers:
    """Collect them; where a network was trained, from the folds it was trained on anyway.

    Args:
        reached: Where the climb led to.
        scored: What was predicted to be scored.

    Returns:
        The training part as the model sees it.
    """
    problem, best = reached.problem, reached.climbed.best
    nothing = np.empty(0, dtype=np.intp)
    own = problem.own(problem.plan.train)
    drawn = np.sort(np.random.default_rng(problem.run.seed).permutation(own)[:MOST_FEATURES])
    looked_at = drawn if best.fitted.model.backbone.one_row else nothing
    seen = np.empty((0, 0), dtype=np.float32)
    if len(looked_at):
        seen = features(best, problem.dataset.take(looked_at), problem.run)
    test = scored.features if len(looked_at) else None
    contender = contender_of(reached) if problem.task.kind == "classification" else None
    looks = 0 if contender is None else known_folds(reached, contender)
    if contender is None or not looks:
        return Answers(nothing, np.empty((0, problem.task.n_outputs)), looked_at, seen, test)
    temperature = Temperature(float(best.fitted.chosen.get("temperature", 1.0)))
    items = problem.plan.train[held_out_of(contender.folds, looks)]
    return Answers(items, temperature.calibrate(contender.first(looks)), looked_at, seen, test)
