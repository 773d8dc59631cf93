"""AST: its folder, its preprocessing, clips of any length, and its cut points, on tiny networks."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from headstart.backbones import augmented, frame_backbone, load, rebuild
from headstart.data import Sound, read_sound
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, randomise, sounds
from tests.backbones.test_transformers_sounds import change

BANDS, MOST, HOP, REACH = 20, 64, 160, 240  # a window of 0.64 s
CUTS = ("embeddings", "layers.0", "layers.1")
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
PATCHES = {"patch_size": 8, "frequency_stride": 6, "time_stride": 6, "num_mel_bins": BANDS, "max_length": MOST}
CONFIG = transformers.ASTConfig(**SIZES, **PATCHES)


def tiny(folder: Path, *, head: bool = True, **settings: Any) -> Path:
    """Write a network as transformers does, by the names its published files have."""
    torch.manual_seed(0)
    kind = transformers.ASTForAudioClassification if head else transformers.ASTModel
    randomise(kind(CONFIG)).save_pretrained(folder)
    extractor(**settings).save_pretrained(folder)
    return folder


def extractor(**settings: Any) -> Any:
    with warnings.catch_warnings():  # of bands narrower than a frequency
        warnings.simplefilter("ignore")
        return transformers.ASTFeatureExtractor(num_mel_bins=BANDS, max_length=MOST, **settings)


def windows_by_hand(item: Sound) -> list[np.ndarray]:
    """Cut into the fewest equal windows of at most 0.64 s, each with silence up to the end of its last spectrum."""
    samples = read_sound(item, rate=16_000)
    count = max(1, math.ceil(len(samples) / (MOST * HOP)))
    parts = [samples[len(samples) * i // count : len(samples) * (i + 1) // count] for i in range(count)]
    length = math.ceil((max(400, *map(len, parts)) - REACH) / HOP) * HOP + REACH
    return [np.pad(part, (0, length - len(part))) for part in parts]


def expected_rows(folder: Path, **settings: Any) -> torch.Tensor:
    """What the classifier of transformers' own network reads, window by window."""
    network, rows = transformers.ASTModel.from_pretrained(folder).eval(), []
    for item in sounds():
        found = extractor(**settings)(windows_by_hand(item), sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            rows.append(network(found["input_values"]).pooler_output.mean(0))
    return torch.stack(rows)


@pytest.mark.parametrize("settings", [{}, {"do_normalize": False}, {"mean": -1.5, "std": 3}])
def test_every_cut_gives_the_features_of_transformers_itself(
    settings: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tiny(tmp_path / "net", **settings)
    capfd.readouterr()
    backbone = load(f"dir:{folder}")
    assert capfd.readouterr() == ("", "")
    assert (backbone.modality, backbone.cuts, backbone.views) == ("audio", CUTS, ("last", "mean"))
    check_chain(backbone, sounds(), expected_rows(folder, **settings))
    batch = backbone.prepare(sounds())
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 1, 2, 2, 2, 2, 3, 4]
    assert batch.mask is None
    assert "recordings are filled up with zeros to its window, as it was trained" in backbone.notes
    assert any(note.endswith("do not use: classifier") for note in backbone.notes)


def test_neighbours_do_not_change_a_recording(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    together = backbone.forward_views(backbone.prepare(sounds()))
    for view, rows in together.items():
        alone = [backbone.forward_views(backbone.prepare([item]))[view] for item in sounds()]
        torch.testing.assert_close(rows, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_the_spectra_that_hold_sound_are_marked_and_alone_masked_in_augmented_views(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    plain = backbone.prepare(sounds()[:1]).values[0]
    real = plain[:, BANDS] > 0
    assert real.sum() == 30
    assert plain[~real].unique().numel() <= 2, "what fills the window, and the mark"
    view = augmented(backbone, 1).prepare(sounds()[:1]).values[0]
    assert torch.equal(view[~real], plain[~real])
    assert not torch.equal(view[real], plain[real])


def test_weights_are_found_by_their_older_and_their_newer_names_and_in_half_precision(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path / 'head')}")
    assert any(".encoder.layer.0." in name for name in load_file(tmp_path / "head/model.safetensors"))
    rows = backbone.forward(backbone.prepare(sounds()))
    bare = load(f"dir:{tiny(tmp_path / 'bare', head=False)}")
    assert not any("left out" in note for note in bare.notes)
    path = tmp_path / "bare/model.safetensors"
    save_file(dict(backbone.network.state_dict()), path)
    newer = load(f"dir:{tmp_path / 'bare'}")
    assert torch.equal(newer.forward(newer.prepare(sounds())), rows)
    save_file({key: tensor.half() for key, tensor in load_file(path).items()}, path)
    half = load(f"dir:{tmp_path / 'bare'}")
    assert "weights stored as float16 were converted to float32" in half.notes
    torch.testing.assert_close(half.forward(half.prepare(sounds())), rows, atol=2e-2, rtol=0)


@pytest.mark.parametrize("cut", [None, *CUTS[:2]])
def test_training_reaches_every_weight_after_a_cut_and_none_before_it(cut: str | None, tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}").copy(after=cut)
    thawed = set(backbone.thawed_names(cut))
    backbone.network.train()
    for name, parameter in backbone.network.named_parameters():
        parameter.requires_grad_(name in thawed)
    backbone.forward(backbone.prepare(sounds())).square().sum().backward()
    reached = {name for name, parameter in backbone.network.named_parameters() if parameter.grad is not None}
    assert reached == thawed
    assert len(thawed) > 10


def test_it_has_no_features_of_frames(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="does not tell where the frames of a recording are"):
        frame_backbone(load(f"dir:{tiny(tmp_path)}"), 25)


def test_silence_and_very_short_clips_have_finite_features(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    clips = [Sound(np.zeros(16_000, np.float32), 16_000), Sound(np.ones(400, np.float32), 16_000)]
    assert torch.isfinite(backbone.forward(backbone.prepare(clips))).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 3}, "do not fit the network: layers.2"),
        ({"hidden_size": "16"}, "transformers cannot build it ("),
        ({"num_attention_heads": 0}, "transformers cannot build it ("),
        ({"patch_size": [8, 8]}, "transformers cannot build it ("),
        ({"time_stride": 0}, "transformers cannot build it ("),
        ({"max_length": 128}, 'expected "max_length" 128, as in config.json, found 64'),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BackboneError) as error:
        load(f"dir:{change(tiny(tmp_path), 'config.json', **values)}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path)) or "do not fit" in message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sampling_rate": 8000}, 'expected "sampling_rate" 16000, found 8000'),
        ({"sampling_rate": "16k"}, "expected a whole number from 1 for \"sampling_rate\", found '16k'"),
        ({"num_mel_bins": 80}, 'expected "num_mel_bins" 20, as in config.json, found 80'),
        ({"max_length": 1024}, 'expected "max_length" 64, as in config.json, found 1024'),
        ({"do_normalize": 1}, 'expected true or false for "do_normalize", found 1'),
        ({"mean": "-4"}, 'expected numbers for "mean" and "std", the second above 0, found \'-4\' and 4.5689974'),
        ({"std": 0}, "the second above 0, found -4.2677393 and 0"),
        ({"std": math.nan}, "the second above 0, found -4.2677393 and nan"),
        ({"feature_extractor_type": "WhisperFeatureExtractor"}, "ASTFeatureExtractor, found 'Whisper"),
    ],
)
def test_settings_that_do_not_belong_to_it_are_refused_with_their_place(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BackboneError) as error:
        load(f"dir:{change(tiny(tmp_path), 'preprocessor_config.json', **values)}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "preprocessor_config.json"))


def test_missing_settings_are_asked_for(tmp_path: Path) -> None:
    (tiny(tmp_path) / "preprocessor_config.json").unlink()
    with pytest.raises(BackboneError, match=r"there is no preprocessor_config\.json.*Copy it from where"):
        load(f"dir:{tmp_path}")


def test_a_kept_recipe_with_other_settings_is_refused(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path)}")
    source = {**backbone.source, "sound": {**backbone.source["sound"], "std": -1}}
    with pytest.raises(BackboneError, match='stranger: expected numbers for "mean" and "std"'):
        rebuild(source, {}, backbone.network.state_dict(), name="stranger")


def test_nothing_of_a_configuration_but_the_network_is_kept(tmp_path: Path) -> None:
    stray = {"auto_map": {"AutoModel": "evil--code.Net"}, "_name_or_path": "org/else"}
    backbone = load(f"dir:{change(tiny(tmp_path), 'config.json', **stray)}")
    assert backbone.source["config"].keys().isdisjoint({*stray, "id2label"})
