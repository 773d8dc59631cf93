"""Features on a map: the two axes along which they vary most."""

from collections.abc import Iterator
from typing import Any

from headstart.report.model._charts import feature_map
from headstart.report.model._html import bullets, ends_of, figure, paragraph, part, score, table
from headstart.report.model._record import ModelRecord


def feature_maps(record: ModelRecord) -> Iterator[str]:
    """Yield a map of the training features, or of both domains where the model was adapted."""
    found = part(record.kept, "map")
    if found.get("points"):
        names, wrong = [str(name) for name in found.get("names") or ()], found.get("wrong") or []
        told = f" Crosses: scored {record.item}s with a wrong answer." if wrong else ""
        alt = f"Features of {len(found['points']):,} training {record.item}s along two axes, coloured by class"
        share = f"; they hold {found['share']:.0%} of the variance" if "share" in found else ""
        caption = (
            f"What the network makes of {len(found['points']):,} training {record.item}s, along the two axes on "
            f"which it "
            f"varies most{share}. Classes that lie apart are easy; what overlaps here may lie apart along others.{told}"
            f"{_others(found)}"
        )
        yield figure(feature_map(found["points"], names, wrong, alt=alt), caption)
    for each in part(record.kept, "domains").get("maps") or ():
        yield from _domains(each, part(record.kept, "domains"))


def _others(found: Any) -> str:
    return " Classes beyond the seven commonest are grey." if found.get("others") else ""


def _domains(each: Any, found: Any) -> Iterator[str]:
    """Draw both domains by domain, then by class."""
    names = [str(name) for name in found.get("names") or ()]
    source, target = each["source"], each["target"]
    by_domain = [[x, y, side] for side, points in enumerate((source, target)) for x, y, _ in points]
    yield f"<h3>{'Before' if each['name'] == 'before' else 'After'} adapting</h3>"
    yield '<div class="two">'
    drawn = feature_map(by_domain, ["source", "target"], (), alt="Features of both domains, coloured by domain")
    yield figure(drawn, "Source and target along the two axes on which both together vary most.")
    drawn = feature_map([*source, *target], names, (), alt="Features of both domains, coloured by class")
    yield figure(drawn, "The same by class: of the source its labels, of the target the answers it gets.")
    yield "</div>"


def domains(record: ModelRecord) -> Iterator[str]:
    """Yield what is known of both domains: shares of the classes, and the ways to adapt."""
    found = record.evaluation
    rows = []
    for name, facts in part(found, "classes").items():
        moved = "" if facts.get("shift") is None else f"{facts['shift']:.2f}"
        rows.append([name, f"{facts['source']:.3f}", score(facts.get("target"), facts.get("interval")), moved])
    note = (
        "Shares are right only where classes look alike in both domains. Moved by: distance between the means of a "
        "class "
        "over its spread in the source, by the answers of the head as it is."
    )
    yield "<h3>Classes</h3>"
    yield from table(["class", "share in the source", "estimated in the target", "moved by"], rows, note=note)
    gap = part(found, "gap")
    if gap:
        yield paragraph(
            f"Gap: AUC of a classifier of domains {score(gap.get('auc'), ends_of(gap.get('interval')))}; proxy "
            f"A-distance "
            f"{score(gap.get('proxy_a_distance'))} of 2; squared MMD {gap.get('mmd', 0):.4f}, p "
            f"{score(gap.get('mmd_p'))}."
        )


def ways(record: ModelRecord) -> Iterator[str]:
    """Yield the ways to adapt that were looked at."""
    found = record.evaluation.get("candidates") or []
    judged = [name for name in ("information", "mixval") if any(name in each for each in found)]
    rows = [
        [
            f"{each['name']}{' (chosen)' if each['name'] == record.evaluation.get('chosen') else ''}",
            score(each.get("modularity")),
            score(each.get("better")),
            f"{each.get('changed') or 0:.0%}",
            *(score(each[name]) if each.get(name) is not None else "" for name in judged),
        ]
        for each in found
    ]
    note = (
        "Modularity: how much oftener than by chance neighbours in the target get one answer. Above none: the "
        "probability "
        "that it is higher than that of the head as it is."
    )
    yield from table(["way", "modularity", "above none", "answers changed", *judged], rows, note=note)
    yield from bullets(f"Left out: {name}: {why}" for name, why in part(record.evaluation, "left_out").items())
