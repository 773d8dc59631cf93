"""Wav2Vec2-BERT: its folder, its preprocessing, clips of any length, and its cut points, on tiny networks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch
import transformers
from safetensors.torch import load_file, save_file

from headstart.backbones import Backbone, load, rebuild, write_folder
from headstart.backbones._transformers_conformer import levelled
from headstart.data import Sound, read_sound
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, randomise, sounds
from tests.backbones.test_transformers_sounds import change

BANDS, STEP, REACH = 20, 320, 240  # a last frame of two spectra of 400 samples, 160 apart, ends 240 beyond its own
POSITIONS = (None, "relative_key", "relative", "rotary")
EXTRACTOR = transformers.SeamlessM4TFeatureExtractor(feature_size=BANDS, num_mel_bins=BANDS)
CUTS = ("projection", "encoder.layers.0", "encoder.layers.1")


def config(positions: str | None, **values: Any) -> transformers.Wav2Vec2BertConfig:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    near = {"left_max_position_embeddings": 6, "right_max_position_embeddings": 3, "conv_depthwise_kernel_size": 5}
    calm = {"conformer_conv_dropout": 0.0, "layerdrop": 0.0, "apply_spec_augment": False, "mask_time_prob": 0.0}
    read = {"feature_projection_input_dim": 2 * BANDS, "position_embeddings_type": positions}
    return transformers.Wav2Vec2BertConfig(**{**sizes, **near, **calm, **read, **values})


def tiny(
    folder: Path, *, positions: str | None = None, kind: Any = transformers.Wav2Vec2BertModel, **values: Any
) -> Path:
    """Write a network as transformers does, with windows of a second."""
    torch.manual_seed(0)
    randomise(kind(config(positions, **values))).save_pretrained(folder)
    EXTRACTOR.save_pretrained(folder)
    return change(folder, "config.json", headstart_window=1)


def windows_by_hand(item: Sound) -> list[np.ndarray]:
    """Cut into the fewest equal windows of at most a second, each with silence up to the end of its last frame."""
    samples = read_sound(item, rate=16_000)
    count = max(1, math.ceil(len(samples) / 16_000))
    parts = [samples[len(samples) * i // count : len(samples) * (i + 1) // count] for i in range(count)]
    length = max(1, math.ceil((max(map(len, parts)) - REACH) / STEP)) * STEP + REACH
    return [np.pad(part, (0, length - len(part))) for part in parts]


def expected_rows(folder: Path) -> torch.Tensor:
    """All windows of a recording in one batch of transformers' own extractor and network, pooled by hand."""
    network = transformers.Wav2Vec2BertModel.from_pretrained(folder).eval()
    windows = [window for item in sounds() for window in windows_by_hand(item)]
    inputs = EXTRACTOR(windows, sampling_rate=16_000, padding="longest", return_tensors="pt")
    real = inputs["attention_mask"].bool()
    assert real.sum(1).tolist() == [(len(window) - REACH) // STEP for window in windows]
    with torch.no_grad():
        hidden = network(**inputs).last_hidden_state
    rows, start = [], 0
    for item in sounds():
        end = start + len(windows_by_hand(item))
        rows.append(hidden[start:end][real[start:end]].mean(0))
        start = end
    return torch.stack(rows)


@pytest.mark.parametrize("positions", POSITIONS)
def test_every_cut_gives_the_features_of_transformers_itself(
    positions: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tiny(tmp_path / "net", positions=positions)
    capfd.readouterr()
    backbone = load(f"dir:{folder}")
    assert capfd.readouterr() == ("", "")
    assert (backbone.modality, backbone.cuts, backbone.views) == ("audio", CUTS, ("last", "mean"))
    assert backbone.notes == ("a recording's features are the mean over its frames of the last layer",)
    check_chain(backbone, sounds(), expected_rows(folder))
    batch = backbone.prepare(sounds())
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 2, 2, 2, 3, 4]


@pytest.mark.parametrize("positions", POSITIONS)
def test_neighbours_do_not_change_a_recording(positions: str | None, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, positions=positions)}")
    together = backbone.forward_views(backbone.prepare(sounds()))
    for view, rows in together.items():
        alone = [backbone.forward_views(backbone.prepare([item]))[view] for item in sounds()]
        torch.testing.assert_close(rows, torch.cat(alone), atol=1e-5, rtol=1e-5)
    assert backbone.prepare([sounds()[0]] * 2).mask is None


def test_frames_that_fill_a_batch_are_zero_after_the_projection_and_change_nothing_whatever_they_hold(
    tmp_path: Path,
) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    batch = backbone.prepare(sounds()[:2])
    assert batch.mask is not None
    stored = backbone.forward_to(batch, "projection")
    assert (stored.values[~batch.mask] == 0).all()
    assert (stored.values[batch.mask] != 0).any(-1).all()
    batch.values[~batch.mask] = 7
    torch.testing.assert_close(backbone.forward(batch), backbone.forward_from(stored, "projection"))
    stored.values[~batch.mask] = 7
    torch.testing.assert_close(backbone.forward(batch), backbone.forward_from(stored, "projection"))


def test_the_mean_of_layers_is_over_real_frames(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    batch = backbone.prepare(sounds()[:2])
    assert batch.mask is not None
    stored = [backbone.forward_to(batch, cut).values[0, batch.mask[0]].mean(0) for cut in CUTS]
    torch.testing.assert_close(backbone.forward_views(batch)["mean"][0], torch.stack(stored).mean(0))


def test_adapter_head_and_noise_of_pretraining_are_left_out_and_said(tmp_path: Path) -> None:
    noisy = {"add_adapter": True, "use_intermediate_ffn_before_adapter": True, "layerdrop": 0.5}
    noisy |= {"apply_spec_augment": True, "mask_time_prob": 0.5, "mask_feature_prob": 0.5, "vocab_size": 5}
    plain, backbones = load(f"dir:{tiny(tmp_path / 'plain')}"), []
    for kind in (transformers.Wav2Vec2BertModel, transformers.Wav2Vec2BertForCTC):
        folder = tiny(tmp_path / kind.__name__, kind=kind, **noisy)
        backbones.append(load(f"dir:{folder}"))
        assert "its adapter is left out" in backbones[-1].notes
        assert "switched off in training: dropping whole layers (layerdrop), masking of spans (SpecAugment)" in (
            backbones[-1].notes
        )
        assert list(backbones[-1].network.state_dict()) == list(plain.network.state_dict())
    assert backbones[0].notes[-2].endswith("do not use: adapter, intermediate_ffn, masked_spec_embed")
    assert backbones[1].notes[-2].endswith("do not use: adapter, intermediate_ffn, lm_head, masked_spec_embed")
    trained = backbones[0].copy(after=None)
    trained.network.train()
    batch = trained.prepare(sounds())
    torch.testing.assert_close(trained.forward(batch), backbones[0].forward(batch))


def test_weights_are_found_under_a_prefix_and_in_half_precision(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path / 'plain')}")
    rows = backbone.forward(backbone.prepare(sounds()))
    state = load_file(tmp_path / "plain/model.safetensors")
    folder = tiny(tmp_path / "named")
    save_file({f"wav2vec2_bert.{name}": tensor for name, tensor in state.items()}, folder / "model.safetensors")
    named = load(f"dir:{folder}")
    assert torch.equal(named.forward(named.prepare(sounds())), rows)
    save_file({name: tensor.half() for name, tensor in state.items()}, folder / "model.safetensors")
    half = load(f"dir:{folder}")
    assert next(half.network.parameters()).dtype == torch.float32
    assert "weights stored as float16 were converted to float32" in half.notes
    torch.testing.assert_close(half.forward(half.prepare(sounds())), rows, atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"position_embeddings_type": "absolute"}, "null, relative_key, relative, rotary, found 'absolute'"),
        ({"conv_depthwise_kernel_size": 4}, "transformers cannot build it (`config.conv_depthwise_kernel_size` should"),
        ({"hidden_size": "wide"}, "transformers cannot build it ("),
        ({"num_hidden_layers": 3}, "do not fit the network: encoder.layers.2."),
        ({"headstart_window": 0.01}, 'expected at least 0.02 seconds for "headstart_window", found 0.01'),
        ({"headstart_window": "30"}, "seconds for \"headstart_window\", found '30'"),
        ({"headstart_window": math.inf}, 'seconds for "headstart_window", found inf'),
        (
            {"feature_projection_input_dim": 160},
            "expected frames of 160 numbers, as the network's \"feature_projection",
        ),
        (
            {"position_embeddings_type": "relative", "max_source_positions": 40},
            'expected a window of at most 40 frames, its "max_source_positions", found 50',
        ),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = change(tiny(tmp_path), "config.json", **values)
    with pytest.raises(BackboneError) as error:
        load(f"dir:{folder}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder)) or "do not fit" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": "16k"}, "expected a whole number from 1 for \"sampling_rate\", found '16k'"),
        ({"stride": 0}, 'expected a whole number from 1 for "stride", found 0'),
        ({"num_mel_bins": None}, 'expected a whole number from 1 for "num_mel_bins", found None'),
        ({"feature_size": 80}, 'expected "feature_size" 20, as "num_mel_bins", found 80'),
        ({"feature_extractor_type": "WhisperFeatureExtractor"}, "SeamlessM4TFeatureExtractor, found 'Whisper"),
        (
            {"headstart_floor": 3000},
            'expected a number above 0 for "headstart_spread" in preprocessor_config.json, fou',
        ),
        ({"headstart_floor": -1, "headstart_spread": 1}, 'expected a number above 0 for "headstart_floor" in pre'),
        (
            {"headstart_floor": math.nan, "headstart_spread": 1},
            '"headstart_floor" in preprocessor_config.json, found n',
        ),
        ({"headstart_floor": True, "headstart_spread": 1}, '"headstart_floor" in preprocessor_config.json, found True'),
    ],
)
def test_settings_that_do_not_belong_to_it_are_refused_with_their_place(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = change(tiny(tmp_path), "preprocessor_config.json", **values)
    with pytest.raises(BackboneError) as error:
        load(f"dir:{folder}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder))


def test_a_kept_recipe_with_other_settings_is_refused(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    state = backbone.network.state_dict()
    for change_, message in (
        ({"window": -1}, 'stranger: expected a whole number from 1 for "headstart_window", found -1'),
        ({"sound": {**backbone.source["sound"], "bands": 21}}, "stranger: expected frames of 40 numbers"),
        (
            {"quiet": {"floor": 1}},
            'stranger: expected a number above 0 for "headstart_spread" in preproc.*, found None',
        ),
    ):
        with pytest.raises(BackboneError, match=message):
            rebuild({**backbone.source, **change_}, {}, state, name="stranger")


def test_windows_are_as_long_as_stated_and_part_of_what_rows_are_stored_under(tmp_path: Path) -> None:
    one = load(f"dir:{tiny(tmp_path)}")
    long = Sound(np.random.default_rng(0).standard_normal(16_000 * 31).astype(np.float32), 16_000)
    assert one.prepare([long]).values.shape == (31, 50, 2 * BANDS)
    other = load(f"dir:{change(tmp_path, 'config.json', headstart_window=2.5)}")
    assert other.prepare([long]).values.shape[0] == 13
    assert one.weights_hash == other.weights_hash
    assert one.preprocessing_hash != other.preprocessing_hash
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"headstart_window": 2.5', '"unused": 0'))
    assert load(f"dir:{tmp_path}").source["window"] == 1500


def test_spectra_are_those_of_the_extractor_where_there_is_neither_silence_nor_an_even_band(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "net")
    own = load(f"dir:{folder}")
    other = load(f"dir:{change(folder, 'preprocessor_config.json', headstart_floor=1e-6, headstart_spread=1e-3)}")
    loud = [Sound(np.random.default_rng(0).standard_normal(30_001).astype(np.float32), 16_000)]
    torch.testing.assert_close(other.prepare(loud).values, own.prepare(loud).values, atol=1e-4, rtol=0)
    assert own.preprocessing_hash != other.preprocessing_hash
    write_folder(other, tmp_path / "written")
    again = load(f"dir:{tmp_path / 'written'}")
    assert again.preprocessing_hash == other.preprocessing_hash
    assert torch.equal(again.prepare(loud).values, other.prepare(loud).values)


def test_levelled_spectra_leave_silence_and_its_neighbourhood_small() -> None:
    rng = np.random.default_rng(0)
    speech, rounding = rng.normal(12, 3, (500, 1)), rng.normal(5, 1.2, (500, 1))  # logarithms of power
    nearly = np.where(rng.random((500, 1)) < 0.01, 8.5, rounding)
    rows = levelled(np.hstack([speech, rounding, nearly]).astype(np.float32), floor=3000, spread=1)
    raised = np.maximum(speech, np.log(3000))
    np.testing.assert_allclose(rows[:, :1], (raised - raised.mean()) / raised.std(ddof=1), atol=1e-5)
    assert np.abs(rows[:, 1]).max() < 1e-4
    assert 0 < np.abs(rows[:, 2]).max() < 0.6, "one spectrum in a hundred is no louder than it is"


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_16_bit_copy_at_a_higher_rate_sounds_the_same_to_the_starter(rate: int) -> None:
    """Above 4 kHz there is nothing but rounding, which is another in every copy."""
    rng = np.random.default_rng(0)
    loudness = np.interp(np.arange(16_000), np.linspace(0, 16_000, 20), rng.uniform(0, 0.3, 20))
    samples = (loudness * rng.standard_normal(16_000)).clip(-1, 1).astype(np.float32)
    copy = np.round(soxr.resample(samples, 8_000, rate, quality="VHQ") * 32767) / 32768
    backbone = load("starter:audio-small")
    own, other = (
        backbone.forward(backbone.prepare([Sound(each.astype(np.float32), each_rate)]))
        for each, each_rate in ((samples, 8_000), (copy, rate))
    )
    assert torch.cosine_similarity(own, other).item() > 0.999


def test_nothing_of_a_configuration_but_the_network_is_kept(tmp_path: Path) -> None:
    stray = {"auto_map": {"AutoModel": "evil--code.Net"}, "_name_or_path": "org/else", "vocab_size": 9}
    backbone = load(f"dir:{change(tiny(tmp_path), 'config.json', **stray)}")
    assert backbone.source["config"].keys().isdisjoint({*stray, "layerdrop", "adapter_stride"})


def test_silence_and_very_short_clips_have_finite_features(tmp_path: Path) -> None:
    backbone: Backbone = load(f"dir:{tiny(tmp_path)}")
    silence, rng = np.zeros(16_000, np.float32), np.random.default_rng(0)
    clips = [Sound(silence, 16_000), Sound(silence[:400], 16_000), Sound(np.ones(400, np.float32), 16_000)]
    batch = backbone.prepare([*clips, Sound(rng.standard_normal(561).astype(np.float32), 16_000)])
    assert batch.mask is not None
    assert batch.mask.sum(1).tolist() == [50, 1, 1, 2]
    assert torch.isfinite(batch.values).all()
    assert batch.values[:2].abs().max() < 0.1, "no spectrum of silence is unlike the others"
    assert torch.isfinite(backbone.forward(batch)).all()


@pytest.mark.parametrize("seconds", [0.2, 0.203, 0.219, 1.0])
def test_silence_at_the_end_of_a_clip_hardly_moves_its_spectra(seconds: float, tmp_path: Path) -> None:
    """Even the last spectrum holds sound: one of silence alone would change mean and variance of all."""
    backbone = load(f"dir:{tiny(tmp_path)}")
    samples = np.random.default_rng(1).standard_normal(round(16_000 * seconds)).astype(np.float32)
    frames = backbone.prepare([Sound(samples, 16_000)]).values[0]
    own = EXTRACTOR(samples, sampling_rate=16_000, return_tensors="pt")["input_features"][0]
    assert len(own) <= len(frames) <= len(own) + 1
    kept = len(frames) - 1
    assert np.corrcoef(frames[:kept].numpy().ravel(), own[:kept].numpy().ravel())[0, 1] > 0.9


def test_gradients_flow_after_the_same_length_was_seen_without_them(tmp_path: Path) -> None:
    """Some tables of positions are kept from one call to the next."""
    for positions in ("relative", "rotary"):
        backbone = load(f"dir:{tiny(tmp_path / positions, positions=positions)}").copy(after=None)
        batch = backbone.prepare(sounds()[:2])
        with torch.inference_mode():
            backbone.forward(batch)
        backbone.network.train().requires_grad_()
        backbone.forward(batch).sum().backward()
        grads = {name: p.grad for name, p in backbone.network.named_parameters()}
        assert all(grad is not None and grad.isfinite().all() for grad in grads.values())


def test_a_small_network_as_it_is_published_loads_with_its_own_extractor(tmp_path: Path) -> None:
    values = {"hidden_size": 24, "num_hidden_layers": 5, "num_attention_heads": 4, "conv_depthwise_kernel_size": 15}
    torch.manual_seed(0)
    network = transformers.Wav2Vec2BertModel(config(None, **{"feature_projection_input_dim": 160, **values}))
    network.save_pretrained(tmp_path)
    extractor = transformers.SeamlessM4TFeatureExtractor()
    extractor.save_pretrained(tmp_path)
    backbone = load(f"dir:{change(tmp_path, 'config.json', headstart_window=10)}")
    samples = np.random.default_rng(0).standard_normal(STEP * 20 + REACH).astype(np.float32)
    inputs = extractor(samples, sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        expected = network.eval()(**inputs).last_hidden_state.mean(1)
    torch.testing.assert_close(
        backbone.forward(backbone.prepare([Sound(samples, 16_000)])), expected, atol=1e-5, rtol=0
    )
