"""How far answers can be trusted, in words and on a page."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from headstart.errors import HeadstartError
from headstart.evaluation import Interval
from headstart.pipeline._options import Say
from headstart.pipeline._trust import Trust
from headstart.report import PrecisionRecall, Reliability, write_confidence

PAGE: Final = "confidence.html"


def trust_lines(found: Trust | None) -> list[tuple[str, str]]:
    """Say what answers are worth.

    Args:
        found: What was measured; None where there is nothing to say.

    Returns:
        Names and texts of the lines of a screen or page.
    """
    return [] if found is None else list(_lines(found))


def _lines(found: Trust) -> Iterator[tuple[str, str]]:
    error, (by_chance, _) = found.calibration, found.calibration.chance
    before = "" if found.uncalibrated is None else f"; before the temperature {found.uncalibrated.error:.3f}"
    yield (
        "Calibration",
        f"confidence is off by {_share(error.error, error.interval)} on average "
        f"(perfect probabilities show {by_chance:.3f} on so many items){before}",
    )
    if found.sets is not None:
        sets, (low, high) = found.sets, found.sets.band
        yield (
            f"Sets {sets.wanted:.0%}",
            f"{_share(sets.coverage.value, sets.coverage.interval)} hold the right class (promised {low:.3f} to "
            f"{high:.3f}); {sets.size:.2f} classes on average, one in {sets.single:.0%}",
        )
    if found.abstaining is not None:
        given = found.abstaining
        if given.wrong is None:
            why = given.why or "no answer is sure enough"
            yield "Abstaining", f"an error rate of {given.wanted:.0%} cannot be promised: {why}"
        else:
            wrong = _share(given.wrong.value, given.wrong.interval)
            yield (
                "Abstaining",
                f"{given.answered:.0%} answered, {wrong} of the answers wrong (promised {given.wanted:.0%} at most)",
            )
    if found.operating is not None:
        yield from _operating(found)
    if found.broken:
        yield "", "fewer are right than was promised for items like the training part: these are unlike it"
    if found.novel is not None:
        yield "Unusual", f"{found.novel:.1%} of the items are more unusual than 95 % of the training examples"


def _operating(found: Trust) -> Iterator[tuple[str, str]]:
    point = found.operating
    assert point is not None
    kinds: Sequence[tuple[str, Any]] = (
        ("sensitivity", point.sensitivity),
        ("specificity", point.specificity),
        ("precision", point.precision),
    )
    shares = ", ".join(f"{name} {_share(each.value, each.interval)}" for name, each in kinds)
    yield f"{found.positive[:12]}", f"said from {point.threshold:.3f} on: {shares}"
    possible = _share(point.possible.value, point.possible.interval)
    yield "", f"a threshold read off these items themselves would find {possible} at the wanted specificity"


def _share(value: float, interval: Interval) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def write_trust_page(found: Trust | None, path: Path, *, title: str, say: Say) -> None:
    """Write the page about calibration and thresholds; a model is worth more than it, so what fails is said.

    Args:
        found: What was measured; None where there is nothing to show.
        path: The file to write.
        title: What stands above the page.
        say: Told why there is none.
    """
    if found is None:
        return
    bins = [Reliability(each.confidence, each.accuracy, each.interval, each.n) for each in found.calibration.bins]
    curve = None if found.curve is None else PrecisionRecall(found.positive, *found.curve, found.share)
    try:
        write_confidence(bins, path, title=title, facts=trust_lines(found), curve=curve)
    except HeadstartError as error:
        say(f"No page about confidence: {error}")
