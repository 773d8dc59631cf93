"""How far a classifier's answers can be trusted, in words and drawn. No example is shown."""

from collections.abc import Iterator, Mapping
from typing import Any

from headstart.report.model._charts import precision_recall, reliability
from headstart.report.model._html import ends_of, figure, pairs, paragraph, part


def trust_lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say what answers are worth.

    Args:
        found: What was measured, as JSON values (``trust`` of ``evaluation.json``).

    Yields:
        Names and texts of the lines of a screen or page.
    """
    error = found["calibration"]
    raw = part(found, "uncalibrated")
    before = f"; before the temperature {raw['error']:.3f}" if raw else ""
    yield (
        "Calibration",
        f"confidence is off by {_share(error['error'], error['interval'])} on average "
        f"(perfect probabilities show {error['chance'][0]:.3f} on so many items){before}",
    )
    yield from _promises(found)
    if found.get("broken"):
        yield "", "fewer are right than was promised for items like the training part: these are unlike it"
    if found.get("novel") is not None:
        yield "Unusual", f"{found['novel']:.1%} of the items are more unusual than 95 % of the training examples"


def _promises(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sets, given = part(found, "sets"), part(found, "abstaining")
    if sets:
        low, high = sets["band"]
        yield (
            f"Sets {sets['wanted']:.0%}",
            f"{_rate(sets['coverage'])} hold the right class (promised {low:.3f} to {high:.3f}); "
            f"{sets['size']:.2f} classes on average, one in {_value(sets['single']):.0%}",
        )
    if given and given.get("wrong") is None:
        why = given.get("why") or "no answer is sure enough"
        yield "Abstaining", f"an error rate of {given['wanted']:.0%} cannot be promised: {why}"
    elif given:
        yield (
            "Abstaining",
            f"{given['answered']:.0%} answered, {_rate(given['wrong'])} of the answers wrong "
            f"(promised {given['wanted']:.0%} at most)",
        )
    if part(found, "operating"):
        yield from _operating(found["operating"], str(found.get("positive")))


def _operating(point: Mapping[str, Any], positive: str) -> Iterator[tuple[str, str]]:
    shares = ", ".join(f"{name} {_rate(point[name])}" for name in ("sensitivity", "specificity", "precision"))
    at = point["threshold"]  # None where held-out examples leave no room for it
    yield positive[:12], f"{'never said' if at is None else f'said from {at:.3f} on'}: {shares}"
    yield (
        "",
        f"a threshold read off these items themselves would find {_rate(point['possible'])} at the wanted specificity",
    )


def _value(share: Any) -> float:
    return float(share["value"] if isinstance(share, Mapping) else share)


def _rate(found: Mapping[str, Any]) -> str:
    return _share(found["value"], found["interval"])


def _share(value: float | None, interval: Any) -> str:
    ends = ends_of(interval)
    if value is None or ends is None:
        return "undefined"
    return f"{value:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"


def confidence(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section: charts, then what they mean.

    Args:
        found: ``trust`` of ``evaluation.json``; nothing where nothing was measured.

    Yields:
        Lines of HTML.
    """
    if not found:
        return
    bins = found["calibration"]["bins"]
    alt = "Share of right answers by confidence: " + "; ".join(
        f"{each['confidence']:.2f}: {each['accuracy']:.2f}" for each in bins
    )
    each = round(sum(one["n"] for one in bins) / len(bins))
    yield '<div class="two">'
    caption = (
        "Points on the dashed line mean what they say; below it answers are less often right than they claim. Each "
        "point "
        f"stands for about {each} items, its bar for a 95 % interval."
    )
    yield figure(reliability(bins, alt=alt), caption)
    if found.get("curve"):
        recall, precision = found["curve"]
        name = str(found.get("positive"))
        alt = f"Precision against recall of {name}, which {found['share']:.0%} of the items are"
        drawn = precision_recall(recall, precision, share=found["share"], name=name, alt=alt)
        yield figure(drawn, f"What finding more of {name} costs.")
    yield "</div>"
    yield from pairs(trust_lines(found))
    yield paragraph(
        "What is promised is for items like the training part; held-out training examples say it.", style="note"
    )
