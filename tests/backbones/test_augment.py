"""Augmented views: the same for the same image, other for another view, and part of the store's key."""

import numpy as np
import pytest
import torch
from PIL import Image

from headstart import backbones
from headstart.backbones import Backbone, augmented
from headstart.backbones._augment import _CropAndFlip, _draw_box
from headstart.data import Dataset
from headstart.errors import BackboneError, OptionError
from headstart.features import FeatureSource, key_of
from tests.conftest import make_image


def pictures(n: int = 6) -> list[Image.Image]:
    return [make_image((90, 120, 60), seed=i, size=(40, 30)) for i in range(n)]


def own() -> Backbone:
    def prepare(image: Image.Image) -> torch.Tensor:
        pixels = np.asarray(image.resize((8, 8)), dtype=np.float32)
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255

    return Backbone.from_module([("body", torch.nn.Conv2d(3, 4, 3))], prepare)


@pytest.fixture(params=["toy:image", "own"])
def backbone(request) -> Backbone:
    return own() if request.param == "own" else backbones.load(request.param)


def test_view_0_is_the_backbone_itself(backbone):
    assert augmented(backbone, 0) is backbone


def test_an_image_gives_the_same_view_in_any_order_and_company_and_from_a_file(backbone, tmp_path):
    view, images = augmented(backbone, 1), pictures()
    images[2].save(tmp_path / "a.png")
    together = view.prepare(images).values
    assert torch.equal(view.prepare(images[::-1]).values.flip(0), together)
    assert torch.equal(augmented(backbone, 1).prepare([tmp_path / "a.png"]).values[0], together[2])
    assert not torch.equal(together, backbone.prepare(images).values)


def test_views_and_seeds_differ_and_so_do_their_keys_but_not_the_weights(backbone):
    images = pictures()
    changed = [augmented(backbone, 1), augmented(backbone, 2), augmented(backbone, 1, seed=1)]
    changed.append(augmented(backbone, 1, flips="off"))
    everything = [backbone, *changed]
    assert len({key_of(view).digest for view in everything}) == 5
    assert len({view.prepare(images).values.numpy().tobytes() for view in everything}) == 5
    assert {view.weights_hash for view in everything} == {backbone.weights_hash}


def test_the_weights_are_hashed_once_for_all_views(monkeypatch):
    calls, backbone = [], backbones.load("toy:image")
    original = backbones.hash_state
    monkeypatch.setattr("headstart.backbones._base.hash_state", lambda state: (calls.append(1), original(state))[1])
    for view in range(4):
        assert augmented(backbone, view).weights_hash
    assert len(calls) == 1


def test_without_flips_no_image_is_mirrored_and_with_flips_about_half_of_them():
    ramp = np.broadcast_to(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], (40, 60, 3)).copy()
    mirrored = {"on": 0, "off": 0}
    for flips in mirrored:
        for view in range(1, 201):
            seen = np.asarray(_CropAndFlip(seed=0, view=view, flips=flips)(Image.fromarray(ramp)), dtype=float)
            mirrored[flips] += seen[:, 0].mean() > seen[:, -1].mean()
    assert mirrored["off"] == 0
    assert 75 <= mirrored["on"] <= 125


def test_crops_keep_within_scale_and_ratio_and_reach_all_of_it():
    rng, size = np.random.default_rng(0), (400, 300)
    boxes = np.array([_draw_box(size, rng) for _ in range(500)])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    areas, ratios = widths * heights / (400 * 300), widths / heights
    assert boxes[:, :2].min() >= 0
    assert (boxes[:, 2] <= 400).all()
    assert (boxes[:, 3] <= 300).all()
    assert 0.49 < areas.min() < 0.55
    assert 0.9 < areas.max() <= 1.0
    assert 0.74 < ratios.min() < 0.85
    assert 1.2 < ratios.max() < 1.35


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (90, 2)])
def test_an_image_no_crop_fits_into_is_cropped_in_the_centre(size):
    left, upper, right, lower = _draw_box(size, np.random.default_rng(0))
    assert 0 <= left < right <= size[0]
    assert 0 <= upper < lower <= size[1]
    assert _CropAndFlip(seed=0, view=1, flips="on")(make_image((9, 9, 9), seed=0, size=size)).size[0] >= 1


def test_features_and_activations_of_a_view_are_rows_of_their_own(backbone):
    images = pictures()
    dataset, source = Dataset("image", tuple(images), tuple(map(str, range(6)))), FeatureSource()
    plain, other = source.features(backbone, dataset), source.features(augmented(backbone, 1), dataset)
    assert source.computed == 12
    assert not np.array_equal(plain, other)
    cut = backbone.cuts[0]
    assert len(source.activations(augmented(backbone, 1), dataset, cut=cut)) == 6
    assert source.computed == 18


def test_texts_negative_views_and_views_of_views_are_refused():
    with pytest.raises(BackboneError, match="toy:text: only images and sounds have augmented views"):
        augmented(backbones.load("toy:text"), 1)
    with pytest.raises(OptionError, match="expected a view from 0, found -1"):
        augmented(backbones.load("toy:image"), -1)
    with pytest.raises(BackboneError, match="it is augmented already"):
        augmented(augmented(backbones.load("toy:image"), 1), 2)
