"""Transferability scores as their definitions read: D x D matrices, loops, refits, explicit weights."""

import math

import numpy as np
from sklearn.covariance import LedoitWolf, ledoit_wolf_shrinkage

FLOOR = math.log(1e-7)


def one_hot(y):
    return np.stack([y == c for c in np.unique(y)], axis=1).astype(float)


def evidence(F, t, alpha, beta, *, weights=None, m=None):
    """Log evidence of Bayesian linear regression with the full D x D posterior precision, each example ``w`` times."""
    n, d = F.shape
    w = np.ones(n) if weights is None else weights
    A = alpha * np.eye(d) + beta * (F.T * w) @ F
    m = beta * np.linalg.solve(A, F.T @ (w * t)) if m is None else m
    fit = beta * (w * (t - F @ m) ** 2).sum() + alpha * m @ m
    return (d * math.log(alpha) + w.sum() * math.log(beta / (2 * math.pi)) - np.linalg.slogdet(A)[1] - fit) / 2


def fixed_point(F, t, *, weights=None, start=(1.0, 1.0), steps=11, tolerance=1e-3):
    """alpha, beta and the weights' posterior mean as the ICML paper finds them, with traces of D x D matrices."""
    n, d = F.shape
    w = np.ones(n) if weights is None else weights
    alpha, beta = start
    for _ in range(steps):
        inverse = np.linalg.inv(alpha * np.eye(d) + beta * (F.T * w) @ F)
        m, gamma = beta * inverse @ F.T @ (w * t), d - alpha * np.trace(inverse)
        before = alpha / beta
        alpha = gamma / (m @ m + 1e-5)
        beta = (n - gamma) / ((w * (t - F @ m) ** 2).sum() + 1e-5)
        if abs(alpha / beta - before) <= tolerance * before:
            break
    return alpha, beta, m


def logme(F, columns):
    """Evidence per example where eleven steps end, in the mean over columns."""
    values = []
    for t in columns.T:
        alpha, beta, m = fixed_point(F, t)
        values.append(evidence(F, t, alpha, beta, m=m) / len(F))
    return np.mean(values)


def precisions(F, columns):
    """alpha and beta of each column where the fixed point has settled."""
    return [fixed_point(F, t, steps=5000, tolerance=1e-9)[:2] for t in columns.T]


def weighted_logme(F, columns, weights, *, starts):
    """Highest evidence per example, every example ``weights`` times, found from ``starts`` close by."""
    values = []
    for t, start in zip(columns.T, starts, strict=True):
        alpha, beta, _ = fixed_point(F, t, weights=weights, start=start, steps=100, tolerance=1e-8)
        values.append(evidence(F, t, alpha, beta, weights=weights) / len(F))
    return np.mean(values)


def published_logme(F, columns):
    """The published fixed point: a thin SVD, so min(N, D) terms in the sum of logarithms, and yet D / 2 ln alpha."""
    U, s, _ = np.linalg.svd(F, full_matrices=False)
    (n, d), sigma, values = F.shape, s**2, []
    for t in columns.T:
        x2 = (U.T @ t) ** 2
        beyond = (t**2).sum() - x2.sum()
        alpha = beta = 1.0
        for _ in range(11):
            tau = alpha / beta
            gamma = (sigma / (sigma + tau)).sum()
            m2 = (sigma * x2 / (tau + sigma) ** 2).sum()
            r2 = (x2 / (1 + sigma / tau) ** 2).sum() + beyond
            alpha, beta = gamma / (m2 + 1e-5), (n - gamma) / (r2 + 1e-5)
            if abs(alpha / beta - tau) <= 1e-3 * tau:
                break
        volume = np.log(alpha + beta * sigma).sum()
        total = d * math.log(alpha) + n * math.log(beta) - volume - beta * r2 - alpha * m2 - n * math.log(2 * math.pi)
        values.append(total / (2 * n))
    return np.mean(values)


def h_score(F, y):
    """scikit-learn's Ledoit-Wolf covariance, numpy's covariance of the class mean of every example, one inverse."""
    fitted = LedoitWolf().fit(F - F.mean(axis=0))
    g = np.stack([F[y == c].mean(axis=0) for c in y])
    return np.trace(np.linalg.pinv(fitted.covariance_) @ np.atleast_2d(np.cov(g, rowvar=False))) * (
        1 - fitted.shrinkage_
    )


def weighted_h_score(F, y, weights, *, shrinkage):
    n, d = F.shape
    X = F - np.average(F, axis=0, weights=weights)
    S = (X.T * weights) @ X / n
    S = (1 - shrinkage) * S + shrinkage * np.trace(S) / d * np.eye(d)
    g = np.stack([np.average(X[y == c], axis=0, weights=weights[y == c]) for c in y])
    return np.trace(np.linalg.solve(S, (g.T * weights) @ g)) / (n - 1) * (1 - shrinkage)


def shrinkage_of(F):
    return ledoit_wolf_shrinkage(F)


def _others(F, i, groups):
    rows = F / np.linalg.norm(F, axis=1, keepdims=True)
    similar = rows @ rows[i]
    return [j for j in np.argsort(-similar, kind="stable") if groups[j] != groups[i]]


def neighbour_hits(F, y, *, sizes, groups=None):
    """Share of sizes at which the vote is right, example by example; of tied classes the nearest one's wins."""
    groups = np.arange(len(y)) if groups is None else groups
    hits = np.zeros(len(y))
    for i in range(len(y)):
        others = _others(F, i, groups)
        for size in sizes:
            votes = [y[j] for j in others[:size]]
            most = max(votes.count(c) for c in votes)
            hits[i] += (next(c for c in votes if votes.count(c) == most) == y[i]) / len(sizes)
    return hits


def neighbour_r2(F, y, *, sizes, groups=None):
    groups = np.arange(len(y)) if groups is None else groups
    told = [[np.mean([y[j] for j in _others(F, i, groups)[:size]]) for i in range(len(y))] for size in sizes]
    return np.mean([1 - ((y - np.array(each)) ** 2).sum() / ((y - y.mean()) ** 2).sum() for each in told])


def left_out_discriminant(F, y, *, groups=None, least_ridge=1e-6):
    """Fit again without every group: shrinkage and ridge of all examples, means and scatter of those left."""
    n, d = F.shape
    groups = np.arange(n) if groups is None else groups
    classes = sorted(set(y.tolist()))
    X = F - np.stack([F[y == c].mean(axis=0) for c in y])
    a = ledoit_wolf_shrinkage(X, assume_centered=True)
    ridge = max(a * (X**2).sum() / n / d, least_ridge * F.var(axis=0).sum() / d)
    found = np.zeros(n)
    for i in range(n):
        rest = groups != groups[i]
        present = [c for c in classes if (y[rest] == c).any()]
        if y[i] not in present:
            found[i] = math.log(0.5 / (rest.sum() + 0.5))
            continue
        means = {c: F[rest & (y == c)].mean(axis=0) for c in present}
        scatter = sum((F[j] - means[y[j]])[:, None] * (F[j] - means[y[j]]) for j in np.flatnonzero(rest))
        S = ((1 - a) * scatter + n * ridge * np.eye(d)) / rest.sum()
        scores = np.array(
            [
                math.log((y[rest] == c).mean()) - (F[i] - means[c]) @ np.linalg.solve(S, F[i] - means[c]) / 2
                for c in present
            ]
        )
        found[i] = scores[present.index(y[i])] - scores.max() - math.log(np.exp(scores - scores.max()).sum())
    return np.maximum(found, FLOOR)


def leep(theta, y, weights=None):
    w = np.ones(len(y)) if weights is None else weights
    joint = {}
    for i, c in enumerate(y):
        for z in range(theta.shape[1]):
            joint[c, z] = joint.get((c, z), 0.0) + w[i] * theta[i, z] / len(y)
    total = 0.0
    for i, c in enumerate(y):
        shares = [joint[c, z] / sum(joint[k, z] for k in set(y.tolist())) for z in range(theta.shape[1])]
        total += w[i] * math.log(sum(share * p for share, p in zip(shares, theta[i], strict=True)))
    return total / len(y)


def nce(theta, y, weights=None):
    w = np.ones(len(y)) if weights is None else weights
    z = [max(range(theta.shape[1]), key=lambda c: (row[c], -c)) for row in theta.tolist()]
    total = 0.0
    for i in range(len(y)):
        same = [j for j in range(len(y)) if z[j] == z[i]]
        total += w[i] * math.log(sum(w[j] for j in same if y[j] == y[i]) / sum(w[j] for j in same))
    return total / len(y)


def entropy(y, weights=None):
    w = np.ones(len(y)) if weights is None else weights
    shares = [w[y == c].sum() / w.sum() for c in np.unique(y)]
    return -sum(p * math.log(p) for p in shares)


def slope(score, n, *, step=1e-4):
    """N times the derivative of ``score(weights)`` by the weight of each example, less its mean: the influence."""
    found = np.zeros(n)
    for i in range(n):
        up, down = np.ones(n), np.ones(n)
        up[i] += step
        down[i] -= step
        found[i] = n * (score(up) - score(down)) / (2 * step)
    return found - found.mean()
