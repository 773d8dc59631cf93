"""What was asked, and the data: how much of what there is, and what is wrong with it."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from headstart.evaluation import metric_name
from headstart.report.model._html import bullets, pairs, paragraph, part, table
from headstart.report.model._record import ModelRecord

_MOST_ROWS: Final = 60  # classes in the table
_COUNTED: Final = {"tagging": ("type", "entities"), "multilabel": ("label", "items")}
_MOST: Final = 20  # findings, notes, left out


def asked(record: ModelRecord) -> Iterator[str]:
    """Yield the command and what it was told."""
    command = record.shown.get("command") or part(record.kept, "asked").get("command")
    if command:
        yield f"<pre><code>{escape(str(command))}</code></pre>"
    told = [
        ("Task", str(record.evaluation.get("task") or record.kind)),
        ("Data", str(record.shown.get("source") or "")),
        ("Time allowed", str(part(record.kept, "asked").get("budget") or "")),
        ("Scored by", metric_name(str(part(record.kept, "asked").get("metric") or ""))),
        ("Comparison", str(part(record.kept, "asked").get("proof") or "")),
    ]
    yield from pairs((name, said) for name, said in told if said)
    if record.evaluation and not record.kept:
        yield paragraph("The folder is of a version that did not keep the command.", style="note")


def data(record: ModelRecord) -> Iterator[str]:
    """Yield how many items there are of what, and what the checks found."""
    yield from pairs(_facts(record))
    counts = part(part(record.kept, "data"), "counts")
    if counts:
        yield from _counts(counts, _COUNTED.get(record.kind, ("class", "items")))
    yield "<h3>What is wrong with it</h3>"
    findings = record.shown.get("findings") or part(record.kept, "data").get("findings") or []
    if findings:
        yield from bullets(_finding(each) for each in findings[:_MOST])
    elif record.kept:
        yield paragraph("Nothing that reading it shows. Near-duplicates and wrong labels: headstart check DATA --deep.")
    else:
        yield paragraph("Not kept by the version that made the model: headstart check DATA.")
    yield from _left_out(record)
    notes = record.shown.get("notes") or part(record.kept, "data").get("notes") or []
    if notes:
        yield "<h3>What was decided and converted</h3>"
        yield from bullets(str(note) for note in notes[: 2 * _MOST])


def _facts(record: ModelRecord) -> list[tuple[str, str]]:
    found = record.data
    parts = [part for part in found.get("parts") or () if part != "unused"]
    rows = []
    if record.adapted:
        target = part(found, "target")
        n = part(record.evaluation, "n")
        rows.append(("Source", f"{n.get('source', len(found.get('items') or ())):,} labelled {record.item}s"))
        rows.append(("Target", f"{n.get('target', len(target.get('items') or ())):,} {record.item}s without labels"))
    elif parts:
        train, test = parts.count("train"), parts.count("test")
        rows.append(("Training part", f"{train:,} {record.item}s"))
        rows.append(("Test part", f"{test:,} {record.item}s" if test else "none: scored on outer folds"))
    groups = found.get("groups")
    if groups:
        both = record.test.get("straddling_groups")
        kept = f"{both:,} of them on both sides of the split" if both else "never on both sides of a split"
        rows.append(("Groups", f"{len(set(groups)):,}, {kept}"))
    values = part(part(record.kept, "data"), "values")
    if values:
        rows.append(("Values", ", ".join(f"{name} {value:.4g}" for name, value in values.items())))
    if found.get("fingerprint"):
        rows.append(("Fingerprint", f"{str(found['fingerprint'])[:16]}… (SHA-256 over contents and labels)"))
    return rows


def _counts(counts: Mapping[str, Mapping[str, int]], said: tuple[str, str]) -> Iterator[str]:
    """Show how many items of each class every part has."""
    parts = [name for name in ("train", "test", "all") if name in counts]
    names = list(dict.fromkeys(name for each in parts for name in counts[each]))
    order = sorted(names, key=lambda name: -sum(counts[each].get(name, 0) for each in parts))
    heads = {"train": "training part", "test": "test part", "all": said[1]}
    rows = [[name, *(f"{counts[each].get(name, 0):,}" for each in parts)] for name in order[:_MOST_ROWS]]
    more = f"The {_MOST_ROWS} commonest of {len(order):,}." if len(order) > _MOST_ROWS else ""
    yield from table([said[0], *(heads[each] for each in parts)], rows, note=more)


def _finding(each: Mapping[str, Any]) -> str:
    place = f" ({each['where']})" if each.get("where") else ""
    fix = f" {each['fix']}" if each.get("fix") else ""
    return f"{str(each.get('severity', '')).capitalize()}: {each.get('found', '')}{place}.{fix}"


def _left_out(record: ModelRecord) -> Iterator[str]:
    left_out = record.evaluation.get("left_out") or []
    if not left_out or not isinstance(left_out, list):  # of an adaptation these are ways to adapt
        return
    yield paragraph(f"{len(left_out):,} items were left out on request.")
    if record.examples is not None:
        yield from bullets(f"{each.get('place', '')}: {each.get('reason', '')}" for each in left_out[:_MOST])
