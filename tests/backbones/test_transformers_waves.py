"""wav2vec 2.0, HuBERT and WavLM: folders, preprocessing, clips of any length, and cut points, on tiny networks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from headstart.backbones import frame_backbone, load, rebuild
from headstart.data import Sound, read_sound
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, randomise, sounds
from tests.backbones.test_transformers_sounds import change

STEP, REACH = 320, 80  # a frame is computed from 400 samples
CUTS = ("projection", "encoder.layers.0", "encoder.layers.1")
LIBRARY = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
LAYER = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
# Name of a test, model type and what differs from the small default.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2": ("wav2vec2", {}),
    "wav2vec2-stable": ("wav2vec2", LAYER),
    "wav2vec2-adapters": ("wav2vec2", {**LAYER, "adapter_attn_dim": 4}),
    "hubert": ("hubert", {"feat_proj_layer_norm": False}),
    "hubert-stable": ("hubert", LAYER),
    "hubert-batch-norm": ("hubert", {**LAYER, "do_stable_layer_norm": False, "conv_pos_batch_norm": True}),
    "wavlm": ("wavlm", {}),
    "wavlm-stable": ("wavlm", LAYER),
}


def config(name: str, **values: Any) -> Any:
    kind, own = NETWORKS[name]
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    heard = {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
    places = {"num_buckets": 16, "max_bucket_distance": 30} if kind == "wavlm" else {}
    return getattr(transformers, f"{LIBRARY[kind]}Config")(**{**sizes, **heard, **places, **own, **values})


def tiny(folder: Path, name: str = "wav2vec2", *, head: str = "Model", normalize: bool = True, **values: Any) -> Path:
    """Write a network as transformers does, with windows of a second."""
    torch.manual_seed(0)
    network = getattr(transformers, LIBRARY[NETWORKS[name][0]] + head)
    randomise(network(config(name, **values))).save_pretrained(folder)
    mask = NETWORKS[name][1].get("feat_extract_norm") == "layer"
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalize, return_attention_mask=mask)
    extractor.save_pretrained(folder)
    return change(folder, "config.json", headstart_window=1)


def windows_by_hand(item: Sound) -> list[np.ndarray]:
    """Cut into the fewest equal windows of at most a second, each with silence up to the end of its last frame."""
    samples = read_sound(item, rate=16_000)
    count = max(1, math.ceil(len(samples) / 16_000))
    parts = [samples[len(samples) * i // count : len(samples) * (i + 1) // count] for i in range(count)]
    length = math.ceil((max(400, *map(len, parts)) - REACH) / STEP) * STEP + REACH
    return [np.pad(part, (0, length - len(part))) for part in parts]


def expected_rows(folder: Path, kind: str) -> torch.Tensor:
    """Every window alone through transformers' own extractor and network, pooled by hand."""
    network = getattr(transformers, f"{LIBRARY[kind]}Model").from_pretrained(folder).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    rows = []
    for item in sounds():
        pooled = []
        for window in windows_by_hand(item):
            values = extractor(window, sampling_rate=16_000, return_tensors="pt")["input_values"]
            with torch.no_grad():
                hidden = network(values).last_hidden_state[0]
            assert len(hidden) == (len(window) - REACH) // STEP
            pooled.append(hidden.mean(0))
        rows.append(torch.stack(pooled).mean(0))
    return torch.stack(rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_cut_gives_the_features_of_transformers_itself(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tiny(tmp_path / "net", name)
    capfd.readouterr()
    backbone = load(f"dir:{folder}")
    assert capfd.readouterr() == ("", "")
    assert (backbone.modality, backbone.cuts, backbone.views) == ("audio", CUTS, ("last", "mean"))
    assert backbone.notes[-1] == "a recording's features are the mean over its frames of the last layer"
    check_chain(backbone, sounds(), expected_rows(folder, NETWORKS[name][0]))
    batch = backbone.prepare(sounds())
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 2, 2, 2, 3, 4]


def test_samples_are_heard_as_they_are_where_the_extractor_says_so(tmp_path: Path) -> None:
    folder = tiny(tmp_path, normalize=False)
    backbone = load(f"dir:{folder}")
    check_chain(backbone, sounds(), expected_rows(folder, "wav2vec2"))
    frames = backbone.prepare(sounds()[:1]).values[0]
    samples = sounds()[0].samples
    assert torch.equal(frames[3], torch.from_numpy(samples[3 * STEP : 4 * STEP + REACH]))
    other = load(f"dir:{change(folder, 'preprocessor_config.json', do_normalize=True)}")
    assert other.preprocessing_hash != backbone.preprocessing_hash
    heard = other.prepare([Sound(5 + 3 * samples[: STEP * 15 + REACH], 16_000)]).values[0, :, :STEP]
    assert abs(heard.mean()) < 0.05
    assert abs(heard.std() - 1) < 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_neighbours_do_not_change_a_recording(name: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, name)}")
    batch = backbone.prepare(sounds())
    assert batch.mask is not None
    together = backbone.forward_views(batch)
    for view, rows in together.items():
        alone = [backbone.forward_views(backbone.prepare([item]))[view] for item in sounds()]
        torch.testing.assert_close(rows, torch.cat(alone), atol=1e-5, rtol=1e-5)
    assert backbone.prepare([sounds()[0]] * 2).mask is None


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-stable", "wavlm"])
def test_few_windows_at_a_time_give_what_all_at_once_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headstart.backbones import _transformers_waves

    backbone = load(f"dir:{tiny(tmp_path, name)}")
    batch = backbone.prepare(sounds())
    expected = backbone.forward(batch)
    monkeypatch.setattr(_transformers_waves, "TOGETHER", 1)
    monkeypatch.setattr(_transformers_waves, "PAIRS", 1)
    torch.testing.assert_close(backbone.forward(batch), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-stable", "hubert-batch-norm", "wavlm-stable"])
def test_what_fills_a_batch_changes_nothing_whatever_it_holds(name: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, name)}")
    batch = backbone.prepare(sounds()[:2])
    assert batch.mask is not None
    expected = backbone.forward(batch)
    batch.values[~batch.mask] = 7
    torch.testing.assert_close(backbone.forward(batch), expected, atol=1e-5, rtol=1e-5)
    stored = backbone.forward_to(batch, "encoder.layers.0")
    stored.values[~batch.mask] = 7
    torch.testing.assert_close(backbone.forward_from(stored, "encoder.layers.0"), expected, atol=1e-5, rtol=1e-5)


def test_the_mean_of_layers_is_over_real_frames(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, 'wavlm')}")
    batch = backbone.prepare(sounds()[:2])
    assert batch.mask is not None
    stored = [backbone.forward_to(batch, cut).values[0, batch.mask[0]].mean(0) for cut in CUTS]
    torch.testing.assert_close(backbone.forward_views(batch)["mean"][0], torch.stack(stored).mean(0))


@pytest.mark.parametrize(
    ("name", "head", "parts"),
    [
        ("wav2vec2", "ForCTC", "lm_head, masked_spec_embed"),
        ("wav2vec2", "ForPreTraining", "masked_spec_embed, project_hid, project_q, quantizer"),
        ("hubert", "ForCTC", "lm_head, masked_spec_embed"),
        ("wavlm", "ForCTC", "lm_head, masked_spec_embed"),
    ],
)
def test_heads_and_noise_of_pretraining_are_left_out_and_said(name: str, head: str, parts: str, tmp_path: Path) -> None:
    folder = tiny(tmp_path, name, head=head, layerdrop=0.5, mask_time_prob=0.5, hidden_dropout=0.5, vocab_size=5)
    backbone = load(f"dir:{folder}")
    assert f"left out parts that features do not use: {parts}" in backbone.notes
    noise = "dropout, dropping whole layers (layerdrop), masking of spans (SpecAugment)"
    assert f"switched off in training: {noise}" in backbone.notes
    trained = backbone.copy(after=None)
    trained.network.train()
    batch = trained.prepare(sounds())
    torch.testing.assert_close(trained.forward(batch), backbone.forward(batch))


def test_what_makes_no_noise_is_not_said_and_an_adapter_behind_it_is_left_out(tmp_path: Path) -> None:
    calm = dict.fromkeys(("hidden_dropout", "activation_dropout", "attention_dropout", "layerdrop"), 0.0)
    backbone = load(f"dir:{tiny(tmp_path, **calm, mask_time_prob=0.0, add_adapter=True)}")
    assert "its adapter is left out" in backbone.notes
    assert not any("switched off" in note for note in backbone.notes)
    assert not any(name.startswith("adapter") for name in backbone.network.state_dict())


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm"])
def test_weights_are_found_by_their_older_names_under_a_prefix_and_in_half_precision(name: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, name)}")
    rows = backbone.forward(backbone.prepare(sounds()))
    path, older = tmp_path / "model.safetensors", {"original0": "weight_g", "original1": "weight_v"}
    state = load_file(path)
    for new, old in older.items():
        long = f"encoder.pos_conv_embed.conv.parametrizations.weight.{new}"
        state[f"encoder.pos_conv_embed.conv.{old}"] = state.pop(long)
    save_file({f"{name}.{key}": tensor for key, tensor in state.items()}, path)
    named = load(f"dir:{tmp_path}")
    assert torch.equal(named.forward(named.prepare(sounds())), rows)
    save_file({key: tensor.half() for key, tensor in state.items()}, path)
    half = load(f"dir:{tmp_path}")
    assert "weights stored as float16 were converted to float32" in half.notes
    torch.testing.assert_close(half.forward(half.prepare(sounds())), rows, atol=2e-2, rtol=0)


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-stable", "hubert-batch-norm", "wavlm", "wavlm-stable"])
@pytest.mark.parametrize("cut", [None, *CUTS[:2]])
def test_training_reaches_every_weight_after_a_cut_and_none_before_it(
    name: str, cut: str | None, tmp_path: Path
) -> None:
    backbone = load(f"dir:{tiny(tmp_path, name)}").copy(after=cut)
    batch = backbone.prepare(sounds())
    if cut is not None:
        with torch.inference_mode():
            backbone.forward_to(batch, cut)
    thawed = set(backbone.thawed_names(cut))
    backbone.network.train()
    for each, parameter in backbone.network.named_parameters():
        parameter.requires_grad_(each in thawed)
    backbone.forward(batch).square().sum().backward()
    grads = {each: parameter.grad for each, parameter in backbone.network.named_parameters()}
    assert {each for each, grad in grads.items() if grad is not None} == thawed & set(grads)
    assert all(grad.isfinite().all() for grad in grads.values() if grad is not None)
    assert sum(grad.abs().max() > 0 for grad in grads.values() if grad is not None) > 10


def test_the_table_of_positions_trains_where_the_first_layer_does(tmp_path: Path) -> None:
    table = "encoder.layers.0.attention.rel_attn_embed.weight"
    backbone = load(f"dir:{tiny(tmp_path, 'wavlm')}")
    assert table in backbone.thawed_names("projection")
    assert table not in backbone.thawed_names("encoder.layers.0")
    batch = backbone.prepare(sounds()[:2])
    copied = backbone.copy(after="encoder.layers.0")
    with torch.no_grad():
        backbone.network.get_parameter(table).mul_(-3)
    assert not torch.allclose(copied.forward(batch), load(f"dir:{tmp_path}").forward(batch), atol=1e-4)
    torch.testing.assert_close(copied.forward(batch), backbone.forward(batch))


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-stable", "wavlm"])
def test_frames_have_features_of_their_own(name: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, name)}")
    framed = frame_backbone(backbone, 25)
    assert framed.frame_seconds == pytest.approx(0.04)
    item = sounds()[1]
    batch = backbone.prepare([item])
    last = backbone.forward_to(batch, CUTS[-1]).values[0]
    if "stable" in name:
        last = backbone.network.encoder.layer_norm(last)
    rows = framed.forward(framed.prepare([item]))
    assert len(rows) == math.ceil(len(last) / 2)
    torch.testing.assert_close(rows[:24], last[:48].unflatten(0, (24, 2)).mean(1), atol=1e-5, rtol=1e-5)


def test_very_short_clips_silence_and_a_constant_have_finite_features(tmp_path: Path) -> None:
    silence = np.zeros(16_000, np.float32)
    clips = [Sound(silence, 16_000), Sound(silence[:400], 16_000), Sound(np.ones(400, np.float32), 16_000)]
    for name in ("wav2vec2", "wav2vec2-stable", "wavlm"):
        backbone = load(f"dir:{tiny(tmp_path / name, name)}")
        batch = backbone.prepare([*clips, Sound(sounds()[0].samples[:401], 16_000)])
        assert batch.mask is not None
        assert batch.mask.sum(1).tolist() == [50, 1, 1, 2]
        assert torch.isfinite(backbone.forward(batch)).all()


def test_a_long_recording_is_read_in_windows_as_long_as_stated(tmp_path: Path) -> None:
    one = load(f"dir:{tiny(tmp_path)}")
    long = Sound(np.random.default_rng(0).standard_normal(16_000 * 31).astype(np.float32), 16_000)
    assert one.prepare([long]).values.shape == (31, 50, STEP + REACH)
    other = load(f"dir:{change(tmp_path, 'config.json', headstart_window=2.5)}")
    assert other.prepare([long]).values.shape[0] == 13
    assert one.weights_hash == other.weights_hash
    assert one.preprocessing_hash != other.preprocessing_hash
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace('"headstart_window": 2.5', '"unused": 0'))
    assert load(f"dir:{tmp_path}").source["window"] == 1500


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 3}, "do not fit the network: encoder.layers.2"),
        ({"do_stable_layer_norm": "often"}, "transformers cannot build it ("),
        ({"num_attention_heads": 3}, "transformers cannot build it (embed_dim must be divisible"),
        ({"feat_extract_norm": "batch"}, "transformers cannot build it ("),
        ({"conv_dim": []}, "transformers cannot build it ("),
        ({"conv_dim": ["a"] * 7}, "transformers cannot build it ("),
        ({"conv_stride": [5, 2]}, "transformers cannot build it ("),
        ({"num_hidden_layers": 0}, 'expected a whole number from 1 for "num_hidden_layers", found 0'),
        ({"conv_stride": [5, 2, 2, 2, 2, 2, 0]}, "reach into the next frame at most"),
        ({"conv_stride": [1] * 7}, "reach into the next frame at most"),
        ({"conv_kernel": [1, 1, 1, 1, 1, 1, 1]}, 'found "conv_kernel" [1, 1, 1, 1, 1, 1, 1]'),
        ({"headstart_window": 0.01}, 'expected at least 0.02 seconds for "headstart_window", found 0.01'),
        ({"headstart_window": math.nan}, 'seconds for "headstart_window", found nan'),
        ({"headstart_window": True}, 'seconds for "headstart_window", found True'),
    ],
)
@pytest.mark.parametrize("name", ["wav2vec2", "wavlm"])
def test_a_configuration_that_cannot_be_built_is_refused(
    name: str, values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = change(tiny(tmp_path, name), "config.json", **values)
    with pytest.raises(BackboneError) as error:
        load(f"dir:{folder}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder)) or "do not fit" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": "16k"}, "expected a whole number from 1 for \"sampling_rate\", found '16k'"),
        ({"sampling_rate": 0}, 'expected a whole number from 1 for "sampling_rate", found 0'),
        ({"do_normalize": "yes"}, "expected true or false for \"do_normalize\", found 'yes'"),
        ({"do_normalize": None}, 'expected true or false for "do_normalize", found None'),
        ({"feature_size": 80}, 'expected "feature_size" 1, a sample at a time, found 80'),
        ({"feature_extractor_type": "WhisperFeatureExtractor"}, "Wav2Vec2FeatureExtractor, found 'Whisper"),
    ],
)
def test_settings_that_do_not_belong_to_it_are_refused_with_their_place(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = change(tiny(tmp_path), "preprocessor_config.json", **values)
    with pytest.raises(BackboneError) as error:
        load(f"dir:{folder}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder / "preprocessor_config.json"))


def test_missing_settings_and_weights_are_asked_for(tmp_path: Path) -> None:
    (tiny(tmp_path) / "preprocessor_config.json").unlink()
    with pytest.raises(BackboneError, match=r"there is no preprocessor_config\.json.*Copy it from where"):
        load(f"dir:{tmp_path}")
    tiny(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"found pytorch_model\.bin, which is a pickle"):
        load(f"dir:{tmp_path}")


def test_a_kept_recipe_with_other_settings_is_refused(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    state, source = backbone.network.state_dict(), backbone.source
    for change_, message in (
        ({"window": -1}, 'stranger: expected a whole number from 1 for "headstart_window", found -1'),
        (
            {"sound": {**source["sound"], "normalize": 1}},
            'stranger: expected true or false for "do_normalize", found 1',
        ),
        ({"sound": {**source["sound"], "rate": 0}}, 'stranger: expected a whole number from 1 for "sampling_rate"'),
        ({"config": {**source["config"], "conv_stride": [1] * 7}}, "stranger: expected convolutions whose frames"),
        ({"kind": "unispeech"}, "stranger: expected a network among wav2vec2, hubert, wavlm, found 'unispeech'"),
    ):
        with pytest.raises(BackboneError, match=message):
            rebuild({**source, **change_}, {}, state, name="stranger")


def test_nothing_of_a_configuration_but_the_network_is_kept(tmp_path: Path) -> None:
    stray = {"auto_map": {"AutoModel": "evil--code.Net"}, "_name_or_path": "org/else", "vocab_size": 9}
    backbone = load(f"dir:{change(tiny(tmp_path), 'config.json', **stray)}")
    assert backbone.source["config"].keys().isdisjoint({*stray, "layerdrop", "tdnn_dim", "hidden_dropout"})
