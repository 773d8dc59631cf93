"""TransferClassifier as a scikit-learn estimator."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from headstart import TransferClassifier, backbones
from headstart.errors import DataError, HeadstartError, OptionError
from tests.conftest import make_image, make_texts


def toy(**settings: object) -> TransferClassifier:
    return TransferClassifier(backbone="toy:text", **settings)


def test_it_works_in_cross_validation_with_groups_and_features_run_once(tmp_path):
    texts, labels = make_texts(90)
    groups = [f"document {i // 6}" for i in range(90)]
    scores = cross_val_score(toy(), texts, labels, cv=GroupKFold(3), groups=groups)
    assert scores.shape == (3,)
    assert scores.mean() > 0.6
    rows = [p for p in (tmp_path / "headstart-cache").rglob("*.rows")]
    assert sum(p.stat().st_size for p in rows) == 90 * 2 * 16 * 4


def test_it_works_in_a_grid_search_and_a_pipeline():
    texts, labels = make_texts(60)
    pipeline = make_pipeline(FunctionTransformer(lambda X: [text.upper() for text in X]), toy())
    grid = {"transferclassifier__strategy": ["probe", "probe(head='nearest_mean')"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(texts, labels)
    assert search.best_params_["transferclassifier__strategy"] in grid["transferclassifier__strategy"]
    assert search.predict(texts[:3]).shape == (3,)


@pytest.mark.parametrize(
    "labels", [["no", "yes"] * 30, [10, 2] * 30, [False, True] * 30, [0.5, 1.5] * 30], ids=["str", "int", "bool", "float"]
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
    forms = [images, [np.asarray(i) for i in images], paths, [str(p) for p in paths], np.stack([np.asarray(i) for i in images])]
    answers = [TransferClassifier("toy:image").fit(X, labels).predict_proba(X) for X in forms]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-6)


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
        (["a", "b"], [[1], [2]], r"y: expected one value per item, found an array of shape \(2, 1\)"),
        (["a", "b"], [0.0, np.nan], "y: expected a value for every item, found nan at position 1"),
        (["a", 3], [0, 1], "expected paths, images, arrays or strings, found int, str"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(X, y, message):
    with pytest.raises(DataError, match=message):
        toy().fit(X, y)


def test_no_backbone_for_images_is_said():
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


@parametrize_with_checks([toy()])
def test_scikit_learns_checks_of_the_estimator_itself(estimator, check):
    check(estimator)


def _as_texts(X: object) -> list[str]:
    """Write rows of numbers as words, so that scikit-learn's checks on arrays reach the estimator."""
    rows = np.asarray(X, dtype=float)
    return [" ".join(f"c{j}v{round(value)}" for j, value in enumerate(row)) for row in rows]


# Deviations, each with its reason: the checks feed arrays of numbers, the estimator reads texts behind a transformer.
DEVIATIONS = {
    "check_complex_data": "numbers are written as words before they reach the estimator",
    "check_dtype_object": "numbers are written as words before they reach the estimator",
    "check_estimators_empty_data_messages": "the transformer sees the empty array first",
    "check_estimators_nan_inf": "nan and inf are words like any other",
    "check_estimator_sparse_tag": "sparse arrays are not lists of items",
    "check_estimator_sparse_array": "sparse arrays are not lists of items",
    "check_estimator_sparse_matrix": "sparse arrays are not lists of items",
    "check_fit1d": "a list of items has one dimension",
    "check_n_features_in": "items have no number of features",
    "check_n_features_in_after_fitting": "items have no number of features",
    "check_classifiers_train": "words of rounded numbers cannot reach the accuracy asked for",
    "check_fit_check_is_fitted": "a pipeline's state is its last step's",
}


@pytest.mark.slow
@parametrize_with_checks(
    [make_pipeline(FunctionTransformer(_as_texts), toy())], expected_failed_checks=lambda _: DEVIATIONS
)
def test_scikit_learns_checks_on_arrays_written_as_texts(estimator, check):
    check(estimator)
