"""TransferTranscriber as a scikit-learn estimator: recordings in, texts out."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import estimator_checks_generator

from headstart import TransferTranscriber
from headstart.data import Sound
from headstart.errors import BackboneError, DataError, OptionError
from headstart.tasks import edits
from tests.data.sounds import write_sound
from tests.spoken import RATE, spoken

N = 30


def toy(**settings: object) -> TransferTranscriber:
    return TransferTranscriber("toy:audio", **settings)


@pytest.fixture(scope="module")
def lists() -> tuple[list[Sound], list[str]]:
    data = spoken(N)
    return list(data.items), list(data.labels or ())


@pytest.fixture(scope="module")
def fitted(lists, tmp_path_factory: pytest.TempPathFactory) -> TransferTranscriber:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADSTART_CACHE", str(tmp_path_factory.mktemp("cache")))
        return toy().fit(lists[0][:20], lists[1][:20])


def test_recordings_have_texts(lists, fitted):
    X, y = lists
    predicted = fitted.predict(X[20:])
    assert all(isinstance(text, str) for text in predicted)
    assert fitted.characters_.tolist() == [" ", "a", "b", "c", "d"]
    wrong = sum(edits(text.split(), heard.split()) for text, heard in zip(y[20:], predicted, strict=True))
    assert fitted.score(X[20:], y[20:]) == pytest.approx(1 - wrong / sum(len(text.split()) for text in y[20:]))
    assert fitted.score(X[20:], y[20:]) > 0.5
    assert fitted.score(X[20:], predicted) == 1
    assert fitted.score(X[:1], ["zz"]) < 0  # more is heard than was said


def test_words_have_times(lists, fitted):
    X, _ = lists
    words = fitted.predict_words(X[20:])
    assert [" ".join(each.word for each in one) for one in words] == fitted.predict(X[20:])
    assert all(0 <= each.start < each.end and 0 < each.probability <= 1 for one in words for each in one)
    assert all(one[-1].end <= len(item.samples) / RATE + 0.04 for one, item in zip(words, X[20:], strict=True) if one)


def test_paths_arrays_and_sounds_are_the_same(lists, fitted, tmp_path):
    X, _ = lists
    path = write_sound(tmp_path / "a.wav", X[20].samples, subtype="FLOAT")
    expected = fitted.predict([X[20]])
    assert fitted.predict([X[20].samples]) == expected
    assert fitted.predict([path]) == expected
    assert fitted.predict([str(path)]) == expected
    stereo = np.stack([X[20].samples] * 2, axis=1)
    assert fitted.predict([stereo]) == expected


def test_it_works_in_cross_validation_and_a_grid_search(lists):
    X, y = lists
    groups = [f"speaker {i // 5}" for i in range(N)]
    scores = cross_val_score(toy(), X, y, cv=GroupKFold(3), groups=groups)
    assert scores.shape == (3,)
    assert scores.mean() > 0.3
    search = GridSearchCV(toy(), {"transcripts": ["plain", "written"]}, cv=2).fit(X, y)
    assert search.predict(X[:3]) == search.best_estimator_.predict(X[:3])


def test_groups_stay_together_inside(lists):
    X, y = lists
    assert toy().fit(X, y, groups=[i // 5 for i in range(N)]).model_.task.kind == "transcription"
    with pytest.raises(DataError, match="groups: expected 30 values, one per item, found 2"):
        toy().fit(X, y, groups=[1, 2])


def test_a_clone_has_the_settings_and_not_the_fit(fitted):
    copy = clone(fitted.set_params(random_state=3))
    fitted.set_params(random_state=0)
    names = {"backbone", "strategy", "transcripts", "metric", "device", "offline", "random_state"}
    assert set(copy.get_params()) == names
    assert copy.get_params()["random_state"] == 3
    assert not hasattr(copy, "model_")


def test_spelling_is_chosen(lists, fitted):
    X, y = lists
    loud = [f"{text.upper()}!" for text in y]
    plain = toy().fit(X[:20], loud[:20])
    assert plain.predict(X[20:]) == fitted.predict(X[20:])
    assert plain.score(X[20:], loud[20:]) == plain.score(X[20:], y[20:])
    assert set(toy(transcripts="written").fit(X[:20], loud[:20]).characters_) == set(" !ABCD")


def test_what_does_not_fit_is_refused(lists, fitted, tmp_path):
    X, y = lists
    with pytest.raises(OptionError, match="transcripts: expected plain or written, found 'loud'"):
        toy(transcripts="loud").fit(X, y)
    with pytest.raises(DataError, match="y: expected transcripts with words, found none"):
        toy().fit(X, ["..."] * N)
    with pytest.raises(DataError, match="y: expected transcripts with words, found none"):
        fitted.score(X[:1], [""])
    with pytest.raises(DataError, match=r"y\[0\]: expected a transcript, found 1"):
        toy().fit(X, list(range(1, N + 1)))
    with pytest.raises(DataError, match="y: expected 30 values, one per item, found 2"):
        toy().fit(X, y[:2])
    with pytest.raises(DataError, match="y: expected 2 values, one per item, found 1"):
        fitted.score(X[:2], y[:1])
    with pytest.raises(DataError, match="X: expected a list of items"):
        fitted.predict("a.wav")
    with pytest.raises(DataError, match=r"gone\.wav"):
        fitted.predict([Path(tmp_path / "gone.wav")])
    with pytest.raises(BackboneError):
        TransferTranscriber("toy:text").fit(X, y)
    with pytest.raises(NotFittedError):
        toy().predict(X)


def test_scikit_learns_checks_of_the_estimator_itself():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        checks = list(estimator_checks_generator(toy()))
    assert checks
    for estimator, check in checks:
        check(estimator)
