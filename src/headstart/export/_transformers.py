"""A folder that ``AutoModelForSequenceClassification`` or ``AutoModelForTokenClassification`` loads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from headstart.artifact import Artifact
from headstart.backbones import (
    Backbone,
    LinearHead,
    load_tokenizer,
    load_with_head,
    pool_words,
    save_with_head,
    sequence_classifier,
    token_classifier,
    write_tokenizer,
)
from headstart.data import Item
from headstart.errors import ArtifactError
from headstart.export._base import FIX, Written, labels_of, linear_head, outputs_of
from headstart.export._parity import TEXTS
from headstart.linear import LinearModel
from headstart.model import AdaptedModel
from headstart.tasks import ragged

AT_ONCE: Final = 16
PROBLEMS: Final = {
    "classification": "single_label_classification",
    "multilabel": "multi_label_classification",
    "regression": "regression",
    "tagging": "single_label_classification",  # of every token
}
SEQUENCES: Final = """import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

model = AutoModelForSequenceClassification.from_pretrained("{folder}").eval()
tokenizer = AutoTokenizer.from_pretrained("{folder}")

with torch.inference_mode():
    scores = model(**tokenizer(["a text"], padding=True, truncation=True, return_tensors="pt")).logits
answer = scores{link}  # in the order of model.config.id2label
"""
TOKENS: Final = """import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

model = AutoModelForTokenClassification.from_pretrained("{folder}").eval()
tokenizer = AutoTokenizer.from_pretrained("{folder}")

encoded = tokenizer("a text", truncation=True, return_offsets_mapping=True, return_tensors="pt")
offsets = encoded.pop("offset_mapping")[0]  # the characters of every token
with torch.inference_mode():
    scores = model(**encoded).logits[0]
# A word's scores are {words}; then softmax.
"""
LINKS: Final = {"classification": ".softmax(1)", "multilabel": ".sigmoid()", "regression": "[:, 0]"}
OF_WORDS: Final = {"first": "those of its first token", "mean": "the mean of the scores of its tokens"}


def write(saved: Artifact, folder: Path) -> Written:
    """Write a model of texts as one of transformers' own classes.

    Args:
        saved: The model.
        folder: An existing folder.

    Returns:
        What was written.

    Raises:
        ArtifactError: Its network is none of transformers' for texts, or its head is none that these classes have.
        BackboneError: The class of its architecture cannot give the same answers.
    """
    model = saved.model
    _check(saved)
    head = linear_head(model, "transformers")
    tagging = model.task.kind == "tagging"
    place = token_classifier if tagging else sequence_classifier
    network = place(model.backbone, _placed(model, head))
    save_with_head(network, folder)
    write_tokenizer(model.backbone, folder)
    return (_of_tokens if tagging else _of_sequences)(model, folder)


def _check(saved: Artifact) -> None:
    backbone = saved.model.backbone
    problem = ""
    if backbone.source.get("library") != "transformers":
        problem = (
            f"its network comes from {backbone.source.get('library')}, and only transformers' for texts are written"
        )
    elif "after" in backbone.source:
        problem = f"its network is cut off after {backbone.source['after']!r}, and transformers builds whole ones"
    if problem:
        raise ArtifactError(problem, where=str(saved.folder), fix=f"Try --format timm for pictures; {FIX}")


def _placed(model: AdaptedModel, head: LinearModel) -> LinearHead:
    """Measure how large scores become, which decides how they are kept apart from what is not to count."""
    backbone = model.backbone
    with torch.inference_mode():
        features = backbone.forward(backbone.prepare(list(TEXTS))).cpu().numpy()
    return LinearHead(
        weights=torch.from_numpy(head.weights),
        bias=torch.from_numpy(head.bias),
        labels=labels_of(model),
        problem=PROBLEMS[model.task.kind],
        largest=float(np.linalg.norm(head.logits(features), axis=1).max()),
    )


def _of_sequences(model: AdaptedModel, folder: Path) -> Written:
    averaging = model.backbone.source["pooling"] == "mean"
    limits = [_window_limit(model.backbone)]
    if averaging:
        limits.append(
            "Its last layer was not trained: it averages the tokens and holds the head, because transformers' class "
            "reads the first token only. Its numbers need float32 (or bfloat16), not float16; to train it further, "
            "start from the model before it."
        )
    return Written(
        answers=lambda items: _answers(model, folder, items),
        library="transformers",
        load=SEQUENCES.format(folder="{folder}", link=LINKS[model.task.kind]),
        call='AutoModelForSequenceClassification.from_pretrained("{folder}")',
        limits=tuple(limits),
        beyond=lambda items: _beyond(model.backbone, items),
    )


def _of_tokens(model: AdaptedModel, folder: Path) -> Written:
    pooling = model.backbone.pooling_of_words
    assert pooling is not None, "a tagger has features of words"
    limits = (
        _window_limit(model.backbone),
        f"transformers answers for tokens; a word's scores are {OF_WORDS[pooling]}. Its pipeline's own ways of joining "
        "tokens are others, and it does not keep an I- tag from following what it cannot, as Headstart does.",
    )
    return Written(
        answers=lambda items: _tags(model, folder, items),
        library="transformers",
        load=TOKENS.format(folder="{folder}", words=OF_WORDS[pooling]),
        call='AutoModelForTokenClassification.from_pretrained("{folder}")',
        limits=limits,
        beyond=lambda items: _beyond(model.backbone, items),
    )


def _window_limit(backbone: Backbone) -> str:
    window = backbone.source["window"]
    return f"A text of more than {window} tokens is cut off there; Headstart reads all of it, in windows."


def _beyond(backbone: Backbone, items: Sequence[Item]) -> list[bool]:
    """Say which texts have several windows, or none of their own because nothing is in them."""
    return [len(backbone.prepare([item]).values) > 1 or not str(item).strip() for item in items]


def _answers(model: AdaptedModel, folder: Path, items: Sequence[Item]) -> NDArray[Any]:
    network, tokenizer = load_with_head(folder, "sequence"), load_tokenizer(folder)
    scores = np.zeros((len(items), model.task.n_outputs), dtype=np.float32)
    for at in range(0, len(items), AT_ONCE):
        texts = [str(item) for item in items[at : at + AT_ONCE]]
        encoded = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        if encoded["input_ids"].shape[1]:
            with torch.inference_mode():
                scores[at : at + AT_ONCE] = network(**encoded).logits.numpy()
    return outputs_of(model, scores)


def _tags(model: AdaptedModel, folder: Path, items: Sequence[Item]) -> NDArray[Any]:
    """Answer for words: where their tokens are is Headstart's, the tokens and their scores are transformers'."""
    network, tokenizer = load_with_head(folder, "tokens"), load_tokenizer(folder)
    return ragged(_tags_of(model, network, tokenizer, item) for item in items)


def _tags_of(model: AdaptedModel, network: Callable[..., Any], tokenizer: Any, item: Item) -> NDArray[np.float64]:
    batch = model.backbone.prepare([item])
    words = 0 if batch.words is None else batch.words.count
    encoded = tokenizer(str(item), truncation=True, return_tensors="pt")
    if len(batch.values) > 1 or not torch.equal(encoded["input_ids"], batch.values):
        return np.full((words, model.task.n_outputs), 1 / model.task.n_outputs)
    with torch.inference_mode():
        scores = network(**encoded).logits
    return outputs_of(model, pool_words(replace(batch, values=scores)).numpy())
