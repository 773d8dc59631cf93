"""The final scores: against every model without pretraining, by class, by subgroup, and what is taken for what."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from headstart.evaluation import greater_is_better, metric_name
from headstart.report.model._charts import finite, predicted_against_true
from headstart.report.model._html import figure, paragraph, part, score, seconds, signed, table
from headstart.report.model._record import ModelRecord
from headstart.report.model._summary import ordered, where

_MATRIX: Final = 20  # classes that a table shows in full
_CONFUSED: Final = 30  # pairs, of more classes
_MOST_CLASSES: Final = 200
_MOST_GROUPS: Final = 40


def scores(record: ModelRecord) -> Iterator[str]:
    """Yield the final score, the others on the same predictions, and every baseline."""
    test = record.test
    if not finite(test.get("value")):
        return
    method = f"95 % interval: {test['interval_method']}." if test.get("interval_method") else ""
    yield from table(
        ["score", "this model"],
        [
            [_capital(metric_name(name)), score(value, test.get("interval") if name == record.metric else None)]
            for name, value in {record.metric: test["value"], **part(test, "metrics")}.items()
            if value is not None
        ],
        note=f"Measured {where(record)}. {method}",
    )
    yield "<h3>Against models without pretraining</h3>"
    rows = [["this model", score(test["value"], test.get("interval")), "", seconds(record.evaluation.get("seconds"))]]
    rows += [_baseline(name, other) for name, other in ordered(record)]
    better = "higher" if greater_is_better(record.metric) else "lower"
    note = (
        f"{_capital(metric_name(record.metric))}, {better} is better. Differences are paired on the same items or "
        f"folds. A "
        "comparison on few examples is with a pretrained probe on as few."
    )
    yield from table(["model", "score", "this model minus it", "took"], rows, note=note)
    yield from _source(record)
    yield from _continued(record)


def _capital(said: str) -> str:
    return said[:1].upper() + said[1:]


def _baseline(name: str, other: Mapping[str, Any]) -> list[str]:
    difference = signed(other.get("difference"), other.get("difference_interval"))
    also = "" if other.get("compared", "ours") == "ours" else f" ({other['compared']})"
    return [name, score(other["value"], other.get("interval")), difference + also, seconds(other.get("seconds"))]


def _source(record: ModelRecord) -> Iterator[str]:
    """Say what examples lent by other data were worth."""
    found = part(record.evaluation, "source")
    if not found:
        return
    helped = {
        True: "helped: better than the target only, beyond noise",
        False: "did not help: the target only is better, beyond noise",
    }.get(found.get("helped"), "were not shown to help")  # type: ignore[arg-type]
    lent = found.get("n")
    yield paragraph(f"{lent:,} examples lent by other data {helped}. It was trained on {found.get('shipped')}.")


def _continued(record: ModelRecord) -> Iterator[str]:
    found = part(record.evaluation, "continued")
    if finite(found.get("value")):
        gain = (
            f": {signed(found['difference'], found.get('difference_interval'))}"
            if finite(found.get("difference"))
            else ""
        )
        yield paragraph(f"The model that this one continues has {score(found['value'], found.get('interval'))}{gain}.")


def confusion(record: ModelRecord) -> Iterator[str]:
    """Yield what is taken for what: a matrix, counts for labels and entities, or a picture of values."""
    found = part(record.kept, "scored")
    if found.get("points"):
        n = len(found["points"])
        alt = f"Predicted against true values of {n:,} scored {record.item}s; on the line both are equal"
        caption = f"{n:,} scored {record.item}s; on the dashed line prediction and truth are equal."
        yield figure(predicted_against_true(found["points"], alt=alt), caption)
    if found.get("pairs"):
        yield from _pairs(found["pairs"], found)
    if found.get("labels"):
        head = ["label", "rightly told", "wrongly told", "missed", "rightly left out"]
        rows = [[name, *(f"{n:,}" for n in counts)] for name, counts in found["labels"].items()]
        yield from table(head, rows[:_MOST_CLASSES])
    matches = part(part(record.evaluation, "entities"), "matches")
    if matches:
        yield from table(["entities", "n"], [[name, f"{n:,}"] for name, n in matches.items()])
    counts = part(part(record.evaluation, "errors"), "counts")
    if counts:
        names = {"same": "right"}
        yield from table(["words", "n"], [[names.get(name, name), f"{n:,}"] for name, n in counts.items()])


def _pairs(counts: Sequence[tuple[str, str, int]], found: Mapping[str, Any]) -> Iterator[str]:
    names = [str(name) for name in found.get("names") or ()]
    once = "" if found.get("once", True) else " Of items scored several times the first answer counts."
    if len(names) <= _MATRIX:
        yield from _matrix(counts, names)
        yield paragraph(f"Rows: what is true; columns: what is said. Darker: more of the row.{once}", style="note")
        return
    wrong = sorted((row for row in counts if row[0] != row[1]), key=lambda row: -row[2])
    rows = [[true, told, f"{n:,}"] for true, told, n in wrong[:_CONFUSED]]
    note = f"{len(names):,} classes are too many for a matrix: the pairs that are mixed up most often.{once}"
    yield from table(["true", "said instead", "n"], rows, note=note, left=2)


def _matrix(counts: Sequence[tuple[str, str, int]], names: Sequence[str]) -> Iterator[str]:
    cells = {(true, told): n for true, told, n in counts}
    yield '<div class="wide" tabindex="0"><table class="matrix"><thead><tr>'
    yield '<th scope="col" class="left">true \\ said</th>'
    yield "".join(f'<th scope="col"><bdi>{escape(name)}</bdi></th>' for name in names) + "</tr></thead><tbody>"
    for true in names:
        total = sum(cells.get((true, told), 0) for told in names) or 1
        row = [f'<th scope="row" class="left"><bdi>{escape(true)}</bdi></th>']
        for told in names:
            n = cells.get((true, told), 0)
            strong = f' style="background:rgba(var(--heat),{0.75 * n / total:.2f})"' if n else ""
            row.append(f"<td{strong}>{f'<b>{n:,}</b>' if true == told else f'{n:,}' if n else ''}</td>")
        yield f"<tr>{''.join(row)}</tr>"
    yield "</tbody></table></div>"


def by_class(record: ModelRecord) -> Iterator[str]:
    """Yield precision, recall and F1 of every class, label or type, and the scores of subgroups and speakers."""
    rows = []
    for name, facts in ({} if record.adapted else part(record.evaluation, "classes")).items():
        rates = ["–" if facts.get(key) is None else f"{facts[key]:.3f}" for key in ("precision", "recall", "f1")]
        rows.append([name, f"{facts.get('n', 0):,}", *rates])
    if rows:
        what = {"multilabel": "label", "tagging": "type"}.get(record.kind, "class")
        note = (
            "Precision: of what was called so, the share that is. Recall: of what is so, the share that was called "
            "so. F1: "
            "their harmonic mean."
        )
        yield from table([what, "n", "precision", "recall", "F1"], rows[:_MOST_CLASSES], note=note)
    yield from _subgroups(record)
    yield from _speakers(record)


def _subgroups(record: ModelRecord) -> Iterator[str]:
    for column, groups in part(record.evaluation, "slices").items():
        yield f"<h3>By {escape(str(column))}</h3>"
        rows = [
            [
                name,
                f"{facts.get('n', 0):,}",
                score(facts.get("value"), facts.get("interval")),
                "few" if facts.get("few") else "",
            ]
            for name, facts in groups.items()
        ]
        said = part(part(record.evaluation, "worst_slices"), column).get("sentence", "")
        yield from table([str(column), "n", metric_name(record.metric), ""], rows[:_MOST_GROUPS], note=str(said))


def _speakers(record: ModelRecord) -> Iterator[str]:
    groups = part(part(record.evaluation, "errors"), "groups")
    if len(groups) < 2:
        return
    yield "<h3>By group (speaker)</h3>"
    order = sorted(groups.items(), key=lambda row: -(row[1].get("wer") or 0.0))
    rows = [
        [name, f"{facts['recordings']:,}", f"{facts['words']:,}", f"{facts['errors']:,}", score(facts.get("wer"))]
        for name, facts in order[:_MOST_GROUPS]
    ]
    yield from table(["group", "recordings", "words", "errors", "word error rate"], rows)
