"""Two domains of a few classes, the target turned, stretched and moved."""

import numpy as np

from headstart.data import make_folds
from headstart.domain_adaptation import Pair


def rows(n, width, *, seed=0, spread=1.0, shift=0.0):
    """Correlated rows (n, width)."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(width) + 0.4 * rng.normal(size=(width, width)) / np.sqrt(width)
    return (spread * rng.normal(size=(n, width)) @ mixing + shift).astype(np.float32)


def moved_classes(n=240, width=12, n_classes=3, *, seed=0, moved=2.0, stretched=3.0, target_shares=None):
    """A labelled source, and a target whose features are stretched and moved; the target's labels besides."""
    rng = np.random.default_rng(seed)
    means = 2.0 * rng.normal(size=(n_classes, width))
    y = np.arange(n) % n_classes
    hidden = rng.choice(n_classes, size=n, p=target_shares) if target_shares is not None else rng.permutation(y)
    scale, shift = stretched ** rng.uniform(-1, 1, size=width), moved * rng.normal(size=width)
    source = means[y] + rng.normal(size=(n, width))
    target = (means[hidden] + rng.normal(size=(n, width))) * scale + shift
    folds = make_folds(y, groups=np.arange(n), n_splits=4, seed=0)
    return Pair(source.astype(np.float32), y, target.astype(np.float32), n_classes, folds), hidden
