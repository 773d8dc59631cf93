"""How many of new examples are hit, when what is known of the share is a beta distribution.

scipy.stats has it too, and takes seconds to be imported; so elsewhere too quantiles come from scipy.special.
"""

import numpy as np
from scipy import special


def beta_binomial_quantile(level: float, n: int, a: float, b: float) -> int:
    """Return the least number of hits that is not exceeded with a probability.

    Args:
        level: The probability.
        n: How many new examples there are.
        a: First parameter of the beta distribution of their share, above 0.
        b: Second parameter, above 0.

    Returns:
        The least k with P(K <= k) >= level, where P(K = k) = C(n, k) B(k + a, n - k + b) / B(a, b).
    """
    k = np.arange(n + 1)
    chosen = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    density = np.exp(chosen + special.betaln(k + a, n - k + b) - special.betaln(a, b))
    return min(n, int(np.searchsorted(np.cumsum(density), level)))
