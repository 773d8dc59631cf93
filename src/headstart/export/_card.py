"""The card of a model, as the Hugging Face hub has them: facts for machines on top, then what a reader should know.

It shows no example. What is unknown (a licence, an intended use) stays unknown.
"""

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from headstart.artifact import Artifact
from headstart.backbones import known_licence
from headstart.export._base import Measured, Written
from headstart.export._parity import TOLERANCE, Parity

PIPELINES: Final = {
    ("text", "tagging"): "token-classification",
    ("text", "classification"): "text-classification",
    ("text", "multilabel"): "text-classification",
    ("text", "regression"): "text-classification",
    ("image", "classification"): "image-classification",
    ("image", "multilabel"): "image-classification",
    ("image", "regression"): "image-classification",
    ("audio", "classification"): "audio-classification",
    ("audio", "multilabel"): "audio-classification",
    ("audio", "transcription"): "automatic-speech-recognition",
}
WHAT: Final = {
    "classification": "tells which of {n} classes {item} belongs to",
    "multilabel": "tells which of {n} labels {item} has",
    "regression": "estimates one number for {item}",
    "tagging": "finds entities of {types} types in a text",
    "transcription": "writes down what is said in a recording",
}
ITEMS: Final = {"text": "a text", "image": "a picture", "audio": "a recording"}
HOW: Final = {
    "test": "on a test part that was scored once",
    "holdout": "on a part of the data that was held out once",
    "cv": "by cross-validation, in which choosing the model was repeated",
}


def card(
    saved: Artifact,
    written: Written,
    parity: Parity,
    measured: Measured | None = None,
    *,
    format: str,  # noqa: A002
) -> str:
    """Write the card of an exported model.

    Args:
        saved: The model and what was measured of it.
        written: The export.
        parity: How far its answers are from the model's.
        measured: What else was measured of it.
        format: The format's name.

    Returns:
        Markdown with YAML on top.
    """
    parts = [*_front(saved, written), "", *_body(saved, written, parity, format)]
    if measured is not None:
        parts += ["", f"## {measured.title}", "", measured.said]
    return "\n".join(parts) + "\n"


def _front(saved: Artifact, written: Written) -> Iterator[str]:
    model = saved.model
    licence, base = known_licence(model.pretrained), hub_name(model.pretrained)
    yield "---"
    yield f"license: {_yaml(licence or 'unknown')}"
    if base is not None:
        yield f"base_model: {_yaml(base)}"
    yield f"library_name: {written.library}"
    pipeline = PIPELINES.get((model.backbone.modality, model.task.kind))
    if pipeline is not None:
        yield f"pipeline_tag: {pipeline}"
    yield "tags: [headstart, transfer-learning]"
    yield from _index(saved, pipeline or model.task.kind)
    yield "---"


def _index(saved: Artifact, pipeline: str) -> Iterator[str]:
    """The measured numbers as the hub reads them: JSON, which YAML holds."""
    test = saved.evaluation.get("test")
    if not isinstance(test, Mapping):
        return
    numbers = {test["metric"]: test["value"], **(test.get("metrics") or {})}
    metrics = [{"type": name, "value": round(float(value), 4)} for name, value in numbers.items() if value is not None]
    source = _source(saved)
    result = {"task": {"type": pipeline}, "dataset": {"name": source, "type": source}, "metrics": metrics}
    name = str(saved.evaluation.get("model") or saved.folder.name)
    yield f"model-index: {_yaml([{'name': name, 'results': [result]}])}"


def _body(saved: Artifact, written: Written, parity: Parity, kind: str) -> Iterator[str]:
    yield f"# {saved.evaluation.get('model') or saved.folder.name}"
    yield ""
    yield _summary(saved)
    yield ""
    yield "## How to load it"
    yield ""
    yield f"```python\n{written.load.replace('{folder}', 'FOLDER')}```"
    yield ""
    yield from _parity(parity, kind, written)
    yield from (f"* {limit}" for limit in written.limits)
    for title, lines in (
        ("Intended use and limits", _use(saved)),
        ("Data", _data(saved)),
        ("Evaluation", _evaluation(saved)),
        ("How confident it is", _confidence(saved, written)),
        ("How it was made", _made(saved)),
    ):
        yield ""
        yield f"## {title}"
        yield ""
        yield from lines


def _summary(saved: Artifact) -> str:
    task, modality = saved.model.task, saved.model.backbone.modality
    types = (task.n_outputs - 1) // 2
    what = WHAT[task.kind].format(n=task.n_outputs, item=ITEMS[modality], types=types)
    named = f" Outputs, in this order: {', '.join(task.classes[:100])}." if task.classes else ""
    return f"This model {what}. It was adapted from `{saved.model.pretrained}` by transfer learning.{named}"


def _parity(parity: Parity, kind: str, written: Written) -> Iterator[str]:
    bound = f" (more than {TOLERANCE:g} would have been refused)" if written.exact else ""
    own = f", {parity.given} of them of the data" if parity.given else ", made up for the purpose"
    yield (
        f"This folder ({kind}) was loaded again and its answers compared with those of the original model: over "
        f"{parity.n} inputs{own}, the largest difference is {parity.difference:.1e}{bound}, and {parity.same} "
        f"of {parity.n} have the same answer."
    )
    if not written.exact:
        yield "Its weights have 8 bits: the scores below are those of the model with 32, and what 8 cost is at the end."
    yield ""
    if parity.beyond:
        yield (
            f"* On {parity.beyond} more that are beyond what this format can answer alike (see below) it differs by up "
            f"to {parity.beyond_difference:.2g}."
        )


def _use(saved: Artifact) -> Iterator[str]:
    classes = saved.model.task.kind in ("classification", "tagging")
    yield "It is meant for items like those it was fitted on: same source, same kind, same way of recording or writing."
    if classes:
        yield "It always answers with what it knows: an item of none of its classes gets one of them all the same."
    yield "Its intended use was not stated when it was made, nor was its fairness between groups of people examined."


def _data(saved: Artifact) -> Iterator[str]:
    data = saved.data
    yield f"* Source: {_source(saved)}; {data.get('n_train', 'an unknown number of')} items trained it."
    if data.get("groups") is not None:
        yield "* Items of one group (patient, speaker, document) were never both trained on and scored."
    notes = saved.evaluation.get("notes") or ()
    if notes and str(notes[0]).startswith("Task:"):
        yield f"* {notes[0]}"


def _source(saved: Artifact) -> str:
    return str(saved.data.get("source") or "not named")


def _evaluation(saved: Artifact) -> Iterator[str]:
    test = saved.evaluation.get("test")
    if not isinstance(test, Mapping):
        yield "Nothing was measured."
        return
    yield f"Measured {HOW.get(test['how'], test['how'])}, over {test['n']} items; 95 % intervals in brackets."
    yield ""
    yield f"| | {test['metric']} | this model is better by |"
    yield "|---|---|---|"
    yield f"| this model | {_interval(test['value'], test['interval'])} | |"
    for name, other in (saved.evaluation.get("baselines") or {}).items():
        ahead = _interval(other.get("difference"), other.get("difference_interval"))
        yield f"| {name} | {_interval(other.get('value'), other.get('interval'))} | {ahead} |"
    helped = saved.evaluation.get("transfer_helped")
    if helped is not None:
        yield ""
        yield (
            "Transfer learning helped here."
            if helped
            else "A simpler way without pretraining was as good or better here."
        )


def _interval(value: Any, interval: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _confidence(saved: Artifact, written: Written) -> Iterator[str]:
    trust = saved.evaluation.get("trust")
    calibration = trust.get("calibration") if isinstance(trust, Mapping) else None
    if not calibration:
        yield "Nothing is known of how far its probabilities can be trusted."
        return
    low, high = calibration["interval"]
    yield (
        f"Its probabilities are off by {calibration['error']:.3f} on average (calibration error, 95 % interval "
        f"{low:.3f} to {high:.3f}, {calibration['n']} answers). Sets of classes, abstaining and novelty are answers of "
        f"{'this folder too' if written.promises is not None else 'Headstart, and not in this folder'}."
    )
    yield from (f"* {promise}" for promise in written.promises or ())


def _made(saved: Artifact) -> Iterator[str]:
    chosen = saved.evaluation.get("chosen") or {}
    yield f"* Way of adapting: `{saved.model.strategy}`."
    if chosen:
        yield f"* Settings that were chosen: {', '.join(f'{name} {value}' for name, value in chosen.items())}."
    yield from (f"* Network: {note}." for note in saved.model.backbone.notes)
    yield f"* Exported with {', '.join(f'{name} {number}' for name, number in versions().items())}."


def versions() -> dict[str, str]:
    """Return the versions of what an export is made with."""
    found = {}
    for name in ("headstart", "torch", "transformers", "timm", "peft"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def hub_name(name: str) -> str | None:
    """Return what the hub calls a backbone; None where it comes from elsewhere.

    Args:
        name: Its address.

    Returns:
        ``org/model``, or None.
    """
    scheme, _, target = name.partition("#")[0].partition(":")
    if scheme == "hf":
        return target.partition("@")[0]
    return f"timm/{target}" if scheme == "timm" else None


def _yaml(value: Any) -> str:
    """Write a value as JSON, which is YAML too."""
    return json.dumps(value, ensure_ascii=False)
