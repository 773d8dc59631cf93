"""Linear heads in transformers' own classes: transformers itself gives the scores that the head gives on features."""

from pathlib import Path

import pytest
import torch
import transformers

from headstart import backbones
from headstart.backbones import LinearHead, load, rebuild
from headstart.errors import BackboneError
from tests.backbones.test_transformers import ENCODER, NETWORKS, tiny

TEXTS = ["The cat sat on the mat.", "a bird", "the blue cats sitting", "the dog and the dog and the dog"]
AVERAGING = ["bert", "roberta", "camembert", "distilbert", "electra", "electra-narrow", "deberta-v2", "deberta-v3"]
FIRST = [*AVERAGING, "mpnet", "deberta", "deberta-absolute"]


def pooled(folder: Path, family: str, how: str) -> backbones.Backbone:
    found = load(f"dir:{tiny(folder, family)}")
    return rebuild({**found.source, "pooling": how}, found.assets, found.network.state_dict(), name=family)


def head_on(backbone: backbones.Backbone, *, classes: int = 3, scale: float = 1.0, problem: str = "x") -> LinearHead:
    generator = torch.Generator().manual_seed(0)
    weights = scale * torch.randn(classes, backbone.num_features, generator=generator)
    bias = scale * torch.randn(classes, generator=generator)
    labels = tuple(f"class {i}" for i in range(classes))
    return LinearHead(weights, bias, labels, problem, float(scores_of(backbone, weights, bias).norm(dim=1).max()))


@torch.inference_mode()
def scores_of(backbone: backbones.Backbone, weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return backbone.forward(backbone.prepare(TEXTS)) @ weights.T + bias


@torch.inference_mode()
def theirs(backbone: backbones.Backbone, head: LinearHead, folder: Path) -> torch.Tensor:
    """Write, load with transformers' own loaders, and answer a padded batch."""
    folder.mkdir()
    backbones.save_with_head(backbones.sequence_classifier(backbone, head), folder)
    backbones.write_tokenizer(backbone, folder)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert list(network.config.id2label.values()) == list(head.labels)
    encoded = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    return network(**encoded).logits


@pytest.mark.parametrize(("family", "how"), [(f, "mean") for f in AVERAGING] + [(f, "cls") for f in FIRST])
def test_transformers_gives_the_scores_of_the_head(family: str, how: str, tmp_path: Path) -> None:
    backbone = pooled(tmp_path / "base", family, how)
    head = head_on(backbone)
    ours = scores_of(backbone, head.weights, head.bias)
    torch.testing.assert_close(theirs(backbone, head, tmp_path / "out"), ours, atol=2e-5 * head.largest, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 300.0])
@pytest.mark.parametrize("how", ["mean", "cls"])
def test_scores_of_any_size_come_through(how: str, scale: float, tmp_path: Path) -> None:
    backbone = pooled(tmp_path / "base", "bert", how)
    head = head_on(backbone, scale=scale, classes=1)
    ours = scores_of(backbone, head.weights, head.bias)
    torch.testing.assert_close(theirs(backbone, head, tmp_path / "out"), ours, atol=2e-5 * head.largest, rtol=0)


def test_a_decoder_is_read_at_its_last_token_and_its_bias_moves_into_the_norm(tmp_path: Path) -> None:
    backbone = pooled(tmp_path / "base", "gpt2", "last")
    head = head_on(backbone)
    ours = scores_of(backbone, head.weights, head.bias)
    torch.testing.assert_close(theirs(backbone, head, tmp_path / "out"), ours, atol=1e-5 * head.largest, rtol=0)


def test_the_bounds_of_what_was_seen_are_far_away(tmp_path: Path) -> None:
    backbone = pooled(tmp_path / "base", "bert", "mean")
    head = head_on(backbone)
    small = LinearHead(head.weights, head.bias, head.labels, head.problem, head.largest / 30)
    ours = scores_of(backbone, head.weights, head.bias)
    torch.testing.assert_close(theirs(backbone, small, tmp_path / "out"), ours, atol=5e-3 * head.largest, rtol=0)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "electra", "mpnet", "deberta-v3", "gpt2"])
def test_transformers_gives_the_scores_of_every_token(family: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path / 'base', family)}")
    head = head_on(backbone)
    out = tmp_path / "out"
    backbones.save_with_head(backbones.token_classifier(backbone, head), out)
    network = transformers.AutoModelForTokenClassification.from_pretrained(out)
    with torch.inference_mode():
        batch = backbone.prepare(TEXTS[:1])
        expected = backbones.word_backbone(backbone, "first")
        features = expected.forward(expected.prepare(TEXTS[:1]))
        found = network(input_ids=batch.values).logits[0]
    ours = features @ head.weights.T + head.bias
    assert all((row - found).abs().max(1).values.min() < 1e-4 for row in ours)


@pytest.mark.parametrize(
    ("family", "how", "said"),
    [
        ("mpnet", "mean", "transformers' classifier of 'mpnet' cannot"),
        ("causal-bert", "mean", "transformers' classifier of 'bert' cannot"),
        ("bert", "last", "reads the first token, and this model the last"),
        ("albert", "mean", "no way is known"),
    ],
)
def test_what_a_class_cannot_give_is_refused_with_what_can(family: str, how: str, said: str, tmp_path: Path) -> None:
    backbone = pooled(tmp_path / "base", family, how)
    with pytest.raises(BackboneError, match=rf"{said}.*--format onnx"):
        backbones.sequence_classifier(backbone, head_on(backbone))


def test_more_classes_than_channels_are_refused(tmp_path: Path) -> None:
    for family, how, said in (("bert", "mean", "do not fit into 16"), ("bert", "cls", "do not pass its 16")):
        backbone = pooled(tmp_path / how, family, how)
        with pytest.raises(BackboneError, match=said):
            backbones.sequence_classifier(backbone, head_on(backbone, classes=17))


def test_a_tagger_of_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    backbone = pooled(tmp_path / "base", "albert", "mean")
    with pytest.raises(BackboneError, match="no way is known"):
        backbones.token_classifier(backbone, head_on(backbone))


def test_an_architecture_without_such_a_class_says_so() -> None:
    from headstart.backbones._transformers import create_with_head

    with pytest.raises(BackboneError, match="has no classifier of this architecture"):
        create_with_head({"model_type": "bert", **ENCODER}, "sound", labels=["a"], problem="x", where="here")


def test_the_tokenizer_folds_case_where_headstart_does(tmp_path: Path) -> None:
    found = load(f"dir:{tiny(tmp_path / 'base', 'gpt2')}")
    lower = rebuild({**found.source, "lower": True}, found.assets, found.network.state_dict())
    backbones.write_tokenizer(lower, tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("ABC")["input_ids"] == tokenizer("abc")["input_ids"]
    assert tokenizer.model_max_length == found.source["window"]


def test_every_family_of_the_table_of_blocks_is_decided(tmp_path: Path) -> None:
    assert set(FIRST) | {"gpt2", "albert", "causal-bert", "bert-classifier"} == set(NETWORKS)
