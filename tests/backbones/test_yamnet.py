"""YAMNet: its folder, its preprocessing, and its cut points, with random weights and beside another implementation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.backbones import _yamnet, frame_backbone, load
from headstart.data import Sound, read_sound
from headstart.errors import BackboneError
from tests.backbones.layouts import check_chain, randomise, sounds, write_folder

CUTS = tuple(f"layer{number}" for number in range(1, 15))


def random(folder: Path, **config: Any) -> Path:
    """Write a network with random weights that let recordings differ in all layers."""
    torch.manual_seed(0)
    network = randomise(_yamnet._network())
    for tensor in network.state_dict().values():
        if tensor.ndim == 4:
            torch.nn.init.kaiming_normal_(tensor)
    head = {"classifier.weight": torch.randn(521, 1024), "classifier.bias": torch.randn(521)}
    matrix = {"frontend.mel_matrix": torch.from_numpy(_yamnet._mel_matrix())}
    stated = {"architecture": "yamnet", "frontend": dict(_yamnet.FRONT), **config}
    return write_folder(folder, stated, {**network.state_dict(), **head, **matrix})


def teacher(folder: Path) -> Any:
    """The implementation that the recipe of the starter uses, which takes its numbers from config.json."""
    from recipes.audio_small.teacher import Teacher

    path = folder / "config.json"
    more = {"patch_samples": 15_600}
    layers = [
        {
            "stride": stride,
            "params": [f"layer{i}.{part}" for part in (("conv",) if i == 1 else ("depthwise", "pointwise"))],
        }
        for i, (stride, _) in enumerate(_yamnet.LAYERS, start=1)
    ]
    path.write_text(json.dumps({"frontend": {**_yamnet.FRONT, **more}, "layers": layers}))
    return Teacher(folder)


def expected_rows(hear: Any) -> torch.Tensor:
    features, _, counts = hear([read_sound(item, rate=16_000) for item in sounds()])
    return torch.stack([torch.from_numpy(part).mean(0) for part in np.split(features, np.cumsum(counts)[:-1])])


def test_every_cut_gives_the_features_of_another_implementation(tmp_path: Path) -> None:
    backbone = load(f"dir:{random(tmp_path)}")
    assert (backbone.modality, backbone.cuts, backbone.views, backbone.num_features) == ("audio", CUTS, ("last",), 1024)
    expected = expected_rows(teacher(tmp_path))
    assert expected.std(0).mean() > 0.01 * expected.mean(), "recordings differ"
    check_chain(backbone, sounds(), expected)
    batch = backbone.prepare(sounds())
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 1, 2, 2, 2, 2, 2, 3, 4]
    assert batch.values.shape == (10, 96, 64)
    assert backbone.source_head is not None
    assert backbone.source_head.weight.shape == (521, 1024)


@pytest.mark.shared
def test_the_published_weights_hear_what_another_implementation_hears(shared: Path) -> None:
    from recipes.audio_small.teacher import Teacher

    folder = shared / "weights/yamnet.audioset"
    backbone = load(f"dir:{folder}")
    assert "weights stored as float16 were converted to float32" in backbone.notes
    expected = expected_rows(Teacher(folder))
    torch.testing.assert_close(backbone.forward(backbone.prepare(sounds())), expected, atol=1e-4, rtol=1e-4)
    stored = load_file(folder / "model.safetensors")["frontend.mel_matrix"]
    torch.testing.assert_close(torch.from_numpy(_yamnet._mel_matrix()), stored.float(), atol=1e-3, rtol=0)


def test_neighbours_do_not_change_a_recording(tmp_path: Path) -> None:
    backbone = load(f"dir:{random(tmp_path)}")
    rows = backbone.forward(backbone.prepare(sounds()))
    alone = [backbone.forward(backbone.prepare([item])) for item in sounds()]
    scale = rows.abs().max()
    torch.testing.assert_close(rows / scale, torch.cat(alone) / scale, atol=1e-5, rtol=0)


def test_training_reaches_every_weight_after_a_cut_and_none_before_it(tmp_path: Path) -> None:
    backbone = load(f"dir:{random(tmp_path)}").copy(after="layer12")
    thawed = set(backbone.thawed_names("layer12"))
    backbone.network.train()
    for name, parameter in backbone.network.named_parameters():
        parameter.requires_grad_(name in thawed)
    backbone.forward(backbone.prepare(sounds())).square().mean().backward()
    reached = {name for name, parameter in backbone.network.named_parameters() if parameter.grad is not None}
    kinds = ("depthwise.weight", "depthwise.bias", "pointwise.weight", "pointwise.bias")
    assert reached == thawed == {f"layer{number}.{kind}" for number in (13, 14) for kind in kinds}


def test_silence_and_very_short_clips_have_finite_features(tmp_path: Path) -> None:
    backbone = load(f"dir:{random(tmp_path)}")
    clips = [Sound(np.zeros(16_000, np.float32), 16_000), Sound(np.ones(400, np.float32), 16_000)]
    assert torch.isfinite(backbone.forward(backbone.prepare(clips))).all()


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ({"hop_samples": 80}, 'expected "hop_samples" 160 in "frontend", as in every YAMNet, found 80'),
        ({"mel_max_hz": "high"}, 'expected "mel_max_hz" 7500.0 in "frontend", as in every YAMNet, found \'high\''),
        ([1], 'expected "sample_rate" 16000 in "frontend", as in every YAMNet, found [1]'),
    ],
)
def test_other_preprocessing_is_refused(front: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(BackboneError) as error:
        load(f"dir:{random(tmp_path, frontend=front)}")
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "config.json"))


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    path = random(tmp_path) / "model.safetensors"
    state = load_file(path)
    del state["layer2.depthwise.bias"]
    save_file(state, path)
    with pytest.raises(BackboneError, match=r"do not fit the network: layer2\.depthwise\.bias is missing"):
        load(f"dir:{tmp_path}")


def test_it_has_no_features_of_frames(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="does not tell where the frames of a recording are"):
        frame_backbone(load(f"dir:{random(tmp_path)}"), 25)
