"""What a colleague needs first: what the model does, how good it is, and whether the head start was worth it."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from headstart.evaluation import greater_is_better, metric_name
from headstart.report.model._charts import Row, finite, forest
from headstart.report.model._html import ends_of, figure, paragraph, part, score, seconds, signed
from headstart.report.model._record import ModelRecord

_NAMED: Final = 12  # classes in a sentence
_HOW: Final = {
    "test": "on {n:,} {items} of the test part, scored once",
    "holdout": "on {n:,} {items} that were held out, scored once",
    "cv": "by repeating the whole choice on outer folds, {n:,} {items} scored",
}
_ANEW: Final = "by training what was chosen anew on outer folds, {n:,} {items} scored"
_DOES: Final = {
    "classification": "It tells which of {n} classes a {item} belongs to",
    "multilabel": "It tells which of {n} labels a {item} has",
    "regression": "It predicts a number for a {item}",
    "tagging": "It finds entities of {n} types in a text",
    "transcription": "It writes down what is said in a recording",
}


def purpose(record: ModelRecord) -> str:
    """Say in a sentence what the model does."""
    names = record.classes
    said = _DOES.get(record.kind, "It predicts").format(n=f"{len(names):,}", item=record.item)
    if not names:
        return f"{said}."
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{said}: {', '.join(names[:_NAMED])}{more}."


def summary(record: ModelRecord) -> Iterator[str]:
    """Yield the card at the top.

    Args:
        record: The model.

    Yields:
        Lines of HTML.
    """
    yield '<div class="card">'
    yield paragraph(purpose(record))
    if record.adapted:
        yield from _adapted(record)
    elif finite(record.test.get("value")):
        yield from _scored(record)
    else:
        yield paragraph("The folder does not say how good it is.")
    yield "</div>"


def _scored(record: ModelRecord) -> Iterator[str]:
    test, metric = record.test, record.metric
    better = "" if greater_is_better(metric) else " (lower is better)"
    # The score is a number; the name of the metric is one of ours.
    yield f'<p class="big">{score(test["value"])} <small>{_interval(test)} {metric_name(metric)}{better}</small></p>'
    yield paragraph(f"Measured {where(record)}.{_in_words(test)}")
    style, said = verdict(record)
    yield f'<p class="verdict {style}">{escape(said)}</p>'
    yield from _warnings(record)
    rows = [Row("this model", test["value"], ends_of(test.get("interval")), score(test["value"]), ours=True)]
    rows += [
        Row(name, other["value"], ends_of(other["interval"]), score(other["value"]))
        for name, other in ordered(record)
        if finite(other.get("value")) and other.get("compared", "ours") == "ours"
    ]
    alt = f"{metric_name(metric)} with 95 % intervals: " + "; ".join(
        f"{row.name} {score(row.value, row.interval)}" for row in rows
    )
    title = f"{metric_name(metric)} ({'higher' if greater_is_better(metric) else 'lower'} is better)"
    caption = "Bars are 95 % intervals; all models were measured on the same splits."
    yield figure(forest(rows, title=title, alt=alt), caption)


def _interval(test: Mapping[str, Any]) -> str:
    ends = ends_of(test.get("interval"))
    return "" if ends is None else f"[{score(ends[0])}, {score(ends[1])}]"


def _in_words(test: Mapping[str, Any]) -> str:
    ends = ends_of(test.get("interval"))
    if test.get("metric") != "accuracy" or ends is None:
        return ""
    of = f"between {100 * ends[0]:.0f} and {100 * ends[1]:.0f}"
    return f" About {100 * test['value']:.0f} of 100 items like these are answered rightly (95 % interval: {of})."


def where(record: ModelRecord) -> str:
    """Say on what the score was measured."""
    test = record.test
    how = (
        _ANEW if part(record.kept, "scored").get("chosen_once") else _HOW.get(str(test.get("how")), "on {n:,} {items}")
    )
    n = test.get("n") if isinstance(test.get("n"), int) else 0
    return how.format(n=n, items=f"{record.item}s")


def ordered(record: ModelRecord) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the models without pretraining, the best first."""
    baselines = part(record.evaluation, "baselines")
    sign = -1 if greater_is_better(record.metric) else 1
    known = [(name, each) for name, each in baselines.items() if finite(each.get("value"))]
    return sorted(known, key=lambda row: sign * row[1]["value"])


def verdict(record: ModelRecord) -> tuple[str, str]:
    """Say whether transfer helped, in a sentence that stands by itself.

    Args:
        record: A model with a score.

    Returns:
        ``yes``, ``no`` or nothing, and the sentence.
    """
    compared = [row for row in ordered(record) if row[1].get("compared", "ours") == "ours"]
    if not compared:
        return "", "Whether transfer helped was not measured: there is no model without pretraining to compare with."
    name, best = compared[0]
    difference = signed(best.get("difference"), best.get("difference_interval"))
    gap = f"the difference to the best of them, {name}, is {difference}"
    helped = record.evaluation.get("transfer_helped")
    if helped is True:
        return "yes", f"Transfer helped: it is better than every model without pretraining, beyond noise; {gap}."
    if helped is False:
        said = f"Transfer did not help here: {name}, which has seen no other data, is better beyond noise; {gap}."
        return "no", said
    return (
        "",
        f"It is not shown that transfer helped: within noise it is as good as a model without pretraining; {gap}.",
    )


def _warnings(record: ModelRecord) -> Iterator[str]:
    straddling = record.test.get("straddling_groups")
    if straddling:
        said = (
            f"{straddling:,} groups are on both sides of the split, which was kept on request: the score is too good."
        )
        yield paragraph(said, style="warn")
    if part(record.evaluation, "trust").get("broken"):
        said = (
            "The test part breaks what was promised for items like the training part: it is unlike the training part. "
            "See Calibration."
        )
        yield paragraph(said, style="warn")
    late = record.evaluation.get("seconds_over_budget")
    if finite(late) and late > 0:
        yield paragraph(f"The budget was exceeded by {seconds(late)}.", style="note")


def _adapted(record: ModelRecord) -> Iterator[str]:
    found = record.evaluation
    refused = bool(found.get("refused"))
    said = "Not adapted: the model is that of the source." if refused else f"Adapted by {found.get('chosen')}."
    yield f'<p class="verdict {"no" if refused else "yes"}">{escape(said)}</p>'
    yield paragraph(str(found.get("reason") or ""))
    gap, ends = part(found, "gap"), ends_of(part(found, "gap").get("interval"))
    if finite(gap.get("auc")):
        far = "within noise" if gap.get("within_noise") else "beyond noise"
        yield paragraph(
            f"A classifier tells both domains apart with AUC {score(gap['auc'], ends)} (0.5: no gap; 1: always), {far}."
        )
    yield paragraph(
        "How right it is on the target is not known without labels of it: headstart evaluate MODEL LABELLED says that.",
        style="warn",
    )
