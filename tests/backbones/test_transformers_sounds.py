"""Whisper's encoder: its folder, its preprocessing, clips of any length, and its cut points, on tiny networks."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from headstart.backbones import Backbone, load, rebuild
from headstart.data import Sound, read_sound
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, randomise, sounds

POSITIONS, BANDS, STEP = 50, 20, 320  # a window of one second
CONFIG = transformers.WhisperConfig(
    d_model=16,
    encoder_layers=2,
    encoder_attention_heads=2,
    encoder_ffn_dim=32,
    decoder_layers=1,
    decoder_attention_heads=2,
    decoder_ffn_dim=16,
    num_mel_bins=BANDS,
    max_source_positions=POSITIONS,
    vocab_size=30,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    decoder_start_token_id=3,
)
SETTINGS = {"feature_size": BANDS, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400, "chunk_length": 1}
EXTRACTOR = transformers.WhisperFeatureExtractor(feature_size=BANDS, chunk_length=1)
CUTS = ("conv", "layers.0", "layers.1")


def tiny(folder: Path, *, pad: str = "none", kind: Any = transformers.WhisperModel) -> Path:
    """Write a network as transformers does; what follows the end of a recording is said as Headstart's own do."""
    torch.manual_seed(0)
    network = randomise(kind(CONFIG))
    network.save_pretrained(folder)
    stated = {"feature_extractor_type": "WhisperFeatureExtractor", **SETTINGS}
    change(folder, "preprocessor_config.json", **stated, **({"headstart_padding": "none"} if pad == "none" else {}))
    return folder


def change(folder: Path, name: str, **values: Any) -> Path:
    """Change values of a JSON file, which need not be there."""
    path = folder / name
    stated = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**stated, **values}))
    return folder


def encoder_of(folder: Path, *, positions: int = POSITIONS) -> Any:
    """transformers' own encoder with these weights, for inputs of so many positions."""
    whole = transformers.WhisperModel.from_pretrained(folder).encoder
    config = transformers.WhisperConfig(**{**CONFIG.to_dict(), "max_source_positions": positions})
    encoder = transformers.WhisperModel(config).encoder.eval()
    state = whole.state_dict()
    encoder.load_state_dict({**state, "embed_positions.weight": state["embed_positions.weight"][:positions]})
    return encoder


def cut_by_hand(samples: np.ndarray) -> list[np.ndarray]:
    """Cut into the fewest equal windows of at most a second, each of whole frames."""
    count = max(1, math.ceil(len(samples) / 16_000))
    parts = [samples[len(samples) * i // count : len(samples) * (i + 1) // count] for i in range(count)]
    length = max(2, math.ceil(max(map(len, parts)) / STEP)) * STEP
    return [np.pad(part, (0, length - len(part))) for part in parts]


def expected_row(folder: Path, item: Sound, *, pad: str) -> torch.Tensor:
    """Every window alone through transformers' own extractor and encoder, pooled over its frames by hand."""
    pooled = []
    for window in cut_by_hand(read_sound(item, rate=16_000)):
        frames = len(window) // STEP
        padding = "max_length" if pad == "window" else "longest"
        mels = EXTRACTOR(window, sampling_rate=16_000, padding=padding, truncation=False, return_tensors="pt")
        encoder = encoder_of(folder, positions=POSITIONS if pad == "window" else frames)
        pooled.append(encoder(mels["input_features"]).last_hidden_state[0, :frames].mean(0))
    return torch.stack(pooled).mean(0)


@pytest.mark.parametrize("pad", ["none", "window"])
def test_every_cut_gives_the_features_of_transformers_itself(
    pad: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tiny(tmp_path / "net", pad=pad)
    capfd.readouterr()
    backbone = load(f"dir:{folder}")
    assert capfd.readouterr() == ("", "")
    assert (backbone.modality, backbone.cuts, backbone.views) == ("audio", CUTS, ("last", "mean"))
    with torch.no_grad():
        expected = torch.stack([expected_row(folder, item, pad=pad) for item in sounds()])
    check_chain(backbone, sounds(), expected)
    batch = backbone.prepare(sounds())
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 2, 2, 2, 3, 4]
    assert (batch.mask is None) == (pad == "window")
    assert any("filled up with silence to its window" in note for note in backbone.notes) == (pad == "window")


@pytest.mark.parametrize("pad", ["none", "window"])
def test_neighbours_do_not_change_a_recording(pad: str, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path, pad=pad)}")
    together = backbone.forward_views(backbone.prepare(sounds()))
    for view, rows in together.items():
        alone = [backbone.forward_views(backbone.prepare([item]))[view] for item in sounds()]
        torch.testing.assert_close(rows, torch.cat(alone), atol=1e-5, rtol=1e-5)
    short = backbone.prepare([sounds()[0]] * 2)
    assert short.mask is None
    assert short.values.shape[1] == (16 if pad == "none" else POSITIONS), "a short clip is not filled up to the window"


def test_the_mean_of_layers_is_over_real_frames(tmp_path: Path) -> None:
    for pad in ("none", "window"):
        backbone = load(f"dir:{tiny(tmp_path / pad, pad=pad)}")
        batch = backbone.prepare(sounds()[:1])
        stored = [backbone.forward_to(batch, cut).values[0, :16, :16] for cut in CUTS]
        expected = torch.stack([each.mean(0) for each in stored]).mean(0)
        torch.testing.assert_close(backbone.forward_views(batch)["mean"][0], expected, atol=1e-6, rtol=1e-5)


def test_weights_are_found_with_a_head_without_a_decoder_and_in_half_precision(tmp_path: Path) -> None:
    backbones = []
    for name, kind in (("whole", transformers.WhisperModel), ("head", transformers.WhisperForConditionalGeneration)):
        backbones.append(load(f"dir:{tiny(tmp_path / name, kind=kind)}"))
        assert any("left out parts that features do not use: decoder" in note for note in backbones[-1].notes)
    state = load_file(tmp_path / "whole/model.safetensors")
    only = {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}
    assert len(only) == len(backbones[0].network.state_dict())
    for name, prefix in (("named", "encoder."), ("bare", "")):
        folder = tiny(tmp_path / name)
        save_file({prefix + key.removeprefix("encoder."): value for key, value in only.items()},
                  folder / "model.safetensors")  # fmt: skip
        backbones.append(load(f"dir:{folder}"))
        assert not any("left out" in note for note in backbones[-1].notes)
    rows = [backbone.forward(backbone.prepare(sounds())) for backbone in backbones]
    assert torch.equal(rows[0], rows[2])
    assert torch.equal(rows[0], rows[3])
    folder = tiny(tmp_path / "half")
    save_file({name: tensor.half() for name, tensor in only.items()}, folder / "model.safetensors")
    half = load(f"dir:{folder}")
    assert next(half.network.parameters()).dtype == torch.float32
    assert "weights stored as float16 were converted to float32" in half.notes
    torch.testing.assert_close(half.forward(half.prepare(sounds())), rows[0], atol=2e-2, rtol=0)


def test_an_encoder_of_another_size_is_refused_by_name(tmp_path: Path) -> None:
    folder = change(tiny(tmp_path), "config.json", encoder_layers=3)
    with pytest.raises(BackboneError, match=r"do not fit the network: layers\.2\.self_attn\.k_proj\.weight is missing"):
        load(f"dir:{folder}")


def test_a_configuration_that_cannot_be_built_is_refused(tmp_path: Path) -> None:
    folder = change(tiny(tmp_path), "config.json", encoder_attention_heads=3)
    with pytest.raises(BackboneError, match=r"transformers cannot build it \(embed_dim must be divisible"):
        load(f"dir:{folder}")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": "16k"}, "expected a whole number from 1 for \"sampling_rate\", found '16k'"),
        ({"hop_length": 0}, 'expected a whole number from 1 for "hop_length", found 0'),
        ({"feature_size": 80}, 'expected "feature_size" 20, as the network\'s num_mel_bins, found 80'),
        ({"n_fft": 20_000}, 'expected "n_fft" up to the 16000 samples of its window, found 20000'),
        ({"chunk_length": 30}, 'expected "chunk_length" 1 s, as its 50 positions hold, found 30'),
        ({"headstart_padding": "zeros"}, "expected \"headstart_padding\" none or window, found 'zeros'"),
        ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "WhisperFeatureExtractor, found 'Wav2Vec2"),
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


def test_missing_settings_are_asked_for(tmp_path: Path) -> None:
    (tiny(tmp_path) / "preprocessor_config.json").unlink()
    with pytest.raises(BackboneError, match=r"there is no preprocessor_config\.json.*Copy it from where"):
        load(f"dir:{tmp_path}")


def test_noise_that_is_left_out_is_said(tmp_path: Path) -> None:
    backbone = load(f"dir:{change(tiny(tmp_path), 'preprocessor_config.json', dither=0.1)}")
    assert "random noise is not added to recordings (dither)" in backbone.notes


def test_a_kept_recipe_with_other_settings_is_refused(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    source = {**backbone.source, "sound": {**backbone.source["sound"], "hop": -1}}
    with pytest.raises(BackboneError, match='stranger: expected a whole number from 1 for "hop_length", found -1'):
        rebuild(source, {}, backbone.network.state_dict(), name="stranger")


def test_padding_is_part_of_what_rows_are_stored_under(tmp_path: Path) -> None:
    one, other = (load(f"dir:{tiny(tmp_path / pad, pad=pad)}") for pad in ("none", "window"))
    assert one.weights_hash == other.weights_hash
    assert one.preprocessing_hash != other.preprocessing_hash


def test_nothing_of_a_configuration_but_the_encoder_is_kept(tmp_path: Path) -> None:
    stray = {"auto_map": {"AutoModel": "evil--code.Net"}, "_name_or_path": "org/else", "suppress_tokens": [1, 2]}
    backbone = load(f"dir:{change(tiny(tmp_path), 'config.json', **stray)}")
    assert backbone.source["config"].keys().isdisjoint(stray)
    assert not {"vocab_size", "decoder_layers"} & set(backbone.source["config"])


def test_dropout_of_the_stem_works_in_training_only(tmp_path: Path) -> None:
    folder = change(tiny(tmp_path), "config.json", dropout=0.5)
    backbone = load(f"dir:{folder}").copy(after=None)
    batch = backbone.prepare(sounds()[:1])
    plain = backbone.forward_to(batch, "conv").values
    assert torch.equal(plain, backbone.forward_to(batch, "conv").values)
    backbone.network.train()
    dropped = backbone.forward_to(batch, "conv").values
    assert (dropped == 0).float().mean() > 0.3
    kept = dropped != 0
    torch.testing.assert_close(dropped[kept], 2 * plain[kept])


def test_layers_of_older_versions_get_the_mask_of_heads_they_want() -> None:
    from headstart.backbones import Batch
    from headstart.backbones._transformers_sounds import _run

    class Older(torch.nn.Module):
        def forward(self, values: torch.Tensor, mask: Any, layer_head_mask: Any) -> tuple[torch.Tensor]:
            assert mask is None
            assert layer_head_mask is None
            return (values + 1,)

    assert torch.equal(_run(Older(), Batch(torch.zeros(1, 2, 3))), torch.ones(1, 2, 3))


def test_silence_and_very_short_clips_have_finite_features(tmp_path: Path) -> None:
    backbone: Backbone = load(f"dir:{tiny(tmp_path)}")
    clips = [Sound(np.zeros(16_000, np.float32), 16_000), Sound(np.ones(400, np.float32), 16_000)]
    batch = backbone.prepare(clips)
    assert batch.mask is not None
    assert batch.mask.sum(1).tolist() == [50, 2]
    assert torch.isfinite(backbone.forward(batch)).all()
