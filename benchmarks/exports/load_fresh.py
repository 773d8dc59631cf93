"""Load an exported folder where Headstart is not installed, and compare its answers with what `headstart predict` said.

Where Headstart is:      headstart predict MODEL INPUTS --json > expected.jsonl
                         headstart export MODEL -o FOLDER --format transformers
In another environment:  python load_fresh.py FOLDER INPUTS expected.jsonl

INPUTS is a CSV with a column `text`, or a folder of pictures (read with its sub-folders, sorted). Needs transformers or
timm, whichever FOLDER is for, and torch; no Headstart. Exit status 1 where a label differs or a probability by more
than 1e-4.
"""

import csv
import json
import sys
from pathlib import Path

import torch

TOLERANCE = 1e-4


def of_texts(folder: Path, inputs: Path):
    """Answer texts with transformers, as the card of the folder says."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with inputs.open(newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    with torch.inference_mode():
        scores = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits
    return [model.config.id2label[i] for i in range(scores.shape[1])], linked(scores, model.config.problem_type)


def of_pictures(folder: Path, inputs: Path):
    """Answer pictures with timm, as the card of the folder says."""
    import timm
    from PIL import Image

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    pictures = [Image.open(path).convert("RGB") for path in sorted(inputs.rglob("*")) if path.is_file()]
    with torch.inference_mode():
        scores = torch.cat([model(transform(picture)[None]) for picture in pictures])
    return model.pretrained_cfg["label_names"], linked(scores, "single_label_classification")


def linked(scores, problem):
    """Turn scores into probabilities, or leave values."""
    if problem == "regression":
        return scores
    return scores.sigmoid() if problem == "multi_label_classification" else scores.softmax(1)


def compare(labels, outputs, expected):
    """Return the largest difference, and how many answers are others."""
    difference, others = 0.0, 0
    for row, said in zip(outputs.tolist(), expected, strict=True):
        found = dict(zip(labels, row, strict=True))
        wanted = said.get("probabilities") or {labels[0]: said["value"]}
        difference = max(difference, *(abs(found[name] - value) for name, value in wanted.items()))
        others += "label" in said and max(found, key=found.get) != said["label"]
    return difference, others


def main():
    """Compare, and say what was found."""
    folder, inputs, expected = map(Path, sys.argv[1:4])
    said = [json.loads(line) for line in expected.read_text("utf-8").splitlines()]
    texts = "model_type" in json.loads((folder / "config.json").read_text("utf-8"))
    labels, outputs = (of_texts if texts else of_pictures)(folder, inputs)
    assert "headstart" not in sys.modules, "this must work without Headstart"
    difference, others = compare(labels, outputs, said)
    print(f"{len(said)} items, labels {labels}: largest difference {difference:.1e}, {others} other answers")
    sys.exit(difference > TOLERANCE or others > 0)


if __name__ == "__main__":
    main()
