"""Batches at the cut: split by size, held in memory, drawn from views; and the temperature of a model."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import optimize, special

from headstart.backbones import Batch
from headstart.linear import KNearest, LinearModel, item_losses
from headstart.strategies import Temperature
from headstart.strategies._thawed import CALL, Held, Views, rows_and_views, split_by_size

sizes = arrays.arrays(np.intp, st.integers(1, 70), elements=st.integers(1, 600))


def work(sizes, parts):
    return sum(int(sizes[part].max()) * len(part) + CALL for part in parts)


@given(sizes=sizes, most=st.integers(1, 4))
def test_parts_of_like_sizes_hold_every_row_once_and_never_cost_more_than_one_part(sizes, most):
    parts = split_by_size(sizes, most=most)
    assert 1 <= len(parts) <= most
    assert all(len(part) for part in parts)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(sizes)))
    assert work(sizes, parts) <= work(sizes, [np.arange(len(sizes))])
    for smaller, larger in pairwise(parts):
        assert sizes[smaller].max() <= sizes[larger].min()
    assert work(sizes, parts) <= work(sizes, split_by_size(sizes, most=1))


def test_rows_of_one_size_stay_in_the_order_given():
    (only,) = split_by_size(np.full(20, 9))
    np.testing.assert_array_equal(only, np.arange(20))


def test_a_held_batch_gives_any_rows_but_all_windows_at_once():
    values = torch.arange(12.0).reshape(4, 3)
    mask = torch.tensor([[1, 1, 0]] * 4).bool()
    held = Held(Batch(values, mask), np.array([3, 3, 3, 3]))
    found = held.batch(np.array([2, 0]))
    assert torch.equal(found.values, values[[2, 0]])
    assert torch.equal(found.mask, mask[[2, 0]])
    short = Held(Batch(values, mask & (torch.arange(3) < 2)), np.array([2, 2, 3, 2])).batch(np.array([0, 1]))
    assert torch.equal(short.values, values[:2, :2])  # without the padding that only others need
    assert short.mask.shape == (2, 2)
    windows = Held(Batch(values, mask, torch.tensor([0, 0, 1, 1])), np.array([6, 6]))
    assert windows.batch(np.arange(2)).values is values
    assert len(windows) == 2


def test_views_are_gathered_in_the_order_asked_for_with_channels_as_they_lie():
    values = [torch.full((5, 2, 3, 3), float(10 * view)) + torch.arange(5.0)[:, None, None, None] for view in range(3)]
    parts = [Held(Batch(v.contiguous(memory_format=torch.channels_last)), np.full(5, 2)) for v in values]
    views = Views(parts)
    rows = np.array([14, 0, 6, 3, 11, 5])
    found = views.batch(rows).values
    assert found[:, 0, 0, 0].tolist() == [24, 0, 11, 3, 21, 10]
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert views.n == 5
    assert len(views.sizes) == 15


def test_the_view_of_a_row_is_a_function_of_seed_and_step():
    rows = np.arange(200)
    assert rows_and_views(rows, 1, 200, seed=0, step=0) is rows
    first = rows_and_views(rows, 4, 200, seed=0, step=0)
    np.testing.assert_array_equal(first % 200, rows)
    assert set((first // 200).tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(first, rows_and_views(rows, 4, 200, seed=0, step=0))
    assert (first != rows_and_views(rows, 4, 200, seed=0, step=1)).any()
    assert (first != rows_and_views(rows, 4, 200, seed=1, step=0)).any()


def too_sure(n, classes=3, *, factor=4.0):
    rng = np.random.default_rng(n)
    scores = rng.normal(size=(n, classes))
    y = np.array([rng.choice(classes, p=special.softmax(row)) for row in scores])
    return special.softmax(factor * scores, axis=1), y


@pytest.mark.parametrize("n", [8, 60, 1500])
def test_the_temperature_minimises_the_loss_and_its_prior(n):
    outputs, y = too_sure(n)
    found = Temperature.fit(outputs, y).value

    def objective(t):
        losses = -np.log(special.softmax(np.log(np.maximum(outputs, 1e-7)) / t, axis=1)[np.arange(n), y])
        return losses.mean() + np.log(t) ** 2 / (2 * 0.5**2 * n)

    grid = np.exp(np.linspace(-2.5, 2.5, 2001))
    best = optimize.minimize(lambda x: objective(np.exp(x[0])), [np.log(grid[np.argmin([objective(t) for t in grid])])])
    assert found == pytest.approx(float(np.exp(best.x[0])), rel=1e-3)
    if n == 1500:
        assert found == pytest.approx(4.0, rel=0.15)


def test_the_prior_keeps_few_data_near_one_and_unknown_rows_are_left_out():
    outputs, y = too_sure(1500)
    few, many = (Temperature.fit(outputs[:n], y[:n]).value for n in (4, 1500))
    assert 1 < few < many
    holes = np.vstack([outputs, np.full((10, 3), np.nan)])
    assert Temperature.fit(holes, np.concatenate([y, np.zeros(10, int)])).value == pytest.approx(many)
    assert Temperature.fit(holes[-10:], np.zeros(10, int)).value == 1.0


def test_labels_have_a_temperature_and_values_or_a_single_label_none():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(800, 4))
    Y = (rng.random((800, 4)) < special.expit(scores)).astype(float)
    found = Temperature.fit(special.expit(3 * scores), Y)
    assert found.value == pytest.approx(3.0, rel=0.15)
    calibrated = found.calibrate(special.expit(3 * scores))
    np.testing.assert_allclose(calibrated, special.expit(3 * scores / found.value), atol=1e-6)
    assert Temperature.fit(scores[:, :1], scores[:, 0]) == Temperature()
    single = special.expit(3 * scores[:, :1])
    assert Temperature.fit(single, Y[:, :1]) == Temperature()
    np.testing.assert_array_equal(Temperature(2.0).calibrate(single), single)


def test_a_cooled_head_gives_the_calibrated_outputs():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(20, 5)).astype(np.float32), Temperature(2.5)
    for link in ("softmax", "sigmoid", "identity"):
        columns = 1 if link == "identity" else 3
        head = LinearModel(rng.normal(size=(columns, 5)).astype(np.float32), np.zeros(columns, np.float32), link=link)
        np.testing.assert_allclose(T.apply(head).outputs(X), T.calibrate(head.outputs(X)), atol=1e-5)
    near = KNearest.fit(X, np.arange(20) % 2, n_classes=2)
    assert T.apply(near) is near


def test_losses_of_items_are_nats_or_shares_of_the_variance():
    outputs = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(item_losses(np.array([1, 0]), outputs), [np.log(4), -np.log(1e-7)])
    labels = np.array([[1.0, 0.0], [0.0, 0.0]])
    expected = [-(np.log(0.5) + np.log(0.75)) / 2, -(np.log(1.0) + np.log(0.5)) / 2]
    np.testing.assert_allclose(item_losses(labels, np.array([[0.5, 0.25], [0.0, 0.5]])), expected, atol=1e-6)
    y = np.array([0.0, 2.0])
    np.testing.assert_allclose(item_losses(y, np.array([[1.0], [1.0]])), [1.0, 1.0])
    np.testing.assert_allclose(item_losses(np.array([3.0, 3.0]), np.array([[2.0], [3.0]])), [1.0, 0.0])
