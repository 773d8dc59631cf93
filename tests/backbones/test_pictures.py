"""Pictures as they were measured, up to the network's input."""

import numpy as np
import pytest
import tifffile
import timm
import torch
import torchvision
from PIL import Image
from timm.models._manipulate import adapt_input_conv

from headstart.backbones import (
    Backbone,
    augmented,
    from_scratch,
    load,
    picture_backbone,
    rebuild,
    word_backbone,
    write_folder,
)
from headstart.backbones._pictures import repeated
from headstart.data import PixelScale
from headstart.errors import BackboneError, DataError
from tests.backbones.layouts import randomise
from tests.backbones.layouts import write_folder as write_files
from tests.backbones.test_timm import FAMILIES, PRETRAINED, tiny
from tests.dicoms import write_dicom

FULL = PixelScale({"uint16": (0.0, 65535.0), "float": (0.0, 1.0), "DICOM": (0.0, 4095.0)})
TWELVE = PixelScale({"uint16": (0.0, 4095.0), "float": (0.0, 4095.0), "DICOM": (0.0, 4095.0)})
PHOTO = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
FIVE = np.random.default_rng(1).integers(0, 256, (60, 50, 5), dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return (127.5 + 100 * np.sin(rows / 7) * np.cos(columns / 11)) / 255


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> Backbone:
    return load(f"dir:{tiny(tmp_path_factory.mktemp('net'), *FAMILIES['resnet'][:2])[0]}")


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory) -> Backbone:
    network = randomise(torchvision.models.squeezenet1_1())
    config = {
        "architecture": "torchvision:squeezenet1_1",
        "input_size": [3, 48, 48],
        "mean": [0.5] * 3,
        "std": [0.3] * 3,
    }
    return load(f"dir:{write_files(tmp_path_factory.mktemp('net'), config, network.state_dict())}")


@pytest.mark.parametrize("kind", ["png", "tif", "float", "dicom"])
@pytest.mark.parametrize("name", ["toy:image", "starter:image-small"])
def test_a_16_bit_gradient_keeps_its_distinct_values_up_to_the_network_s_input(tmp_path, kind, name):
    backbone = load(name)
    side = backbone.prepare([Image.new("RGB", (9, 9))]).values.shape[-1]
    n = min(4096, side * side)
    crop = backbone.preparer.settings.get("crop_pct", 1.0)
    whole = round(side / crop)  # what is cut off around what the network sees
    gradient = np.full((whole, whole), 2000, np.uint16)
    start = round((whole - side) / 2)
    gradient[start : start + side, start : start + side].flat[:n] = np.arange(n) * (4095 // (n - 1))
    path = tmp_path / f"g.{'dcm' if kind == 'dicom' else 'png' if kind == 'png' else 'tif'}"
    if kind == "dicom":
        write_dicom(path, gradient, bits=12)
    elif kind == "png":
        Image.fromarray(gradient).save(path)
    else:
        tifffile.imwrite(path, gradient.astype(np.float32) if kind == "float" else gradient)
    seen = picture_backbone(backbone, TWELVE).prepare([path]).values[0]
    assert seen.shape == (3, side, side)
    for channel in seen:
        values = channel.flatten()[:n]
        assert len(values.unique()) == n
        assert (values.diff() > 0).all()
    assert len(backbone.prepare([path]).values[0, 0].unique()) <= 256  # what it was


@pytest.mark.parametrize("name", ["toy:image", "starter:image-small", "torchvision"])
def test_wide_pictures_are_resized_as_8_bit_ones_are_to_within_rounding(tmp_path, name, squeezenet):
    backbone = squeezenet if name == "torchvision" else load(name)
    for size in ((300, 200), (40, 70)):
        wide = smooth(*size).astype(np.float32)
        narrow = np.rint(wide * 255).astype(np.uint8)
        tifffile.imwrite(tmp_path / "w.tif", wide)
        eight = backbone.prepare([Image.fromarray(narrow)]).values
        seen = picture_backbone(backbone, FULL).prepare([tmp_path / "w.tif"]).values
        std = min(backbone.preparer.settings["std"])
        assert float((eight - seen).abs().max()) * std * 255 < 1.75  # the pixels and two passes, each rounded


@pytest.mark.parametrize(
    "settings", [{}, {"crop_mode": "squash"}, {"crop_mode": "border"}, {"interpolation": "bilinear"}, {"crop_pct": 1.0}]
)
def test_timm_s_ways_of_cropping_work_on_wide_pictures(tmp_path, settings):
    pretrained = {**PRETRAINED, "num_classes": 5, **settings}
    backbone = load(f"dir:{tiny(tmp_path, *FAMILIES['resnet'][:2], pretrained_cfg=pretrained)[0]}")
    wide = smooth(60, 90).astype(np.float32)
    narrow = np.rint(wide * 255).astype(np.uint8)
    eight = backbone.prepare([Image.fromarray(narrow)]).values
    seen = picture_backbone(backbone, FULL).prepare([wide]).values
    most = 16 if settings.get("crop_mode") == "border" else 1.75  # there gray is filled up with gray, not with a colour
    assert float((eight - seen).abs().max()) * 0.3 * 255 < most


def test_8_bit_pictures_are_seen_as_before_beside_wide_ones():
    backbone = load("toy:image")
    both = picture_backbone(backbone, FULL)
    items = [PHOTO, PHOTO[..., 0], PHOTO.astype(np.uint16) * 257]
    assert torch.equal(both.prepare(items).values, backbone.prepare(items).values)
    deep = PHOTO[..., 0].astype(np.uint16) * 257
    deep[0, 0] += 1  # no longer an 8-bit picture
    mixed = both.prepare([*items, deep]).values
    assert torch.equal(mixed[:3], backbone.prepare(items).values)
    assert float((mixed[3] - mixed[1]).abs().max()) < 0.02


def test_the_scale_is_part_of_what_addresses_features_and_of_what_is_kept(tmp_path):
    backbone = load("toy:image")
    seeing = picture_backbone(backbone, TWELVE)
    assert seeing.pixels == TWELVE
    assert backbone.pixels is None
    assert seeing.weights_hash == backbone.weights_hash
    assert seeing.preprocessing_hash != backbone.preprocessing_hash
    assert picture_backbone(backbone, FULL).preprocessing_hash != seeing.preprocessing_hash
    assert picture_backbone(picture_backbone(backbone, FULL), TWELVE).preprocessing_hash == seeing.preprocessing_hash
    again = rebuild(seeing.source, seeing.assets, seeing.network.state_dict())
    assert again.preprocessing_hash == seeing.preprocessing_hash
    write_folder(seeing, tmp_path / "written")
    assert load(f"dir:{tmp_path / 'written'}").pixels == TWELVE


def test_an_old_preprocessing_hash_stays():
    assert load("toy:image").preprocessing_hash.startswith("91f193e3b4c410ed")
    assert load("starter:image-small").preprocessing_hash.startswith("006e55bc2bd8add0")


def test_views_of_a_wide_picture_are_views_of_all_its_channels_alike():
    equal = np.repeat(np.rint(smooth(60, 50) * 255).astype(np.uint8)[..., None], 5, axis=2)
    backbone = picture_backbone(load("toy:image"), PixelScale({"uint8": (0, 255)}, 5))
    for view in range(1, 4):
        seen = augmented(backbone, view).prepare([equal]).values
        assert (seen == seen[:, :1]).all()
        assert not torch.equal(seen, backbone.prepare([equal]).values)
    deep = np.rint(smooth(60, 50) * 4095).astype(np.uint16)
    gray = picture_backbone(load("toy:image"), TWELVE)
    assert torch.equal(augmented(gray, 1).prepare([deep]).values, augmented(gray, 1).prepare([deep]).values)
    with pytest.raises(BackboneError, match="it is augmented already. Pass the backbone it was made from"):
        picture_backbone(augmented(gray, 1), FULL)


@pytest.mark.parametrize("channels", [2, 4, 5, 7])
def test_the_first_layer_is_adapted_as_timm_does(channels):
    kernels = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(repeated(kernels, channels), adapt_input_conv(channels, kernels.clone()))


@pytest.mark.parametrize(
    "family", ["resnet", "resnet-deep-stem", "vit-token", "convnext", "swin", "mobilenetv3", "uncut"]
)
def test_a_network_for_other_channels_is_the_one_that_timm_makes(tmp_path, family):
    architecture, arguments, *_ = FAMILIES[family]
    backbone = load(f"dir:{tiny(tmp_path, architecture, arguments)[0]}")
    seeing = picture_backbone(backbone, PixelScale({"uint8": (0, 255)}, 5))
    theirs = timm.create_model(architecture, num_classes=0, in_chans=5, **arguments).eval()
    own = dict(backbone.network.state_dict())
    first = seeing.source["pixels"]["first"]
    own[f"{first}.weight"] = adapt_input_conv(5, own[f"{first}.weight"].clone())
    theirs.load_state_dict(own)
    batch = seeing.prepare([FIVE, FIVE[::-1].copy()])
    assert batch.values.shape[1] == 5
    with torch.no_grad():
        expected = theirs.forward_head(theirs.forward_features(batch.values), pre_logits=True)
        torch.testing.assert_close(seeing.forward(batch), expected, atol=1e-4, rtol=1e-4)
        assert backbone.forward(backbone.prepare([PHOTO])).shape == (1, backbone.num_features)  # as it was


def test_a_network_for_other_channels_is_built_again_cut_off_and_drawn_anew(tmp_path, resnet):
    seeing = picture_backbone(resnet, PixelScale({"uint8": (0, 255)}, 5))
    again = rebuild(seeing.source, seeing.assets, seeing.network.state_dict(), name=seeing.name)
    assert again.weights_hash == seeing.weights_hash != resnet.weights_hash
    assert again.preprocessing_hash == seeing.preprocessing_hash
    with torch.no_grad():
        batch = seeing.prepare([FIVE])
        assert torch.equal(again.forward(batch), seeing.forward(batch))
        short = seeing.truncated(seeing.cuts[1])
        rebuilt = rebuild(short.source, short.assets, short.network.state_dict(), name=short.name)
        assert torch.equal(rebuilt.forward(batch), short.forward(batch))
        fresh = from_scratch(seeing, seed=0)
        assert fresh.forward(batch).shape == seeing.forward(batch).shape
        assert not torch.equal(fresh.forward(batch), seeing.forward(batch))
    write_folder(seeing, tmp_path / "written")
    assert load(f"dir:{tmp_path / 'written'}").weights_hash == seeing.weights_hash
    assert seeing.copy(after=None).prepare([FIVE]).values.shape[1] == 5


def test_other_channels_than_those_trained_on_are_refused(tmp_path, resnet):
    seeing = picture_backbone(resnet, PixelScale({"uint8": (0, 255)}, 5))
    path = tmp_path / "a.png"
    Image.fromarray(PHOTO).save(path)
    for item in (path, PHOTO):
        with pytest.raises(
            DataError, match=r"expected 5 channels, as all of the training .*, found a gray or RGB pict"
        ):
            seeing.prepare([item])
    with pytest.raises(DataError, match=r"expected a gray or RGB picture, as all .*, found 5 channels. Give pictures"):
        picture_backbone(resnet, FULL).prepare([FIVE])
    with pytest.raises(DataError, match=r"expected a gray or RGB picture, found 5 channels"):
        resnet.prepare([FIVE])


def test_a_network_that_cannot_see_so_is_refused():
    with pytest.raises(BackboneError, match="it does not see pictures. Choose a network for images"):
        picture_backbone(load("toy:text"), FULL)
    with pytest.raises(BackboneError, match="it does not see pictures"):
        picture_backbone(word_backbone(load("toy:text"), "mean"), FULL)
    own = Backbone.from_module([("a", torch.nn.Flatten())], lambda image: torch.zeros(3, 4, 4))
    with pytest.raises(BackboneError, match="it cannot be adapted to other channels than gray and RGB. Choose a"):
        picture_backbone(own, PixelScale({"uint8": (0, 255)}, 4))
    seeing = picture_backbone(load("toy:image"), PixelScale({"uint8": (0, 255)}, 5))
    with pytest.raises(BackboneError, match="it cannot be adapted to other channels"):
        picture_backbone(seeing, PixelScale({"uint8": (0, 255)}, 4))


def test_a_recipe_whose_first_layer_does_not_fit_is_refused(resnet):
    seeing = picture_backbone(resnet, PixelScale({"uint8": (0, 255)}, 5))
    state = seeing.network.state_dict()
    for pixels in ({"channels": 6}, {"first": "layer1.0.conv1"}):
        source = {**seeing.source, "pixels": {**seeing.source["pixels"], **pixels}}
        with pytest.raises(BackboneError, match="(its first layer .* does not fit|the weights do not fit the network)"):
            rebuild(source, seeing.assets, state)
    with pytest.raises(DataError, match="expected ranges of pixels and a number of channels, found"):
        rebuild(
            {**seeing.source, "pixels": {"ranges": {"uint16": [1, 0]}, "channels": 3}}, {}, resnet.network.state_dict()
        )


def test_a_network_of_your_own_gets_8_bits_by_the_scale():
    def preprocess(image: Image.Image) -> torch.Tensor:
        assert image.mode == "RGB"
        return torch.from_numpy(np.asarray(image.resize((8, 8))).copy()).permute(2, 0, 1).float()

    own = Backbone.from_module([("mean", torch.nn.Identity())], preprocess)
    deep = np.full((8, 8), 4095, np.uint16)
    deep[0, 0] = 1
    assert own.prepare([deep]).values.max() == 16
    assert picture_backbone(own, TWELVE).prepare([deep]).values.max() == 255
