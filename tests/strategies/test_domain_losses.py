"""Losses over two domains, against plain loops over the formulas of their papers."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from headstart.strategies._domain_losses import (
    MOST_PRODUCTS,
    TEMPERATURE,
    WIDTHS,
    Discriminator,
    Seen,
    class_confusion,
    covariance_distance,
    entropy,
    mean_discrepancy,
    uninformative,
    unsure,
)


def seen(n=12, m=9, width=5, classes=3, *, seed=0, apart=0.0, done=0.5):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    target, scores = draw(m, width) + apart, draw(m, classes) + apart
    return Seen(draw(n, width), target, draw(n, classes), scores, done)


def test_the_covariance_distance_is_that_of_deep_coral():
    one = seen()
    a, b = one.source_scores.double().numpy(), one.target_scores.double().numpy()
    gap = np.cov(a, rowvar=False) - np.cov(b, rowvar=False)
    assert float(covariance_distance(one)) == pytest.approx((gap**2).sum() / (4 * 3**2), rel=1e-5)


def test_the_discrepancy_is_the_mean_of_kernels_and_grows_with_the_distance():
    one = seen()
    rows = np.concatenate([one.source.numpy(), one.target.numpy()]).astype(float)
    distances = np.array([[((a - b) ** 2).sum() for b in rows] for a in rows])
    kernel = np.mean([np.exp(-distances / (distances.mean() * width)) for width in WIDTHS], axis=0)
    n = len(one.source)
    expected = kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
    assert float(mean_discrepancy(one)) == pytest.approx(expected, rel=1e-4)
    assert float(mean_discrepancy(seen(apart=3.0))) > 3 * float(mean_discrepancy(one))


def test_class_confusion_is_that_of_its_paper():
    one = seen()
    z = one.target_scores.double().numpy() / TEMPERATURE
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    w = 1 + np.exp((p * np.log(p)).sum(axis=1))
    w = len(p) * w / w.sum()
    confusion = np.array([[sum(w[i] * p[i, j] * p[i, k] for i in range(len(p))) for k in range(3)] for j in range(3)])
    confusion /= confusion.sum(axis=1, keepdims=True)
    expected = (confusion.sum() - np.trace(confusion)) / 3
    assert float(class_confusion(one)) == pytest.approx(expected, rel=1e-5)


def test_sure_answers_have_no_entropy_and_sure_different_ones_tell_the_most():
    sure = 50.0 * torch.eye(4)
    assert float(unsure(sure)) == pytest.approx(0, abs=1e-6)
    assert float(uninformative(sure)) == pytest.approx(-np.log(4), rel=1e-5)
    assert float(uninformative(50.0 * torch.eye(4)[[0, 0, 0]])) == pytest.approx(0, abs=1e-6)
    assert float(unsure(torch.zeros(3, 4))) == pytest.approx(np.log(4), rel=1e-5)
    assert entropy(torch.zeros(2, 4)).tolist() == pytest.approx([np.log(4)] * 2)


@pytest.mark.parametrize("loss", [unsure, uninformative])
def test_sure_answers_have_a_finite_gradient(loss):
    scores = (200.0 * torch.eye(4)).requires_grad_()
    loss(scores).backward()
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("classes", [0, 3, 1000])
def test_the_gradient_of_a_discriminator_is_reversed_and_grows(classes):
    one = seen(classes=max(classes, 2), apart=1.0)
    judge = Discriminator(5, classes=classes, seed=0)

    def gradients(done):
        source = one.source.clone().requires_grad_()
        judge.zero_grad()
        judge(Seen(source, one.target, one.source_scores, one.target_scores, done)).backward()
        return source.grad, judge.layers[0].weight.grad.clone()

    early, own = gradients(0.0)
    assert not early.any()
    late, again = gradients(1.0)
    assert torch.equal(own, again)  # the discriminator itself learns at full strength from the start
    rows = one.source.clone().requires_grad_()
    answers = functional.softmax(torch.cat([one.source_scores, one.target_scores]), dim=1)
    told = judge.layers(judge._input(torch.cat([rows, one.target]), answers))[:, 0]
    domain = torch.cat([torch.zeros(len(rows)), torch.ones(len(one.target))])
    functional.binary_cross_entropy_with_logits(told, domain).backward()
    assert torch.allclose(late, -rows.grad * (2 / (1 + np.exp(-10)) - 1), atol=1e-7)
    width = 5 * max(1, classes)
    assert judge.layers[0].in_features == (width if width <= MOST_PRODUCTS else MOST_PRODUCTS)


def test_a_discriminator_begins_as_its_seed_says_and_leaves_the_random_state_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, same, other = (Discriminator(4, classes=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.layers[0].weight, same.layers[0].weight)
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)
