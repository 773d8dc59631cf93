"""Transferability: how well frozen features suit labels, told before anything is trained.

Pure functions on arrays: features (N, D) and targets in, a `Score` out, of which larger is better. Every score says
what each example adds to it, so that resampling examples is one matrix product.

* **neighbours, discriminant, probe** tell each example from the others: left out alone or with its group, or held out
  by a fold.
* **h_score, logme** measure all examples at once; groups do not enter.
* **leep, nce** need the source head, and compare only between heads of as many source classes.

One `Spectrum` of a feature matrix serves all but the probe. `permuted_scores` says what labels without meaning would
score.
"""

from headstart.transferability._candidates import Costs, Limits
from headstart.transferability._combination import TOP, combine, draw_weights, prior_weight
from headstart.transferability._discriminant import discriminant
from headstart.transferability._evidence import logme
from headstart.transferability._inputs import Score
from headstart.transferability._neighbours import neighbours
from headstart.transferability._null import NULL_SCORES, permutations, permuted_scores
from headstart.transferability._prior import Prior
from headstart.transferability._probe import probe
from headstart.transferability._ranking import Ranked, Ranking, Signal, rank
from headstart.transferability._scatter import h_score
from headstart.transferability._similarity import Similarity, text_similarity
from headstart.transferability._source import leep, nce, share_of_entropy
from headstart.transferability._spectrum import Spectrum
from headstart.transferability._tokens import word_rows
from headstart.transferability._views import SCORES_FOR, score_view

__all__ = [
    "NULL_SCORES",
    "SCORES_FOR",
    "TOP",
    "Costs",
    "Limits",
    "Prior",
    "Ranked",
    "Ranking",
    "Score",
    "Signal",
    "Similarity",
    "Spectrum",
    "combine",
    "discriminant",
    "draw_weights",
    "h_score",
    "leep",
    "logme",
    "nce",
    "neighbours",
    "permutations",
    "permuted_scores",
    "prior_weight",
    "probe",
    "rank",
    "score_view",
    "share_of_entropy",
    "text_similarity",
    "word_rows",
]
