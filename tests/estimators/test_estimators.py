"""TransferClassifier and TransferRegressor as scikit-learn estimators."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator
from sklearn.utils.validation import check_is_fitted, validate_data

from headstart import TransferClassifier, TransferRegressor, backbones
from headstart.data import Sound
from headstart.errors import HeadstartError, OptionError
from tests.conftest import make_image, make_label_sets, make_texts, make_values
from tests.data.sounds import write_sound


def toy(**settings: object) -> TransferClassifier:
    return TransferClassifier(backbone="toy:text", **settings)


def test_it_works_in_cross_validation_with_groups_and_features_run_once(tmp_path):
    texts, labels = make_texts(90)
    groups = [f"document {i // 6}" for i in range(90)]
    scores = cross_val_score(toy(), texts, labels, cv=GroupKFold(3), groups=groups)
    assert scores.shape == (3,)
    assert scores.mean() > 0.6
    rows = (tmp_path / "headstart-cache").rglob("*.rows")
    assert sum(p.stat().st_size for p in rows) == 90 * 2 * 16 * 4


def test_it_works_in_a_grid_search_and_a_pipeline():
    texts, labels = make_texts(60)
    pipeline = make_pipeline(FunctionTransformer(lambda X: [text.upper() for text in X]), toy())
    grid = {"transferclassifier__strategy": ["probe", "probe(head='nearest_mean')"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(texts, labels)
    assert search.best_params_["transferclassifier__strategy"] in grid["transferclassifier__strategy"]
    assert search.predict(texts[:3]).shape == (3,)


@pytest.mark.parametrize(
    "labels",
    [["no", "yes"] * 30, [10, 2] * 30, [False, True] * 30],
    ids=["str", "int", "bool"],
)
def test_labels_keep_their_type_and_order(labels):
    texts, _ = make_texts(60, classes=2)
    model = toy().fit(texts, labels)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    predicted = model.predict(texts)
    assert predicted.dtype == np.unique(labels).dtype
    assert np.mean(predicted == np.array(labels)) > 0.8
    assert model.predict_proba(texts).shape == (60, 2)


def test_images_come_as_pictures_arrays_or_paths_with_equal_answers(tmp_path):
    images = [make_image(((160, 90, 90), (90, 90, 160))[i % 2], seed=i) for i in range(30)]
    labels = ["red", "blue"] * 15
    paths = [tmp_path / f"{i} ü.png" for i in range(30)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    forms = [
        images,
        [np.asarray(i) for i in images],
        paths,
        [str(p) for p in paths],
        np.stack([np.asarray(i) for i in images]),
    ]
    answers = [TransferClassifier("toy:image").fit(X, labels).predict_proba(X) for X in forms]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-6)


def test_sounds_come_as_paths_names_or_samples_with_equal_answers(tmp_path):
    samples = [0.2 * np.sin(np.arange(4000) * (0.1 + i % 2) + i) for i in range(20)]
    paths = [write_sound(tmp_path / f"{i} ü.flac", wave, subtype="PCM_24") for i, wave in enumerate(samples)]
    labels = ["low", "high"] * 10
    forms = [paths, [str(path) for path in paths], [Sound(wave.astype("f4"), 16_000) for wave in samples]]
    forms.append([*paths[:10], *forms[2][10:]])
    models = [TransferClassifier("toy:audio").fit(X, labels) for X in forms]
    answers = [model.predict_proba(X) for model, X in zip(models, forms, strict=True)]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-3)
    assert models[0].model_.predict(forms[1]) == models[0].model_.predict(paths)
    assert models[0].model_.backbone.modality == "audio"


@pytest.mark.parametrize("suffix", [".wav", ".png"])
def test_names_of_files_that_are_not_there_are_no_texts_unless_that_is_said(suffix):
    names = [f"{word}{suffix}" for word in "abcdefghij"]
    with pytest.raises(HeadstartError, match=rf"X\[0\]: expected a file, found no such file 'a{suffix}'. Correct"):
        toy().fit(names, [0, 1] * 5)
    assert toy(modality="text").fit(names, [0, 1] * 5).predict(names).shape == (10,)


def test_an_array_is_no_sound_without_its_rate():
    X = list(np.random.default_rng(0).standard_normal((10, 8000)).astype(np.float32))
    with pytest.raises(HeadstartError, match="expected a path or a Sound, found ndarray"):
        TransferClassifier("toy:audio", modality="audio").fit(X, [0, 1] * 5)


def test_several_backbones_are_chosen_among():
    texts, labels = make_texts(60)
    model = TransferClassifier(["toy:text", "starter:minilm-l6"]).fit(texts, labels)
    assert model.model_.backbone.name in ("toy:text", "starter:minilm-l6")
    assert TransferClassifier(backbones.load("toy:text")).fit(texts, labels).model_.backbone.name == "toy:text"


def test_without_a_name_the_installed_starter_is_taken():
    texts, labels = make_texts(30)
    assert TransferClassifier().fit(texts, labels).model_.backbone.name == "starter:minilm-l6"


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("one text", ["a"], r"expected a list of items, found the single item 'one text'. Wrap it"),
        ([], [], "expected at least one item, found none"),
        (["a", "b", "c"], [0, 1], "y: expected 3 values, one per item, found 2"),
        (["a", "b"], [1, 1], "expected at least 2 classes, found 1 class"),
        (["a", "b"], [[1, 1], [2, 2]], "y: expected one label per item or a matrix of zeros and ones, found 2"),
        (["a", "b"], [[1, 2], [3, 4]], "y should be a 1d array"),
        (["a", "b"], [0.0, np.nan], "y: expected finite values, found nan .nan or inf. at position 1"),
        (["a", "a"], [0, 1], "expected at least 2 separate examples or groups to choose settings on, found 1"),
        (["a", 3], [0, 1], "expected paths, images, arrays, sounds or strings, found int, str"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        toy().fit(X, y)


def test_no_backbone_for_images_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("headstart.backbones._starter.HOME", tmp_path)
    with pytest.raises(OptionError, match="no image backbone is installed"):
        TransferClassifier().fit([make_image((9, 9, 9), seed=i) for i in range(8)], [0, 1] * 4)


def test_predicting_before_fitting_is_scikit_learns_own_error():
    with pytest.raises(NotFittedError):
        toy().predict(["a"])


def test_a_file_that_is_no_image_is_named(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not an image")
    good = [make_image((90, 90, 90), seed=i) for i in range(9)]
    with pytest.raises(HeadstartError, match=r"bad\.png"):
        TransferClassifier("toy:image").fit([*good, bad], [0, 1] * 5)


def test_a_clone_has_the_settings_and_not_the_fit():
    texts, labels = make_texts(30)
    fitted = toy(strategy="probe(head='knn')", random_state=3).fit(texts, labels)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "model_")


def indicators(n: int) -> tuple[list[str], np.ndarray]:
    texts, labels = make_label_sets(n)
    return texts, np.array([[name in label.split("|") for name in ("animals", "food", "weather")] for label in labels])


@pytest.mark.parametrize("form", [lambda y: y.astype(int), lambda y: y.tolist(), sparse.csr_matrix])
def test_a_matrix_of_indicators_is_learnt_as_labels(form):
    texts, y = indicators(90)
    model = toy().fit(texts, form(y))
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    predicted, probabilities = model.predict(texts), model.predict_proba(texts)
    np.testing.assert_array_equal(predicted, probabilities > 0.5)
    assert predicted.dtype.kind == "i"
    assert np.mean(predicted == y) > 0.8
    assert model.score(texts, y.astype(int)) == np.mean((predicted == y).all(axis=1))


def test_labels_work_in_cross_validation():
    texts, y = indicators(60)
    assert cross_val_score(toy(), texts, y.astype(int), cv=2, scoring="f1_micro").mean() > 0.6


def regressor(**settings: object) -> TransferRegressor:
    return TransferRegressor(backbone="toy:text", **settings)


def test_numbers_are_predicted_and_scored_as_scikit_learn_scores_them():
    texts, values = make_values(90)
    model = regressor().fit(texts, values)
    predicted = model.predict(texts)
    assert predicted.shape == (90,)
    assert model.score(texts, values) > 0.5
    assert not hasattr(model, "classes_")
    assert not hasattr(model, "predict_proba")
    scores = cross_val_score(regressor(strategy="probe(head='knn')"), texts, values, cv=3)
    assert scores.mean() > 0.1


def test_whole_numbers_and_their_floating_point_form_are_the_same_values():
    texts, values = make_values(40)
    whole = [round(value) for value in values]
    as_floats = regressor().fit(texts, np.array(whole, dtype=np.float32)).predict(texts)
    np.testing.assert_array_equal(regressor().fit(texts, whole).predict(texts), as_floats)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["low", "high"], "y: Unknown label type: expected numbers, found .*'low'"),
        ([0.0, np.inf], "y: expected finite values, found inf .nan or inf. at position 1"),
        ([[1, 2], [3, 4]], "y should be a 1d array"),
        ([1.0], "y: expected 2 values, one per item, found 1"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(y, message):
    with pytest.raises(ValueError, match="X: expected at least 2 samples, found 1 sample"):
        regressor().fit(["a"], [1.0])
    with pytest.raises(ValueError, match=message):
        regressor().fit(["a", "b"], y)


@pytest.mark.parametrize("estimator", [toy(), regressor()], ids=["classifier", "regressor"])
def test_scikit_learns_checks_of_the_estimator_itself(estimator):
    with warnings.catch_warnings():
        # scikit-learn says that it cannot feed texts and leaves the checks on arrays out; those come below.
        warnings.simplefilter("ignore", SkipTestWarning)
        checks = list(estimator_checks_generator(estimator))
    assert checks
    for estimator, check in checks:
        check(estimator)


def written(X: np.ndarray) -> list[str]:
    """Rows of numbers as words."""
    return [" ".join(f"c{j}v{round(value)}" for j, value in enumerate(row)) for row in X]


class ClassifierOnArrays(TransferClassifier):
    """Writes rows of numbers as words, so that scikit-learn's checks on arrays reach the estimator."""

    def fit(self, X, y, groups=None):
        X, y = validate_data(self, X, y, multi_output=True)
        return super().fit(written(X), y, groups)

    def predict_proba(self, X):
        check_is_fitted(self, "model_")
        return super().predict_proba(written(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


class RegressorOnArrays(TransferRegressor):
    """The same for values."""

    def fit(self, X, y, groups=None):
        X, y = validate_data(self, X, y, multi_output=True)
        return super().fit(written(X), y, groups)

    def predict(self, X):
        check_is_fitted(self, "model_")
        return super().predict(written(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.regressor_tags.poor_score = True  # rounded numbers written as words, through random weights
        return tags


# The named deviations.
DEVIATIONS: dict[str, str] = {}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [ClassifierOnArrays, RegressorOnArrays])
def test_scikit_learns_checks_on_arrays_written_as_texts(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks that cannot run here show in their status
        results = check_estimator(kind("toy:text"), expected_failed_checks=DEVIATIONS, on_fail=None)
    failed = {r["check_name"]: str(r["exception"]) for r in results if r["status"] == "failed"}
    assert failed == {}
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(DEVIATIONS)
    assert sum(r["status"] == "passed" for r in results) > 40
