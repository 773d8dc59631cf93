"""Linear models on arrays: the one implementation behind probes, ranking and classical baselines.

Decisions:

* **Objective.** Multinomial logistic regression: mean log loss + ``strength`` / 2 * (sum of squared weights), biases
  free. The loss is a mean, so a strength means the same at every number of examples. scikit-learn's ``C`` is ``1 / (n *
  strength)`` for three and more classes and ``2 / (n * strength)`` for two, because two classes also get two rows of
  weights here.
* **Labels and values.** Several labels at once are one binary logistic regression each, with one strength for all of
  them; values are ridge regression on the standardised target. In both, too, the loss is a mean.
* **Coordinates.** The penalty does not change under rotation and the free biases absorb any shift. So dense features
  are centred and rotated to their principal axes, at most min(N, D) of them: same optimum, fewer columns when N < D.
  There every coordinate is scaled by its expected curvature, after which L-BFGS needs tens of steps where it needed
  hundreds.
* **Strengths** are walked from strong to weak, each fit starting at the one before; the walk ends once the held-out
  loss has clearly turned up.
* **Precision.** Products and vectors are float32, sums of losses float64.
* A class without training examples gets no weights and a typical probability of half an example; a label that
  no or every example has, its frequency after half an example more of either kind.
* **Transcripts** are learnt by a linear model of frames and their neighbours under the CTC loss, with torch, which has
  its gradient (`headstart.linear._speech`); the loss is a mean over characters.
"""

from headstart.linear._choice import (
    PROBABILITY_FLOOR,
    RIDGE_STRENGTHS,
    STRENGTHS,
    CrossValidation,
    Fold,
    cross_validate,
    fit_cross_validated,
    fit_standardised,
    item_losses,
    transcript_nats,
)
from headstart.linear._fitting import TargetScale, fit_labels, fit_logistic, fit_nearest_mean, fit_ridge
from headstart.linear._frames import FrameModel
from headstart.linear._models import LINKS, KNearest, LinearModel, Link, Matrix, Standardiser, shrunk_frequencies
from headstart.linear._prototypes import nearest_prototypes
from headstart.linear._solver import ClassWeight
from headstart.linear._speech import (
    STEPS,
    USUAL_DECODER,
    FrameChoice,
    Spoken,
    Texts,
    best_view,
    choose_frames,
    ctc,
    decoder_of,
    fit_frames,
    fit_speech,
    frame_scores,
    frames_seen,
    held_out_loss,
    numbers_of,
    parameters_of,
    seconds_per_frame,
    settings_of,
    with_parameters,
)

__all__ = [
    "LINKS",
    "PROBABILITY_FLOOR",
    "RIDGE_STRENGTHS",
    "STEPS",
    "STRENGTHS",
    "USUAL_DECODER",
    "ClassWeight",
    "CrossValidation",
    "Fold",
    "FrameChoice",
    "FrameModel",
    "KNearest",
    "LinearModel",
    "Link",
    "Matrix",
    "Spoken",
    "Standardiser",
    "TargetScale",
    "Texts",
    "best_view",
    "choose_frames",
    "cross_validate",
    "ctc",
    "decoder_of",
    "fit_cross_validated",
    "fit_frames",
    "fit_labels",
    "fit_logistic",
    "fit_nearest_mean",
    "fit_ridge",
    "fit_speech",
    "fit_standardised",
    "frame_scores",
    "frames_seen",
    "held_out_loss",
    "item_losses",
    "nearest_prototypes",
    "numbers_of",
    "parameters_of",
    "seconds_per_frame",
    "settings_of",
    "shrunk_frequencies",
    "transcript_nats",
    "with_parameters",
]
