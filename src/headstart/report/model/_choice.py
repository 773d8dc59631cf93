"""How the model was chosen: the candidates, the ladder, and how many labels are needed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from headstart.evaluation import metric_name
from headstart.report.model._charts import Row, climb, finite, forest, learning
from headstart.report.model._html import ends_of, figure, paragraph, part, score, seconds, table
from headstart.report.model._record import ModelRecord

_MOST: Final = 25  # candidates


def candidates(record: ModelRecord) -> Iterator[str]:
    """Yield the networks that were looked at, with the ranking where there was one."""
    found = [each for each in record.evaluation.get("candidates") or () if "reached" in each]
    if not found:
        return
    ranked = [each["ranking"] for each in found if isinstance(each.get("ranking"), Mapping)]
    if len(found) == 1:
        yield paragraph(
            f"One network was tried, {found[0]['name']}. headstart rank DATA --backbone NAME ... compares others, with "
            "intervals and costs."
        )
        return
    yield from _ranking([row for row in ranked if finite(row.get("score"))])
    head = ["network", "best inside training", "rungs tried", "chosen"]
    rows = [[each["name"], *_reached(each["reached"]), "yes" if each.get("chosen") else ""] for each in found[:_MOST]]
    yield from table(head, rows)
    failed = [row for row in ranked if row.get("error")]
    for row in failed[:_MOST]:
        yield paragraph(f"Left out: {row.get('name')}: {row['error']}", style="note")


def _reached(rungs: Sequence[Mapping[str, Any]]) -> list[str]:
    tried = [rung for rung in rungs if finite(rung.get("value"))]
    kept = [rung for rung in tried if rung.get("accepted")]
    best = (kept or tried)[-1] if tried else None
    return ["not tried" if best is None else score(best["value"], best.get("interval")), str(len(tried))]


def _ranking(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Draw the scores of the ranking, each with what the candidate costs."""
    if not rows:
        return
    drawn = [
        Row(str(row["name"]), row["score"], ends_of(row.get("interval")), _cost(row), ours=place < 3)
        for place, row in enumerate(rows[:_MOST])
    ]
    alt = "Ranking of networks, best first: " + "; ".join(
        f"{row.name} {score(row.value, row.interval)}" for row in drawn
    )
    caption = (
        "Scores put several measures of the frozen features on one scale; higher is better, bars are 95 % "
        "intervals. The "
        "first three were tried. At the right: milliseconds per item and size of the weights."
    )
    yield figure(forest(drawn, title="score of the ranking", alt=alt), caption)


def _cost(row: Mapping[str, Any]) -> str:
    told = [
        f"{row[name]:.3g} {unit}"
        for name, unit in (("milliseconds", "ms"), ("megabytes", "MB"))
        if finite(row.get(name))
    ]
    return ", ".join(told)


def ladder(record: ModelRecord) -> Iterator[str]:
    """Yield every rung: what it reached, what it cost, and why it was kept or not."""
    rungs = record.evaluation.get("rungs") or []
    if not rungs:
        return
    metric = metric_name(str(record.metric)) if record.metric else "score"
    yield paragraph(
        "Each rung goes deeper into the network and is kept only where it is better on held-out folds beyond noise. "
        "Its "
        "scores are from inside the training part; the final score is measured apart."
    )
    drawn = [rung for rung in rungs if finite(rung.get("value")) and finite(rung.get("seconds"))]
    if len(drawn) > 1:
        alt = f"{metric} against seconds: " + "; ".join(
            f"rung {place} {rung['name']}: {score(rung['value'], rung['interval'])} in {seconds(rung['seconds'])}, "
            f"{'kept' if rung['accepted'] else 'not kept'}"
            for place, rung in enumerate(drawn, 1)
        )
        caption = "Filled: kept; hollow: tried and not kept. Bars are 95 % intervals. Numbers are those of the table."
        yield figure(climb(rungs, metric=metric, alt=alt), caption)
    rows, number = [], 0
    for rung in rungs:
        number += rung in drawn
        name = f"{number}. {rung['name']}" if rung in drawn else f"– {rung['name']}"
        tried = score(rung["value"], rung["interval"]) if finite(rung.get("value")) else "–"
        rows.append([name, rung["reason"], tried, seconds(rung["seconds"]), _expected(rung)])
    yield from table(["rung", "decision", f"{metric} inside training", "took", "expected"], rows, left=2)


def _expected(rung: Mapping[str, Any]) -> str:
    told = [seconds(rung.get("predicted_seconds"))]
    if finite(rung.get("predicted_megabytes")):
        told.append(f"{rung['predicted_megabytes']:,.0f} MB")
    return ", ".join(each for each in told if each) or "–"


def curve(record: ModelRecord) -> Iterator[str]:
    """Yield the learning curve, where one was given."""
    found = part(record.kept, "curve")
    points: dict[str, list[Mapping[str, Any]]] = {}
    for point in found.get("points") or ():
        points.setdefault(str(point["arm"]), []).append(point)
    if not points:
        return
    metric, unit = metric_name(str(found.get("metric") or "")), str(found.get("unit") or "labels")
    ordered = {arm: sorted(its, key=lambda point: point["n"]) for arm, its in points.items()}
    said = [part(found, "label_saving").get("sentence"), part(found, "next_100").get("sentence")]
    for sentence in said:
        if sentence:
            yield paragraph(str(sentence))
    alt = f"{metric} against the number of {unit}: " + "; ".join(
        f"{arm} " + ", ".join(f"{p['n']:,}: {score(p['value'])}" for p in its) for arm, its in ordered.items()
    )
    caption = "Bars are 95 % intervals over draws of the labels and over the test part."
    yield figure(learning(ordered, metric=metric, unit=unit, alt=alt), caption)
    sizes = sorted({p["n"] for its in ordered.values() for p in its})
    cells = {(arm, p["n"]): score(p["value"], p.get("interval")) for arm, its in ordered.items() for p in its}
    yield from table([unit, *ordered], [[f"{n:,}", *(cells.get((arm, n), "–") for arm in ordered)] for n in sizes])
