"""The discriminant left out in closed form, against fitting it again without each example or group."""

import numpy as np
import pytest

from headstart.errors import OptionError
from headstart.transferability import Spectrum, discriminant
from tests.reference import transferability as reference
from tests.transferability.small import alike, classes, labels


@pytest.mark.parametrize(("n", "width"), [(60, 12), (40, 90), (40, 1)])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_leaving_one_out_is_fitting_again_without_it(n, width, n_classes):
    F, y = classes(n, width, n_classes)
    alike(discriminant(F, y, kind="classification"), reference.left_out_discriminant(F, y))


@pytest.mark.parametrize("width", [6, 90])
def test_leaving_a_group_out_is_fitting_again_without_it(width):
    F, y = classes(40, width, 3)
    groups = np.random.default_rng(0).integers(14, size=40)
    found = discriminant(F, y, kind="classification", groups=np.array(list("abcdefghijklmn"))[groups])
    alike(found, reference.left_out_discriminant(F, y, groups=groups))


def test_groups_of_one_are_no_groups():
    F, y = classes(40, 12, 3)
    alone = discriminant(F, y, kind="classification")
    alike(discriminant(F, y, kind="classification", groups=np.arange(40)), alone.value + alone.influence)


def test_a_class_that_is_left_out_whole_is_half_an_example():
    F, y = classes(40, 12, 3)
    y[0], y[1:4] = 3, 4
    groups = np.arange(40)
    groups[1:4] = 1
    found = discriminant(F, y, kind="classification", groups=groups)
    alike(found, reference.left_out_discriminant(F, y, groups=groups))
    assert found.value + found.influence[0] == pytest.approx(np.log(0.5 / 39.5))
    assert found.value + found.influence[1] == pytest.approx(np.log(0.5 / 37.5))


def test_labels_are_one_problem_of_two_classes_each():
    F, y = labels(50, 20, 3)
    groups = np.arange(50) // 2
    expected = [reference.left_out_discriminant(F, column, groups=groups) for column in y.T]
    alike(discriminant(Spectrum.of(F), y, kind="multilabel", groups=groups), np.mean(expected, axis=0))


def test_near_copies_do_not_vouch_for_each_other():
    F, y = classes(20, 100, 4, apart=0.0)
    F, y, groups = np.vstack([F, F]), np.tile(y, 2), np.tile(np.arange(20), 2)
    together = discriminant(F, y, kind="classification", groups=groups)
    assert together.value < discriminant(F, y, kind="classification").value


def test_confident_mistakes_cost_no_more_than_the_floor():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    F = rng.normal(size=(40, 3)) * 0.01 + y[:, None]
    y[0] = 1
    found = discriminant(F, y, kind="classification")
    assert (found.value + found.influence).min() == pytest.approx(np.log(1e-7))


@pytest.mark.parametrize("constant", [0.0, 1.5])
def test_without_content_the_shares_decide(constant):
    y = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    found = discriminant(np.full((9, 4), constant), y, kind="classification")
    np.testing.assert_allclose(found.value + found.influence, np.log(np.where(y == 0, 5 / 8, 2 / 8)))


def test_classes_that_are_single_points_are_told_apart():
    y = np.arange(12) % 3
    found = discriminant(np.eye(3)[y], y, kind="classification")
    assert found.value == pytest.approx(0, abs=1e-3)


def test_a_large_mean_does_no_harm():
    F, y = classes(40, 12, 3)
    alike(discriminant(F + 1000, y, kind="classification"), reference.left_out_discriminant(F, y), rel=1e-4)


def test_values_are_refused():
    with pytest.raises(OptionError, match=r"discriminant scores classes or labels, found regression\. Use logme"):
        discriminant(np.eye(3), np.arange(3.0), kind="regression")
