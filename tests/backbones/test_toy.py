"""The toy backbones, and what `Backbone` itself promises, on them."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.backbones import Backbone, hash_state, load, locate, rebuild
from headstart.errors import BackboneError
from tests.backbones.layouts import TEXTS, check_chain, pictures, sounds


def test_the_image_toy_reads_pictures_of_any_size() -> None:
    backbone = load("toy:image")
    values = backbone.prepare(pictures()).values
    assert values.shape == (3, 3, 32, 32)
    expected = backbone.network(values).mean((2, 3))
    check_chain(backbone, pictures(), expected)
    arrays = [np.asarray(picture) for picture in pictures()]
    assert torch.equal(backbone.prepare(arrays).values, values)
    assert backbone.views == ("last",)


def test_the_text_toy_pads_and_cuts_into_windows() -> None:
    backbone = load("toy:text")
    texts = [*TEXTS, "word " * 100]
    alone = torch.cat([backbone.forward(backbone.prepare([text])) for text in texts])
    check_chain(backbone, texts, alone)
    batch = backbone.prepare(texts)
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 2, 3, 4, 5, 5]
    assert backbone.preparer.cost(backbone.preparer.read(["word " * 100])[0]) == 101
    assert backbone.views == ("last", "mean")


def test_the_audio_toy_pads_and_cuts_into_windows() -> None:
    backbone = load("toy:audio")
    alone = torch.cat([backbone.forward(backbone.prepare([item])) for item in sounds()])
    check_chain(backbone, sounds(), alone)
    batch = backbone.prepare(sounds())
    assert batch.owner is not None
    assert batch.owner.tolist() == [0, 1, 2, 2, 3, 4]
    assert batch.mask is not None
    assert batch.mask.sum(1).tolist() == [16, 50, 63, 63, 11, 2]
    assert backbone.preparer.cost(backbone.preparer.read(sounds()[2:3])[0]) == 126
    assert (backbone.modality, backbone.views) == ("audio", ("last", "mean"))


ITEMS = [("toy:image", pictures(1)[0]), ("toy:text", "a few words of text"), ("toy:audio", sounds()[0])]


@pytest.mark.parametrize(("name", "item"), ITEMS)
def test_toys_are_fixed_honest_and_quick(name: str, item: object) -> None:
    one, two = load(name), load(name)
    assert one.weights_hash == two.weights_hash
    assert one.notes == ("random weights, for tests",)
    one.forward(one.prepare([item] * 64))
    start = time.perf_counter()
    one.forward(one.prepare([item] * 64))
    assert time.perf_counter() - start < 64 * 0.01, "ten times the promise, for slow machines"


def test_unknown_toys_cuts_and_sources_are_refused() -> None:
    with pytest.raises(BackboneError, match=r"no toy backbone 'sound'\. Write toy:image, toy:text or toy:audio"):
        load("toy:sound")
    with pytest.raises(BackboneError, match="toy:text: toy backbones are made by code"):
        locate("toy:text")
    backbone = load("toy:image")
    with pytest.raises(BackboneError, match=r"no cut point 'conv9'\. Its cut points: conv1, conv2, conv3"):
        backbone.forward_to(backbone.prepare(pictures()), "conv9")
    with pytest.raises(BackboneError, match="found 'future'"):
        rebuild({"library": "future"}, {}, {})


def test_hashes_follow_content_and_settings(tmp_path: Path) -> None:
    image, text = load("toy:image"), load("toy:text")
    assert image.weights_hash != text.weights_hash
    assert image.preprocessing_hash != text.preprocessing_hash
    state = image.network.state_dict()
    assert hash_state(dict(reversed(state.items()))) == image.weights_hash
    assert hash_state({name: value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
                       for name, value in state.items()}) == image.weights_hash  # fmt: skip
    state["0.0.bias"] = state["0.0.bias"] + 1
    assert hash_state(state) != image.weights_hash


def test_moving_to_a_device_moves_what_is_prepared() -> None:
    backbone = load("toy:text").to("meta")
    batch = backbone.prepare(["a b", "c"])
    assert isinstance(backbone, Backbone)
    assert (batch.values.device.type, batch.mask.device.type) == ("meta", "meta")
