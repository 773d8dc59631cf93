"""TransferAdapter: both domains in one list."""

import numpy as np
import pytest
from sklearn.base import clone

from headstart import TransferAdapter
from headstart.errors import DataError, OptionError
from tests.conftest import make_image

COLOURS = {"brick": (190, 60, 50), "leaf": (60, 170, 70), "sky": (70, 90, 200)}


@pytest.fixture
def both():
    """60 pictures of the source, 60 darker ones of the target; the labels of the latter are masked."""
    names = [list(COLOURS)[i % 3] for i in range(120)]
    light = [0] * 60 + [-45] * 60
    shades = [tuple(max(0, part + by) for part in COLOURS[name]) for name, by in zip(names, light, strict=True)]
    images = [make_image(shade, seed=i) for i, shade in enumerate(shades)]
    y = np.array(names[:60] + ["-1"] * 60)
    return images, y, np.repeat([1, -2], 60), np.array(names[60:])


def adapter(**settings) -> TransferAdapter:
    return TransferAdapter(backbone="toy:image", offline=True, **settings)


def test_it_fits_both_domains_and_predicts_the_target(both):
    images, y, domain, truth = both
    model = adapter().fit(images, y, sample_domain=domain)
    assert list(model.classes_) == sorted(COLOURS)
    assert set(model.chosen_) == {"method", "refused", "reason"}
    assert model.predict_proba(images[60:]).shape == (60, 3)
    assert (model.predict(images[60:]) == truth).mean() > 0.5
    assert model.adapted_.compared.gap.auc > 0.9


def test_labels_of_the_target_are_not_looked_at(both):
    images, y, domain, truth = both
    hidden = adapter(method="coral").fit(images, y, sample_domain=domain)
    told = adapter(method="coral").fit(images, np.concatenate([y[:60], truth]), sample_domain=domain)
    assert np.array_equal(hidden.predict_proba(images[60:]), told.predict_proba(images[60:]))


def test_the_order_of_the_domains_does_not_matter(both):
    images, y, domain, _ = both
    one = adapter(method="standardise").fit(images, y, sample_domain=domain)
    turned = adapter(method="standardise").fit(images[::-1], y[::-1], sample_domain=domain[::-1])
    assert np.allclose(one.predict_proba(images[60:]), turned.predict_proba(images[60:]), atol=1e-2)


def test_several_ways_are_candidates(both):
    images, y, domain, _ = both
    model = adapter(method=("auto", "subspace")).fit(images, y, sample_domain=domain)
    names = [each.name for each in model.adapted_.candidates]
    assert names[:4] == ["none", "standardise", "coral", "linear_transport"]
    assert "subspace" in names


def test_it_is_cloned_with_its_settings():
    model = adapter(method=("auto", "mcc"), random_state=3)
    assert clone(model).get_params() == model.get_params()
    assert set(model.get_params()) == {"backbone", "method", "modality", "device", "offline", "random_state"}


@pytest.mark.parametrize(
    ("domain", "problem"),
    [
        (None, "tells its domain, found none"),
        (np.ones(120), "expected examples of both domains, found 120 of the source, 0 of the target"),
        (np.zeros(120), "expected 120 numbers above or below zero"),
        (np.ones(7), "expected 120 numbers above or below zero, found 7 values"),
        (np.array(["a"] * 120), "expected 120 numbers above or below zero"),
    ],
)
def test_domains_that_are_not_told(both, domain, problem):
    images, y, _, _ = both
    with pytest.raises(DataError, match=problem):
        adapter().fit(images, y, sample_domain=domain)


def test_labels_of_the_source_are_checked_and_those_of_the_target_are_not(both):
    images, y, domain, _ = both
    with pytest.raises(DataError, match="expected 120 labels, one per item, found 119"):
        adapter().fit(images, y[:-1], sample_domain=domain)
    numbers = np.where(domain > 0, np.arange(120) % 3, np.nan)
    model = adapter(method="none").fit(images, numbers, sample_domain=domain)
    assert list(model.classes_) == [0, 1, 2]
    numbers[0] = np.nan
    with pytest.raises(DataError, match="expected finite values"):
        adapter().fit(images, numbers, sample_domain=domain)
    with pytest.raises(ValueError, match="Unknown label type"):
        adapter().fit(images, np.linspace(0, 1, 120) + 0.1, sample_domain=domain)
    with pytest.raises(DataError, match="at least 20 examples of the target, found 10"):
        adapter().fit(images[:70], y[:70], sample_domain=domain[:70])


def test_one_class_and_unknown_ways_are_refused(both):
    images, _, domain, _ = both
    with pytest.raises(DataError, match="expected at least 2 classes"):
        adapter().fit(images, ["a"] * 120, sample_domain=domain)
    with pytest.raises(OptionError, match="unknown method 'magic'"):
        adapter(method="magic").fit(images, ["a"] * 120, sample_domain=domain)
