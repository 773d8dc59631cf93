"""What the page of an audit shows, from its result."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headstart.audit import Flattery, Leak
from headstart.data import Dataset, given_sides
from headstart.errors import OptionError
from headstart.pipeline._audit import AuditResult
from headstart.pipeline._corrections import Suspect
from headstart.pipeline._privacy import Examples, cut_short, keeps_examples_out
from headstart.report import ShownItem, ShownPair, Table, write_audit
from headstart.tasks import task_from_labels

UNSHOWN: Final = "No item is shown or named here (--examples does both)."
_KINDS: Final = (("Labels that are probably wrong", "label-errors"), ("Items like no other", "outliers"))
_KIND_NAMES: Final = {"made": "made with the file", "shown": "follow from what is shown", "behind": "behind the item"}


def check_page(path: Path) -> Path:
    """Refuse before any compute a page that cannot be written.

    Args:
        path: Where it is wanted.

    Returns:
        The path.

    Raises:
        OptionError: The name does not end in .html, or there is no such folder.
    """
    fix = "Choose another -o."
    if path.suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"expected a name ending in .html, found {path.name!r}", where="-o", fix=fix)
    if not path.parent.is_dir() or path.is_dir():
        raise OptionError("the folder does not exist, or the name is a folder's", where=str(path), fix=fix)
    return path


def write_audit_page(result: AuditResult, path: Path, *, examples: Examples = "auto") -> None:
    """Write the page.

    Args:
        result: What `headstart.pipeline.audit` found.
        path: A name that `check_page` accepts; a page that is there is replaced.
        examples: ``none`` shows and names no item; ``auto`` does so for DICOM files.

    Raises:
        OptionError: The file cannot be written.
    """
    dataset = result.dataset
    findings = [f"{each.severity}: {each.kind}: {each.found}. {each.fix}" for each in result.inspection.findings]
    facts = [f"{result.inspection.n:,} items; features of {result.backbone}." if dataset else "Nothing can be used."]
    facts += [*findings, *(f"Not looked at: {each}" for each in result.unseen)]
    if dataset is None:
        write_audit(path, "text", title="Data check", facts=facts, tables=(), pairs=(), kinds=())
        return
    if keeps_examples_out(dataset, examples):
        facts = [*map(cut_short, facts), UNSHOWN]
        write_audit(
            path, "text", title="Data check", facts=facts, tables=list(_tables(result, dataset)), pairs=(), kinds=()
        )
        return
    kinds = [
        (title, [_shown(each, dataset) for each in result.suspects if each.kind == kind]) for title, kind in _KINDS
    ]
    write_audit(
        path,
        dataset.modality,
        title=f"Data check: {Path(dataset.source).name}",
        facts=facts,
        tables=list(_tables(result, dataset)),
        pairs=list(_pairs(result, dataset)),
        kinds=kinds,
    )


def _shown(each: Suspect, dataset: Dataset) -> ShownItem:
    label = "" if dataset.labels is None else dataset.labels[each.index]
    said = f"{each.score:.1f} times the usual distance"
    if each.kind == "label-errors":
        said = f"probably {each.suggested} (wrong: {each.score:.0%})"
    return ShownItem(dataset.items[each.index], dataset.places[each.index], label, said)


def _pairs(result: AuditResult, dataset: Dataset) -> Iterator[ShownPair]:
    found, sides = result.duplicates, given_sides(dataset)
    if found is None:
        return
    side = next(iter(sides.values())) if sides else ("",) * len(dataset)
    label = dataset.labels or ("",) * len(dataset)
    for (i, j), distance in zip(found.pairs.tolist(), found.distances.tolist(), strict=True):
        said = [f"distance {distance:.3f}"]
        across, other = side[i] != side[j], label[i] != label[j] and dataset.kind != "regression"
        said += [f"in {side[i]} and {side[j]}"] * across + ["different labels"] * other
        both = (ShownItem(dataset.items[n], dataset.places[n], label[n], side[n]) for n in (i, j))
        yield ShownPair((next(both), next(both)), ", ".join(said), across or other)


def _tables(result: AuditResult, dataset: Dataset) -> Iterator[Table]:
    if result.flattery is not None:
        yield flattery_table(result.flattery)
    if result.leaks:
        classes = task_from_labels(dataset.kind, dataset.labels or ()).classes
        yield _leaks(result.leaks, classes)


def flattery_table(found: Flattery) -> Table:
    """Put scores under random and grouped splits side by side.

    Args:
        found: Both.

    Returns:
        A row per seed, and one of the means.
    """
    rows = [
        (f"seed {n}", f"{random:.3f}", f"{grouped:.3f}", f"{random - grouped:+.3f}")
        for n, (random, grouped) in enumerate(found.seeds.tolist())
    ]
    mean = ("mean", f"{found.random:.3f}", f"{found.grouped:.3f}", f"{found.difference:+.3f}")
    note = (
        f"The difference is the mean over the same items, with its 95 % interval [{found.low:+.3f}, {found.high:+.3f}] "
        f"over {found.n_groups:,} groups."
    )
    head = ("accuracy of a probe", "random split", "groups together", "difference")
    return Table("Random and grouped splits", head, (*rows, mean), note)


def _leaks(leaks: tuple[Leak, ...], classes: tuple[str, ...]) -> Table:
    rows = [
        (
            _KIND_NAMES[each.kind],
            each.by,
            classes[each.label],
            f"{each.by_area:.2f}",
            f"{each.area:.2f}",
            f"{each.feature_area:.2f}",
            f"{each.accuracy:.3f}",
            f"{each.chance:.3f}",
            "yes" if each.alarm else "no",
        )
        for each in leaks
    ]
    head = (
        "properties", "the best", "class it tells", "AUROC by it", "by all such", "by features", "accuracy",
        "commonest class", "leak",
    )  # fmt: skip
    note = "Held-out figures of probes on properties alone; AUROC of one class against the others, 0.5 is a coin toss."
    return Table("What the items do not show", head, rows, note)
