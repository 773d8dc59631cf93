"""How the model is made and came about: frozen and trained parts, licences, cost, and how to make it again."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from headstart.report.model._charts import blocks, finite
from headstart.report.model._html import bullets, figure, pairs, paragraph, part, seconds, table
from headstart.report.model._record import ModelRecord

WATTS: Final = {"cpu": 65.0, "cuda": 365.0, "mps": 40.0}  # of a whole machine at work
_SAID: Final = {
    "cpu": "65 W, what a laptop or desktop processor takes under load",
    "cuda": "365 W, 300 W for the GPU and 65 W for the rest",
    "mps": "40 W, what a laptop of this kind takes under load",
}
_PHONE: Final = 15.0  # watt-hours in a charge


def frozen(record: ModelRecord) -> Iterator[str]:
    """Yield which part of the network is as it was pretrained, and which was trained."""
    found, kept = record.network, part(record.kept, "network")
    base = part(found, "base")
    name = str(base.get("name") or found.get("backbone") or "")
    rows = [("Network", name), ("Adapted by", _strategy(record))]
    total, trained, head = (kept.get(key) for key in ("parameters", "trained", "head"))
    if finite(total) and finite(trained) and total:
        rows.append(("Frozen", f"{total - trained:,} of {total:,} parameters ({(total - trained) / total:.0%})"))
        rows.append(("Trained", f"{trained:,} parameters of the network" if trained else "nothing of the network"))
    elif base.get("trained"):
        rows.append(("Trained", f"{len(base['trained']):,} tensors of the network"))
    if finite(head):
        rows.append(("New head", f"{head:,} parameters"))
    if found.get("contents") == "slim":
        rows.append(("Contents", "slim: the pretrained weights are not in the folder, and are found by name and hash"))
    yield from pairs(row for row in rows if row[1])
    shares = [(str(block["name"]), float(block["trained"])) for block in kept.get("blocks") or ()]
    if shares:
        alt = "Blocks from input to output: " + ", ".join(
            f"{block} {'trained' if share else 'frozen'}" for block, share in shares
        )
        numbered = [*((str(place), share) for place, (_, share) in enumerate(shares, 1)), ("head", 1.0)]
        said = "Blocks from input to output, the new head at the end; coloured: trained, grey: frozen."
        yield figure(blocks(numbered, alt=alt), said)
    yield from bullets(str(note) for note in found.get("notes") or ())


def _strategy(record: ModelRecord) -> str:
    chosen = part(record.evaluation, "chosen")
    settings = ", ".join(f"{name} {_setting(value)}" for name, value in chosen.items())
    strategy = str(record.network.get("strategy") or record.evaluation.get("strategy") or "")
    return f"{strategy} ({settings})" if settings else strategy


def _setting(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def licences(record: ModelRecord) -> Iterator[str]:
    """Yield what the publisher of the weights and the data say of their use."""
    kept, given = part(record.kept, "network"), part(record.kept, "data").get("licence")
    rows = [
        ("Weights", str(kept.get("licence") or "not stated where they came from: ask their publisher")),
        ("Learned from", str(kept.get("pretraining") or "not stated")),
        ("Data", str(given or "not stated: there is no file LICENSE, LICENCE or COPYING beside it")),
    ]
    yield from pairs(rows)
    yield paragraph("As given, and no legal advice: what may be done with the model follows from both.", style="note")


def cost(record: ModelRecord) -> Iterator[str]:
    """Yield what took how long, and an estimate of the energy."""
    found, device = record.evaluation, str(part(record.kept, "made").get("device") or "cpu")
    total = found.get("seconds")
    if not finite(total):
        yield paragraph("Not kept by the version that made the model.")
        return
    yield from table(["what", "took"], [[name, seconds(value)] for name, value in _stages(found, float(total))])
    watts = WATTS.get(device, WATTS["cpu"])
    hours = watts * float(total) / 3600
    yield paragraph(
        f"Energy: about {hours:.2g} Wh ({hours / _PHONE:.2g} charges of a telephone of 15 Wh), estimated as "
        f"{seconds(total)} "
        f"at {_SAID.get(device, _SAID['cpu'])}. It was not measured, and pretraining is not in it."
    )
    if finite(found.get("feature_seconds")):
        yield paragraph(
            f"Of this {seconds(found['feature_seconds'])} went into frozen passes, whose features are kept: the next "
            f"run on "
            "the same data starts from them.",
            style="note",
        )


def _stages(found: Mapping[str, Any], total: float) -> list[tuple[str, float]]:
    rungs = [(f"rung: {rung['name']}", float(rung["seconds"])) for rung in found.get("rungs") or ()]
    others = [
        (f"baseline: {name}", float(other["seconds"]))
        for name, other in part(found, "baselines").items()
        if finite(other.get("seconds"))
    ]
    rest = total - sum(spent for _, spent in (*rungs, *others))
    return [*rungs, *others, ("starting, reading, measuring, saving", max(0.0, rest)), ("all", total)]


def again(record: ModelRecord) -> Iterator[str]:
    """Yield how to make the model again, how to use it, and what it was made with."""
    command = record.shown.get("command") or part(record.kept, "asked").get("command")
    name = escape(record.name)
    lines = [f"{escape(str(command))}    # the same data, options and seed"] if command else []
    lines += [
        f"headstart predict {name} INPUT    # answers for new {record.item}s",
        f"headstart evaluate {name} LABELLED    # the score on other labelled data",
        f"headstart report {name}    # this page again",
    ]
    yield f"<pre><code>{chr(10).join(lines)}</code></pre>"
    made = part(record.kept, "made")
    told = [(title, str(made.get(key) or "")) for title, key in _MADE]
    told.insert(1, ("Headstart", record.version))
    hashes = [
        ("Data", str(record.data.get("fingerprint") or "")),
        ("Weights", str(record.network.get("weights_hash") or "")),
    ]
    yield from pairs((title, said) for title, said in [*told, *hashes] if said)
    yield paragraph(
        "With the same versions on the same kind of machine the numbers are the same; times are not, and with a "
        "budget what "
        "is tried may follow them.",
        style="note",
    )


_MADE: Final = (
    ("Made", "date"),
    ("Seed", "seed"),
    ("Python", "python"),
    ("Libraries", "libraries"),
    ("Machine", "machine"),
    ("Device", "device"),
)
