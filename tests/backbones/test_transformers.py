"""Text networks: blocks, pooling, windows, padding and the files they come in, on tiny random configurations."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from headstart.backbones import load, rebuild
from headstart.errors import BackboneError
from tests.backbones.layouts import TEXTS, byte_level, check_chain, randomise, wordpiece

SIZE: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ENCODER = {"vocab_size": 40, "max_position_embeddings": 34, **SIZE}
ROBERTA = transformers.RobertaConfig(**ENCODER, pad_token_id=1, bos_token_id=2, eos_token_id=3)
CAMEMBERT = transformers.CamembertConfig(**ENCODER, pad_token_id=1, bos_token_id=2, eos_token_id=3)
DISTILBERT = transformers.DistilBertConfig(
    vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=34
)
GPT2 = transformers.GPT2Config(
    vocab_size=257, n_embd=16, n_layer=2, n_head=2, n_positions=40, bos_token_id=256, eos_token_id=256
)
MPNET = transformers.MPNetConfig(**ENCODER, pad_token_id=1, bos_token_id=2, eos_token_id=3)
RELATIVE: dict[str, Any] = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
DEBERTA = transformers.DebertaConfig(**ENCODER, **RELATIVE, type_vocab_size=0)
BUCKETS = {"position_buckets": 4, "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0}
DEBERTA_V3 = transformers.DebertaV2Config(**ENCODER, **RELATIVE, **BUCKETS)
DEBERTA_V2 = transformers.DebertaV2Config(**ENCODER, **RELATIVE, **BUCKETS, conv_kernel_size=3, conv_act="gelu")
ALBERT = transformers.AlbertConfig(**ENCODER, embedding_size=8)
NETWORKS = {
    "bert": (transformers.BertForMaskedLM, transformers.BertConfig(**ENCODER), "mean", 34, 3),
    "bert-classifier": (transformers.BertForSequenceClassification, transformers.BertConfig(**ENCODER), "mean", 34, 3),
    "roberta": (transformers.RobertaModel, ROBERTA, "mean", 32, 3),
    "distilbert": (transformers.DistilBertForMaskedLM, DISTILBERT, "mean", 34, 3),
    "gpt2": (transformers.GPT2LMHeadModel, GPT2, "last", 40, 3),
    "causal-bert": (transformers.BertModel, transformers.BertConfig(**ENCODER, is_decoder=True), "mean", 34, 0),
    "electra": (transformers.ElectraModel, transformers.ElectraConfig(**ENCODER, embedding_size=16), "mean", 34, 3),
    "electra-narrow": (
        transformers.ElectraForPreTraining,
        transformers.ElectraConfig(**ENCODER, embedding_size=8),
        "mean",
        34,
        3,
    ),
    "camembert": (transformers.CamembertModel, CAMEMBERT, "mean", 32, 3),
    "mpnet": (transformers.MPNetForMaskedLM, MPNET, "mean", 32, 3),
    "deberta": (transformers.DebertaForMaskedLM, DEBERTA, "mean", 34, 3),
    "deberta-absolute": (transformers.DebertaModel, transformers.DebertaConfig(**ENCODER), "mean", 34, 3),
    "deberta-v2": (transformers.DebertaV2Model, DEBERTA_V2, "mean", 34, 3),
    "deberta-v3": (transformers.DebertaV2ForMaskedLM, DEBERTA_V3, "mean", 34, 3),
    "albert": (transformers.AlbertModel, ALBERT, "mean", 34, 0),
}


def tiny(folder: Path, family: str, **files: dict[str, Any]) -> Path:
    """Write a network as transformers does, with a tokenizer; `files` are further JSON files."""
    kind, config = NETWORKS[family][:2]
    randomise(kind(config)).save_pretrained(folder)
    (byte_level() if family == "gpt2" else wordpiece()).save(str(folder / "tokenizer.json"))
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".json").write_text(json.dumps(content))
    return folder


def windows_of(tokenizer: Any, text: str, window: int) -> list[list[int]]:
    """Cut a text by hand: all its tokens, then pieces, then the special tokens around each."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    empty = tokenizer.encode("").ids
    room = window - len(empty)
    pieces = [ids[i : i + room] for i in range(0, len(ids), room)] or [[]]
    return [[*empty[:1], *piece, *empty[1:]] or [256] for piece in pieces]


def reference(folder: Path, texts: list[str], *, pooling: str, window: int, family: str) -> torch.Tensor:
    """Every window through transformers' own forward alone, so with no padding; pooled and rejoined by hand."""
    network = transformers.AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        pooled, weights = [], []
        for ids in windows_of(byte_level() if family == "gpt2" else wordpiece(), text, window):
            hidden = network(input_ids=torch.tensor([ids])).last_hidden_state[0]
            pooled.append({"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pooling])
            weights.append(len(ids))
        share = torch.tensor(weights) / sum(weights)
        rows.append((torch.stack(pooled) * share[:, None]).sum(0))
    return torch.stack(rows).detach()


@pytest.mark.parametrize("family", NETWORKS)
def test_every_cut_gives_the_features_of_transformers_itself(
    family: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _, _, pooling, window, cuts = NETWORKS[family]
    folder = tiny(tmp_path / "net", family)
    capfd.readouterr()
    backbone = load(f"dir:{folder}")
    assert capfd.readouterr() == ("", "")
    assert (backbone.source["pooling"], backbone.source["window"]) == (pooling, window)
    assert backbone.prepare(TEXTS).owner is not None, "one text is longer than the window"
    expected = reference(folder, TEXTS, pooling=pooling, window=window, family=family)
    check_chain(backbone, TEXTS, expected)
    assert len(backbone.cuts) == cuts
    assert any("no cut points" in note for note in backbone.notes) == (cuts == 0)
    assert any("token" in note for note in backbone.notes)


PADDED = ("bert", "causal-bert", "roberta", "gpt2", "electra", "mpnet", "deberta", "deberta-v2", "deberta-v3", "albert")


@pytest.mark.parametrize("family", PADDED)
def test_padding_and_neighbours_do_not_change_a_text(family: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, family)}")
    together = backbone.forward(backbone.prepare(TEXTS))
    alone = torch.cat([backbone.forward(backbone.prepare([text])) for text in TEXTS])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    same_length = backbone.prepare(["the cat sat", "the dog sat"])
    assert same_length.mask is None
    if backbone.pool:
        views = backbone.forward_views(backbone.prepare(TEXTS))["mean"]
        singly = torch.cat([backbone.forward_views(backbone.prepare([text]))["mean"] for text in TEXTS])
        torch.testing.assert_close(views, singly, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["mpnet", "deberta", "deberta-v2", "deberta-v3"])
def test_what_stands_in_the_padding_of_a_store_changes_nothing(family: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, family)}")
    batch = backbone.prepare(TEXTS)
    features = backbone.forward(batch)
    for cut in backbone.cuts:
        stored = backbone.forward_to(batch, cut)
        assert stored.mask is not None
        noise = torch.where(stored.mask[..., None], stored.values, torch.full_like(stored.values, 3.0))
        torch.testing.assert_close(backbone.forward_from(replace(stored, values=noise), cut), features)


@pytest.mark.parametrize(
    ("family", "tables"),
    [
        ("mpnet", {"encoder.relative_attention_bias.weight"}),
        ("deberta", {"encoder.rel_embeddings.weight"}),
        ("deberta-v3", {f"encoder.{name}" for name in ("rel_embeddings.weight", "LayerNorm.weight", "LayerNorm.bias")}),
    ],
)
def test_tables_that_every_layer_reads_are_frozen_after_any_cut_and_train_with_the_whole(
    family: str, tables: set[str], tmp_path: Path
) -> None:
    backbone = load(f"dir:{tiny(tmp_path, family)}")
    for cut in backbone.cuts:
        assert not tables & set(backbone.thawed_names(cut))
        assert not tables & {name for name, p in backbone.copy(after=cut).network.named_parameters() if p.requires_grad}
    assert tables <= set(backbone.thawed_names(None))
    whole = backbone.copy(after=None)
    whole.network.requires_grad_()
    whole.forward(whole.prepare(TEXTS)).square().sum().backward()
    gradients = {name: p.grad for name, p in whole.network.named_parameters()}
    assert all(gradients[name].abs().max() > 0 for name in tables)


def test_the_convolution_of_deberta_trains_with_its_first_layer(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, 'deberta-v2')}")
    convolution = {name for name in backbone.network.state_dict() if name.startswith("encoder.conv.")}
    assert convolution
    assert convolution <= set(backbone.thawed_names("embeddings"))
    assert not convolution & set(backbone.thawed_names("encoder.layer.0"))


def test_positions_that_only_pretraining_used_are_left_out(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "deberta-v3")
    expected = load(f"dir:{folder}").weights_hash
    state = load_file(folder / "model.safetensors")
    state["deberta.embeddings.position_embeddings.weight"] = torch.zeros(34, 16)
    save_file(state, folder / "model.safetensors")
    backbone = load(f"dir:{folder}")
    assert backbone.weights_hash == expected
    assert any("embeddings.position_embeddings" in note for note in backbone.notes)


def test_windows_hold_every_token_once_and_remember_their_text(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, 'bert', sentence_bert_config={'max_seq_length': 8})}")
    assert backbone.source["window"] == 8
    texts = ["a cat", "the cat sat on the mat. " * 3, ""]
    prepared = backbone.preparer.read(texts)
    assert [len(windows) for windows in prepared] == [1, 4, 1]
    assert [[w.tolist() for w in windows] for windows in prepared] == [windows_of(wordpiece(), t, 8) for t in texts]
    assert [backbone.preparer.cost(windows) for windows in prepared] == [4, 21 + 8, 2]
    batch = backbone.preparer.collate(prepared)
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 1, 1, 1, 2]
    assert backbone.preparer.collate(prepared[:1]).owner is None


@pytest.mark.parametrize(
    ("stated", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_cls_token": True, "word_embedding_dimension": 16}, "cls"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_the_pooling_its_authors_state_is_used(stated: dict[str, Any], pooling: str, tmp_path: Path) -> None:
    folder = tiny(tmp_path, "bert", **{"1_Pooling__config": stated, "2_Dense__config": {"in_features": 16}})
    backbone = load(f"dir:{folder}")
    expected = reference(folder, TEXTS, pooling=pooling, window=34, family="bert")
    torch.testing.assert_close(backbone.forward(backbone.prepare(TEXTS)), expected, atol=1e-5, rtol=1e-5)
    assert "its layer 2_Dense after pooling is not applied" in backbone.notes


def test_old_tokenizer_files_are_converted_once(tmp_path: Path) -> None:
    old, new = tiny(tmp_path / "old", "bert"), tiny(tmp_path / "new", "bert")
    vocabulary = wordpiece().get_vocab()
    (old / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)))
    (old / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    (old / "tokenizer.json").unlink()
    texts = ["The CAT sat", "dogs", "flying birds."]
    one, two = load(f"dir:{old}"), load(f"dir:{new}")
    assert torch.equal(one.prepare(texts).values, two.prepare(texts).values)
    assert list(one.assets) == ["tokenizer.json"]


def test_case_is_folded_where_the_authors_did(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "gpt2", sentence_bert_config={"do_lower_case": True})
    backbone = load(f"dir:{folder}")
    assert torch.equal(backbone.prepare(["A Bird"]).values, backbone.prepare(["a bird"]).values)


def test_names_of_the_oldest_checkpoints_and_constants_are_understood(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "bert")
    expected = load(f"dir:{folder}").weights_hash
    state = load_file(folder / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in state.items()
    }
    assert set(old) != set(state)
    old["bert.embeddings.position_ids"] = torch.arange(34)[None]
    save_file(old, folder / "model.safetensors")
    backbone = load(f"dir:{folder}")
    assert backbone.weights_hash == expected
    assert "left out parts that features do not use: cls" in backbone.notes


def test_weights_in_shards_are_joined(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "bert")
    expected = load(f"dir:{folder}").weights_hash
    state = load_file(folder / "model.safetensors")
    names = sorted(state)
    shards = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
    for file, members in shards.items():
        save_file({name: state[name] for name in members}, folder / file)
    weight_map = {name: file for file, members in shards.items() for name in members}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "model.safetensors").unlink()
    assert load(f"dir:{folder}").weights_hash == expected


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "bert", **{"1_Pooling__config": {"pooling_mode_max_tokens": True}})
    with pytest.raises(BackboneError, match=r"1_Pooling.*expected one pooling.*found pooling_mode_max_tokens"):
        load(f"dir:{folder}")
    (folder / "1_Pooling" / "config.json").unlink()
    edit(folder / "config.json", is_encoder_decoder=True)
    with pytest.raises(BackboneError, match="encoder-decoder network"):
        load(f"dir:{folder}")
    edit(folder / "config.json", is_encoder_decoder=False, model_type="our-own", auto_map={"AutoModel": "code.Net"})
    with pytest.raises(BackboneError, match=r"does not know the model type 'our-own'.*never run"):
        load(f"dir:{folder}")
    edit(folder / "config.json", model_type="encoder-decoder")
    with pytest.raises(BackboneError, match="transformers cannot build it"):
        load(f"dir:{folder}")
    edit(folder / "config.json", model_type="bert", num_hidden_layers=3)
    with pytest.raises(BackboneError, match=r"encoder\.layer\.2\.\S+ is missing; .*; and 13 more"):
        load(f"dir:{folder}")


def test_a_damaged_or_missing_tokenizer_is_named(tmp_path: Path) -> None:
    folder = tiny(tmp_path, "bert")
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(BackboneError, match=r"tokenizer\.json: not a tokenizer"):
        load(f"dir:{folder}")
    (folder / "tokenizer.json").write_text('{"model": {"type": "Nothing"}}')
    with pytest.raises(BackboneError, match=r"the tokenizers library cannot read tokenizer\.json \(.*Copy the file"):
        load(f"dir:{folder}")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BackboneError, match=r"there are no tokenizer files.*vocab\.txt"):
        load(f"dir:{folder}")
    (folder / "tokenizer.model").write_bytes(b"not a sentencepiece model")
    edit(folder / "config.json", model_type="bert")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer"}')
    with pytest.raises(BackboneError, match="the tokenizer files cannot be converted"):
        load(f"dir:{folder}")


def test_code_and_kernels_that_a_configuration_names_are_left_out(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, 'bert')}")
    elsewhere = {
        "auto_map": {"AutoModel": "org/net--code.Net"},
        "_name_or_path": "org/net",
        "attn_implementation": "org/kernel",
        "_attn_implementation": "org/kernel",
    }
    source = {**backbone.source, "config": {**backbone.source["config"], **elsewhere}}
    again = rebuild(source, backbone.assets, backbone.network.state_dict(), name="crafted")
    assert torch.equal(again.forward(again.prepare(TEXTS)), backbone.forward(backbone.prepare(TEXTS)))
    config: Any = again.network.config
    assert not hasattr(config, "auto_map")
    assert config._name_or_path == ""
    assert config._attn_implementation != "org/kernel"


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "timm_backbone", "backbone": "resnet18", "use_pretrained_backbone": True},
        {"model_type": "timm_wrapper", "architecture": "resnet18"},
        {"model_type": "detr"},
        {"model_type": "bert", "use_pretrained_backbone": True},
        {
            "model_type": "vision-text-dual-encoder",
            "vision_config": {"model_type": "detr"},
            "text_config": {"model_type": "bert"},
        },
    ],
)
def test_networks_that_may_fetch_an_image_backbone_are_refused(config: dict[str, Any], tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, 'bert')}")
    with pytest.raises(BackboneError, match="crafted: only text networks are read"):
        rebuild({**backbone.source, "config": config}, backbone.assets, {}, name="crafted")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match="only text networks are read"):
        load(f"dir:{tmp_path}")
