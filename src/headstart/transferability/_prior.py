"""What is known of a network before it has seen the data: a published quality number, else its size."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from headstart.backbones import Candidate, find
from headstart.transferability._combination import prior_weight, standardise

SIZE_COUNTS: Final = 0.5  # times as much as a published number
POINTS: Final = 1.0  # of a published per cent: less is no difference to speak of
DOUBLING: Final = float(np.log(2.0))  # of the size


@final
@dataclass(frozen=True)
class Prior:
    """The prior of C candidates.

    Attributes:
        values: (C,) weighted, on the scale of standardised scores.
        what: What it is, in words.
        weight: How much it counts beside the data.
    """

    values: NDArray[np.float64]
    what: str
    weight: float


def prior_of(names: Sequence[str], parameters: Sequence[int], labels_per_class: float) -> Prior:
    """Return the published number of each candidate where several share a source, else the logarithm of its size.

    A published number is only comparable with others of its source, so a candidate without one gets the middle.

    Args:
        names: C addresses.
        parameters: C numbers of parameters.
        labels_per_class: The fewer, the more a prior counts.

    Returns:
        The prior.
    """
    weight, known = prior_weight(labels_per_class), [facts(name) for name in names]
    sources = Counter(each.prior_source for each in known if each is not None and each.prior_source)
    source, times = sources.most_common(1)[0] if sources else ("", 0)
    if times > 1:
        numbers = [each.prior if each is not None and each.prior_source == source else None for each in known]
        published = np.array([np.nan if number is None else number for number in numbers])
        return Prior(weight * standardise(published, least=POINTS), f"published: {source}", weight)
    weight *= SIZE_COUNTS
    return Prior(
        weight * standardise(np.log(np.maximum(parameters, 1.0)), least=DOUBLING), "number of parameters", weight
    )


def facts(name: str) -> Candidate | None:
    """Return what the catalogue says of an address, or None; a network that is cut off has no quality of its own."""
    found = find(name)
    cut_off = found is not None and found.name != name
    return replace(found, prior=None, prior_source=None, megabytes=None) if found is not None and cut_off else found
