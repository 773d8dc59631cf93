"""What people read on the screen: one screen per result, numbers with their intervals."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from headstart.cli._entities import errors_lines, interval_over, spans_text
from headstart.cli._robustness_text import robustness_lines
from headstart.cli._rungs import rung_heading, rung_line
from headstart.cli._slices_text import slice_lines
from headstart.cli._source import other_name, source_line
from headstart.cli._transcripts import recordings_drawn, speech_lines, transcript_line

if TYPE_CHECKING:
    from pathlib import Path

    from headstart.data import Finding, Inspection
    from headstart.evaluation import Interval, Score
    from headstart.pipeline import EvaluateResult, FitResult

LABEL = 14
HOW = {
    "test": "on {n:,} examples of the test part, scored once",
    "holdout": "on {n:,} examples held out once",
    "cv": "by repeating the whole choice on outer folds, {n:,} examples scored",
}
TRAINED_ANEW = "by training what was chosen anew on outer folds, {n:,} examples scored"
VERDICT = {
    True: "yes: better than every model without pretraining, beyond noise",
    False: "no: a model without pretraining is better, beyond noise",
    None: "not shown: the difference to the best model without pretraining is within noise",
}
NOTHING_COMPARED = "not measured: there is no model without pretraining to compare with"
MOST_ALIKE = 20
SEVERITY = {"error": "red", "warning": "yellow", "info": "blue"}


def fit_text(result: "FitResult", *, tried: bool = True) -> str:
    """Describe a finished fit on one screen.

    Args:
        result: What `headstart.fit` returned.
        tried: Whether the table of what was tried is in it; where it was watched as it grew, it is there already.

    Returns:
        Lines of text.
    """
    outcome = result.outcome
    lines = [""]
    if outcome.transfer_helped is False:
        lines += [click.style("Transfer did not help here: see the baselines.", fg="red", bold=True), ""]
    lines += _choice_lines(result, tried=tried)
    where = TRAINED_ANEW if outcome.chosen_once else HOW[outcome.score.how]
    lines += _score_lines(outcome.score, where + _drawn(result, outcome.score.how))
    if result.straddling:
        lines.append(row("", f"marked: {result.straddling} groups are on both sides of the split (--allow-straddling)"))
    lines += _baseline_lines(result)
    lines += _source_lines(result)
    lines += _continued_lines(result)
    lines += _trust_lines(result)
    lines += [
        row("Transfer", _verdict(result)),
        row("Time", _time(result)),
        row("Model", click.style(str(result.folder), bold=True)),
        row("Try it", _try_it(result)),
    ]
    if result.late > 0:
        lines.append(row("Note", f"The budget was exceeded by {result.late:.1f} s."))
    if result.left_out:
        lines.append(row("Note", f"{len(result.left_out)} items were left out; evaluation.json lists them."))
    lines += [row("Note", note) for note in outcome.notes]
    lines += _look_lines(result.folder)
    return "\n".join([*lines, *_mistakes(result, outcome.classes), *slice_lines(result.slices)])


def _look_lines(folder: "Path") -> list[str]:
    """Name the pages in the model folder, and say which hold examples."""
    pages = {
        "report.html": "all of this and more on one page",
        "entities.html": "scored texts with their entities",
        "transcripts.html": "scored recordings and their errors",
    }
    lines = [row("Look", f"{folder / name}: {shows}") for name, shows in pages.items() if (folder / name).exists()]
    if (folder / "examples.json").exists():
        lines.append(
            row("", f"they show examples; headstart report {shlex.quote(str(folder))} --no-examples takes them out")
        )
    return lines


def _trust_lines(result: "FitResult | EvaluateResult") -> list[str]:
    """Say how far answers can be trusted."""
    from headstart.pipeline import trust_lines

    return [row(name, text) for name, text in trust_lines(result.trust)]


def _drawn(result: "FitResult | EvaluateResult", how: str) -> str:
    """Say what the interval draws where that is not plain."""
    if result.errors is not None:
        return f"; {recordings_drawn(result.errors, how)}"
    return "" if result.entities is None else f"; {interval_over(result.entities, how)}"


def _mistakes(
    result: "FitResult | EvaluateResult", classes: Mapping[str, Mapping[str, float | int | None]]
) -> list[str]:
    """Show what is wrong with entities and transcripts."""
    if result.errors is not None:
        return ["", *speech_lines(result.errors)]
    return [] if result.entities is None else [*_class_lines(classes, "type"), "", *errors_lines(result.entities)]


def _verdict(result: "FitResult") -> str:
    outcome = result.outcome
    compared = any(other.compared == "ours" for other in outcome.baselines.values())
    return VERDICT[outcome.transfer_helped] if compared else NOTHING_COMPARED


def _time(result: "FitResult") -> str:
    rest = result.seconds - result.adaptation_seconds
    return (
        f"{result.seconds:.1f} s: adaptation {result.adaptation_seconds:.1f} s, starting and measuring {rest:.1f} s; "
        f"frozen passes of both {result.feature_seconds:.1f} s"
    )


def _choice_lines(result: "FitResult", *, tried: bool) -> list[str]:
    outcome = result.outcome
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in outcome.chosen.items())
    chosen = f"{outcome.model.backbone.name}, {outcome.model.strategy} ({settings})"
    form = _form(outcome.score.metric, outcome.score.value)
    lines = [row("Chosen", click.style(chosen, bold=True))]
    if tried and len(outcome.rungs) > 1:
        width = max(len(rung.name) for rung in outcome.rungs)
        table = [rung_heading(width), *(rung_line(rung, form, width) for rung in outcome.rungs)]
        lines += [row("Tried" if number == 0 else "", line) for number, line in enumerate(table)]
    return lines


def _setting(value: Any) -> str:
    """Show what was chosen; of a fraction four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _score_lines(score: "Score", where: str) -> list[str]:
    from headstart.evaluation import greater_is_better, metric_name

    others = [
        f"{metric_name(name)} {value:{_form(name, value)}}"
        for name, value in score.metrics.items()
        if value is not None and name != score.metric
    ]
    form = _form(score.metric, score.value)
    main = f"{score.value:{form}}  [{score.interval.low:{form}}, {score.interval.high:{form}}]"
    better, heading = "" if greater_is_better(score.metric) else " (lower is better)", metric_name(score.metric)
    return [
        row(
            heading[0].upper() + heading[1:],
            f"{click.style(main, fg='green', bold=True)}  {where.format(n=score.n)}{better}",
        ),
        row("", " · ".join(others)),
    ]


def _baseline_lines(result: "FitResult") -> list[str]:
    from headstart.evaluation import greater_is_better

    score = result.outcome.score
    sign, form = -1 if greater_is_better(score.metric) else 1, _form(score.metric, score.value)
    rows = sorted(result.outcome.baselines.items(), key=lambda row: sign * row[1].value)
    width = max((len(name) for name, _ in rows), default=0)
    lines = []
    for number, (name, other) in enumerate(rows):
        difference = _minus_it(other.compared, other.difference, other.difference_interval, form)
        text = f"{name:<{width}}  {_value(other.value, other.interval, form)}  {difference}, {other.seconds:.1f} s"
        lines.append(row("Baselines" if number == 0 else "", text))
    return lines


def _source_lines(result: "FitResult") -> list[str]:
    """Say what examples lent by another data set were worth."""
    use, score = result.outcome.source, result.outcome.score
    if use is None or use.other is None:
        return [] if use is None else [row("Source", source_line(use))]
    form = _form(score.metric, score.value)
    value = _value(use.other.value, use.other.interval, form)
    difference = _minus_it("ours", use.other.difference, use.other.difference_interval, form)
    return [row("Source", source_line(use)), row("", f"{other_name(use)}  {value}  {difference}")]


def _minus_it(ours: str, difference: float, interval: "Interval", form: str) -> str:
    return f"{ours} minus it {difference:+{form}} [{interval.low:+{form}}, {interval.high:+{form}}]"


def _continued_lines(result: "FitResult") -> list[str]:
    """Show the model that this one continues, and what the new labels brought."""
    before = result.continued
    if before is None or before.value is None:
        return []
    form = _form(result.outcome.score.metric, result.outcome.score.value)
    text = f"{before.value:{form}}"
    if before.interval is not None:
        text = _value(before.value, before.interval, form)
    if before.difference is None or before.difference_interval is None:
        return [row("Before", f"{before.model}  {text}  cross-validated on its own examples, so not paired")]
    difference = _minus_it("ours", before.difference, before.difference_interval, form)
    return [row("Before", f"{before.model}  {text}  {difference}, on the same {before.n:,} test examples")]


def _try_it(result: "FitResult") -> str:
    folder = shlex.quote(str(result.folder))
    if result.task.startswith("text"):
        return f'echo "some text" | headstart predict {folder} -'
    item = "SOUND" if result.task.startswith("audio") else "IMAGE"
    return f"headstart predict {folder} {item}_OR_FOLDER"


def evaluate_text(result: "EvaluateResult", model: str) -> str:
    """Describe an evaluation: the score, then one line per class or label.

    Args:
        result: What `headstart.evaluate` returned.
        model: The model folder.

    Returns:
        Lines of text.
    """
    where = "on {n:,} examples" + _drawn(result, result.score.how)
    lines = [row("Model", model), *(row("Note", click.style(note, fg="yellow")) for note in result.notes)]
    lines += _score_lines(result.score, where)
    lines += _trust_lines(result)
    lines += _mistakes(result, result.classes) or _class_lines(result.classes)
    lines += slice_lines(result.slices)
    if result.robustness is not None:
        lines += robustness_lines(result.robustness)
    return "\n".join(lines)


def _class_lines(classes: Mapping[str, Mapping[str, float | int | None]], what: str = "class") -> list[str]:
    """Show a table of classes, labels or types; values have none."""
    if not classes:
        return []
    width = max(len(name) for name in (what, *classes))
    lines = ["", f"{what:<{width}}  {'n':>6}  precision  recall     F1"]
    for name, facts in classes.items():
        precision, recall, f1 = (_number(facts[key]) for key in ("precision", "recall", "f1"))
        lines.append(f"{name:<{width}}  {facts['n']:>6}  {precision:>9}  {recall:>6}  {f1:>5}")
    return lines


def _number(value: float | None) -> str:
    """Show a ratio; one without a denominator, such as the recall of a class without items, is a dash."""
    return "-" if value is None else f"{value:.3f}"


def inspection_text(found: "Inspection", source: str, *, more: Sequence[str] | None = None, asked: str = "") -> str:
    """Describe what `headstart check` found.

    Args:
        found: The inspection.
        source: What was inspected.
        more: Lines before the last; by default what was not looked at.
        asked: Options of how the data is read, which the next command needs too.

    Returns:
        Lines of text.
    """
    named = f"{shlex.quote(source)}{asked}"
    several = {"multilabel": "labels", "tagging": "types", "transcription": "characters"}.get(
        found.task.split("-")[-1], "classes"
    )
    counted = "" if found.task.endswith("regression") else f", {len(found.classes)} {several}"
    lines = [row("Task", f"{found.task}, {found.n:,} items{counted}")] if found.task else []
    lines += _counts(several.capitalize(), found.classes) + _counts("Parts", found.parts)
    lines += [row("Note", note) for note in found.notes if not note.startswith(("Task:", "Parts:"))]
    lines += [row(name.replace("_", " ").capitalize(), _short(value)) for name, value in found.summary.items()]
    order = sorted(found.findings, key=lambda finding: list(SEVERITY).index(finding.severity))
    lines += _findings(order)
    worst = order[0].severity if order else "none"
    closing = {
        "error": "Fix the errors first, then run this again.",
        "warning": f"Ready to fit: headstart fit {named} -o MODEL (mind the warnings)",
    }.get(worst, f"Ready to fit: headstart fit {named} -o MODEL")
    return "\n".join([*lines, *(_not_looked_at(found, named) if more is None else more), closing])


def _not_looked_at(found: "Inspection", named: str) -> list[str]:
    """Say what only a network can find, and how it is looked for."""
    if not found.n or found.task.endswith("tagging"):
        return []
    what = "near-duplicates, wrong labels, classes told by metadata, outliers"
    return [f"Not looked at ({what}): headstart check {named} --deep"]


def _findings(order: Sequence["Finding"]) -> Iterator[str]:
    """Show what was found, a line each, the first few of those that expect the same and how many more there are."""
    alike: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in order:
        expected, found, _ = finding.found.partition(", found")
        alike.setdefault((finding.severity, finding.kind, expected if found else ""), []).append(finding)
    for (severity, kind, _), some in alike.items():
        mark = click.style(severity.upper(), fg=SEVERITY[severity], bold=True)
        for finding in some[:MOST_ALIKE]:
            yield f"{mark} {kind} at {finding.where}: {finding.found}. {finding.fix}".rstrip()
        if len(some) > MOST_ALIKE:
            yield f"... and {len(some) - MOST_ALIKE:,} more of this kind; --json lists them all."


def _counts(title: str, counts: Mapping[str, int], most: int = 12) -> list[str]:
    if not counts:
        return []
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{'space' if name == ' ' else name} {n:,}" for name, n in ranked[:most]]
    if len(ranked) > most:
        shown.append(f"and {len(ranked) - most} more down to {ranked[-1][0]} {ranked[-1][1]:,}")
    return [row(title, ", ".join(shown))]


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(part)}" for name, part in value.items())
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def prediction_line(row: Mapping[str, Any]) -> str:
    """Show one prediction as a line; an error where the input could not be read.

    Args:
        row: A row of `headstart.predict`.

    Returns:
        Columns separated by tabs: probability, label, input, and what else it may be, if anything; with several labels
        joined by ``|``, and so their probabilities; value, input; of speech input, transcript. Of entities a line for
        the input and one for each.
    """
    from headstart.tasks import join_labels

    if "error" in row:
        return f"-\terror\t{row['input']}\t{row['error'].removeprefix(row['input'] + ': ')}"
    if "spans" in row:
        return spans_text(row)
    if "transcript" in row:
        return transcript_line(row)
    if "value" in row:
        return f"{row['value']:.6g}\t{row['input']}"
    labels = row.get("labels", [row.get("label")])
    probabilities = "|".join(f"{row['probabilities'][label]:.3f}" for label in labels)
    named = join_labels(labels) if "labels" in row else row["label"]
    beside = f"\tmay be {join_labels(row['set'])}" if len(row.get("set", ())) > 1 else ""
    unsure = "abstain: " if row.get("abstain") else ""
    return f"{probabilities or '-'}\t{unsure}{named or '-'}\t{row['input']}{beside}"


def row(name: str, text: str) -> str:
    """Return a line of a screen.

    Args:
        name: In the first column.
        text: Beside it.

    Returns:
        The line.
    """
    return f"{name:<{LABEL - 1}} {text}"


def _form(metric: str, scale: float) -> str:
    """Return the format of a metric: three decimals, or what gives a number of this scale four digits."""
    if metric not in ("rmse", "mae") or not scale:
        return ".3f"
    return f".{max(0, 3 - math.floor(math.log10(abs(scale))))}f"


def _value(value: float | None, interval: "Interval", form: str) -> str:
    return "undefined" if value is None else f"{value:{form}} [{interval.low:{form}}, {interval.high:{form}}]"
