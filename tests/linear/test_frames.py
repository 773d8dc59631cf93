"""The head for speech: scores of frames and their neighbours against plain loops, and what a decoder makes of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from headstart.errors import DataError
from headstart.linear import FrameModel
from headstart.linear._frames import frame_scale
from headstart.tasks import Beam, CharacterModel, ragged

CHARACTERS = ("a", "b", " ")


def frames(*sizes: int, width: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    return ragged((5 + 3 * rng.standard_normal((size, width))).astype(np.float32) for size in sizes)


def model(X, *, seen: int, seed: int = 1) -> FrameModel:
    blank = FrameModel.zeros(X, CHARACTERS, seen=seen)
    rng = np.random.default_rng(seed)
    weights, bias = (rng.standard_normal(each.shape).astype(np.float32) for each in (blank.weights, blank.bias))
    return replace(blank, weights=weights, bias=bias)


def by_hand(head: FrameModel, X):
    """Log probabilities, one number at a time."""
    found = np.empty((len(X), len(head.bias)))
    for t in range(len(X)):
        for k in range(len(head.bias)):
            score = float(head.bias[k])
            for c in range(head.seen):
                at = t + c - head.seen // 2
                if 0 <= at < len(X):
                    for d in range(X.shape[1]):
                        score += (X[at, d] - head.mean[d]) / head.scale[d] * head.weights[c, d, k]
            found[t, k] = score
    return special.log_softmax(found, axis=1)


@pytest.mark.parametrize("seen", [1, 3, 7])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_scores_are_a_sum_over_a_frame_and_its_neighbours_inside_the_recording(seen, size):
    X = frames(size, 20)
    head = model(X, seen=seen)
    assert head.seen == seen
    np.testing.assert_allclose(head.log_probabilities(X[0]), by_hand(head, X[0]), atol=1e-4)


def test_recordings_do_not_hear_each_other():
    X = frames(6, 9, 4)
    head = model(X, seen=5)
    together = head.outputs(X)
    for one, heard in zip(X, together, strict=True):
        (alone,) = head.outputs(ragged([one]))
        np.testing.assert_array_equal(alone.probabilities, heard.probabilities)
        assert (alone.text, alone.characters) == (heard.text, CHARACTERS)
        assert heard.probabilities.dtype == np.float32
        np.testing.assert_allclose(heard.probabilities.sum(axis=1), 1, atol=1e-5)


def test_frames_are_standardised_over_all_recordings():
    X = frames(30, 5, 200)
    mean, scale = frame_scale(X)
    rows = np.concatenate(list(X))
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scale, rows.std(axis=0), rtol=1e-5)
    standard = np.concatenate([FrameModel.zeros(X, CHARACTERS, seen=1).standardised(each) for each in X])
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(standard.std(axis=0), 1, atol=1e-4)


def test_a_feature_that_hardly_varies_is_not_blown_up():
    X = ragged(
        np.column_stack([each[:, :2], np.full(len(each), 3 + 1e-9)]).astype(np.float32) for each in frames(40, 7)
    )
    _, scale = frame_scale(X)
    assert scale[2] == pytest.approx(np.sqrt((scale[0] ** 2 + scale[1] ** 2) / 3), rel=1e-3)
    silent = ragged([np.zeros((4, 3), np.float32)])
    np.testing.assert_array_equal(frame_scale(silent)[1], 1)
    np.testing.assert_allclose(FrameModel.zeros(silent, CHARACTERS, seen=3).log_probabilities(silent[0]), -np.log(4))


def test_a_model_that_knows_nothing_hears_nothing():
    X = frames(5)
    (heard,) = FrameModel.zeros(X, CHARACTERS, seen=3).outputs(X)
    np.testing.assert_allclose(heard.probabilities, 0.25)
    assert heard.text == ""


def test_the_decoder_makes_the_text():
    X = frames(3, width=4)
    certain = replace(
        FrameModel.zeros(X, CHARACTERS, seen=1),
        mean=np.zeros(4, np.float32),
        scale=np.ones(4, np.float32),
        weights=9 * np.eye(4, dtype=np.float32)[None],
    )
    heard = ragged([np.eye(4, dtype=np.float32)[[1, 1, 0, 1, 2]]])
    assert certain.outputs(heard)[0].text == "aab"
    beam = Beam(8, 4.0, 0.0, CharacterModel.from_texts(["ab"] * 50, CHARACTERS))
    assert replace(certain, decoder=beam).outputs(heard)[0].text == "ab"


def test_features_that_are_not_finite_are_refused():
    X = frames(4, 6)
    X[1][2, 0] = np.nan
    with pytest.raises(DataError, match="expected finite features, found 1 columns that are not"):
        FrameModel.zeros(X, CHARACTERS, seen=3)
