"""Fitting `FrameModel`: the loss of transcripts, with the strength of the penalty and the decoder chosen by folds.

Connectionist temporal classification (Graves et al., ICML 2006): the loss of a recording is the negative logarithm of
the probability that its frames, repeats joined and blanks left out, spell its transcript. What is minimised is the mean
loss per character + ``strength`` / 2 * (sum of squared weights), biases free, by L-BFGS from zeros on all recordings at
once: with small stochastic steps a model stays for long where it tells only blanks. As frames are not told which
character they say, the objective is not convex, and where it starts decides a little of where it ends.
"""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar, final

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from headstart.linear._choice import Fold, item_losses
from headstart.linear._frames import FrameModel
from headstart.linear._models import Double, Integers
from headstart.tasks import (
    BLANK,
    Beam,
    CharacterModel,
    Decoder,
    Greedy,
    Heard,
    Ragged,
    character_numbers,
    choose_decoder,
    counts,
)

SPEECH_STRENGTHS: Final = (0.1, 0.03, 0.01)  # of which each is tried where the one before was better than that before
SEEN_SECONDS: Final = 0.44  # of a frame and its neighbours: about a word
STEPS: Final = 60  # of L-BFGS
KEPT: Final = 50  # gradients that a step remembers
FRAMES_AT_ONCE: Final = 16_384  # of one convolution
# What decodes where nothing is held out to choose by: what was chosen most often on connected digits.
USUAL_DECODER: Final[Mapping[str, str | float]] = {
    "decoder": "beam search",
    "width": 16,
    "language": 0.5,
    "bonus": 1.0,
}

Texts = npt.NDArray[np.str_]
Settings = Mapping[str, str | float]
View = TypeVar("View", bound=Hashable)
Part = tuple[Tensor, Tensor, list[Tensor]]  # (n, T, D) standardised frames, how many each has, numbers of characters


@final
@dataclass(frozen=True, eq=False)
class Spoken:
    """Recordings in frames, and what is said in them.

    Attributes:
        X: (N,) objects, the frames (T, D) of each recording.
        texts: (N,) what is said.
        characters: Those that a model tells.
        seen: How many frames a score is made of, an odd number.
    """

    X: Ragged
    texts: Texts
    characters: tuple[str, ...]
    seen: int

    def take(self, which: Integers) -> "Spoken":
        """Return some of the recordings."""
        return replace(self, X=self.X[which], texts=self.texts[which])


@final
@dataclass(frozen=True, eq=False)
class FrameChoice:
    """What cross-validation chose.

    Attributes:
        settings: Strength and decoder, from which `fit_speech` fits again.
        loss: Mean held-out loss.
        outputs: (N,) `Heard`, by models that trained without the recording, as did what decodes; None of what no fold
            holds out.
    """

    settings: Settings
    loss: float
    outputs: Ragged


def frames_seen(frame_seconds: float) -> int:
    """Return how many frames of so many seconds a score is made of, an odd number."""
    return 1 + 2 * round((SEEN_SECONDS / frame_seconds - 1) / 2)


def fit_frames(spoken: Spoken, *, strength: float, start: FrameModel | None = None) -> FrameModel:
    """Fit a linear model of frames, which decodes greedily.

    Args:
        spoken: What to learn from; a recording of fewer frames than its text needs teaches nothing.
        strength: Of the penalty.
        start: A model of the same recordings to start from; zeros where None.

    Returns:
        The model.

    Raises:
        DataError: The frames are not finite.
    """
    start = start or FrameModel.zeros(spoken.X, spoken.characters, seen=spoken.seen)
    weights, bias = (each.requires_grad_() for each in parameters_of(start))
    _minimise(_objective(_parts(spoken, start), weights, bias, strength), [weights, bias])
    return with_parameters(start, weights, bias)


def best_view(views: Mapping[View, Spoken], fold: Fold) -> tuple[View, FrameModel]:
    """Choose between features of the same recordings by the held-out loss of one fold.

    Args:
        views: The recordings in the frames of each view.
        fold: Training and held-out positions.

    Returns:
        The view, and the model that was fitted, from which `choose_frames` goes on.
    """
    inside, outside = fold
    models = {view: fit_frames(each.take(inside), strength=SPEECH_STRENGTHS[0]) for view, each in views.items()}
    best = min(models, key=lambda view: held_out_loss(models[view], views[view].take(outside)))
    return best, models[best]


def choose_frames(spoken: Spoken, folds: Sequence[Fold], *, first: FrameModel | None = None) -> FrameChoice:
    """Choose the strength on the first fold, and on all folds how texts are made.

    Args:
        spoken: The recordings.
        folds: Training and held-out positions; no position is held out twice.
        first: What `best_view` fitted on the first fold.

    Returns:
        The choice.
    """
    strength, model = _strongest(spoken, folds[0], first)
    models = [model, *(fit_frames(spoken.take(inside), strength=strength) for inside, _ in folds[1:])]
    logs, number = np.empty(len(spoken.X), dtype=object), np.empty(len(spoken.X), dtype=np.intp)
    for fold, (model, (_, outside)) in enumerate(zip(models, folds, strict=True)):
        number[outside] = fold
        for i in outside:
            logs[i] = model.log_probabilities(spoken.X[i])
    held = np.sort(np.concatenate([outside for _, outside in folds]))
    found = choose_decoder(logs[held], spoken.texts[held], spoken.characters, folds=number[held])
    settings = {"strength": strength, **settings_of(found.decoder)}
    outputs = np.empty(len(spoken.X), dtype=object)
    for inside, outside in folds:
        decoder = decoder_of(settings, spoken.texts[inside], spoken.characters)
        for i in outside:
            text = decoder.text(logs[i], spoken.characters)
            outputs[i] = Heard(np.exp(logs[i]), text, spoken.characters)
    return FrameChoice(settings, float(item_losses(spoken.texts[held], outputs[held]).mean()), outputs)


def fit_speech(spoken: Spoken, settings: Settings) -> FrameModel:
    """Fit with settings chosen before; what the decoder knows of the language, it learns from these texts.

    Args:
        spoken: The recordings.
        settings: `FrameChoice.settings`.

    Returns:
        The model.
    """
    model = fit_frames(spoken, strength=float(settings["strength"]))
    return replace(model, decoder=decoder_of(settings, spoken.texts, spoken.characters))


def decoder_of(settings: Settings, texts: Texts, characters: Sequence[str]) -> Decoder:
    """Make the decoder that was chosen.

    Args:
        settings: `FrameChoice.settings`.
        texts: Transcripts that it learns the language from.
        characters: Those that the model tells.

    Returns:
        The decoder.
    """
    if settings["decoder"] == "greedy":
        return Greedy()
    width, weight, bonus = (float(settings[name]) for name in ("width", "language", "bonus"))
    return Beam(int(width), weight, bonus, CharacterModel.from_texts(texts.tolist(), characters))


def settings_of(decoder: Decoder) -> dict[str, str | float]:
    """Say which decoder it is, in words and numbers that `decoder_of` makes it from again."""
    if isinstance(decoder, Beam):
        return {"decoder": "beam search", "width": decoder.width, "language": decoder.weight, "bonus": decoder.bonus}
    return {"decoder": "greedy"}


def held_out_loss(model: FrameModel, spoken: Spoken) -> float:
    """Return the mean loss of recordings under a model, as `item_losses` counts it."""
    return float(item_losses(spoken.texts, model.outputs(spoken.X)).mean())


def frame_scores(padded: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """Return the scores of standardised frames, which is `FrameModel` in torch.

    Args:
        padded: (N, T, D), zero where nothing is.
        weights: (K, D, C).
        bias: (K,).

    Returns:
        (N, T, K).
    """
    return functional.conv1d(padded.transpose(1, 2), weights, bias, padding=weights.shape[2] // 2).transpose(1, 2)


def ctc(scores: Tensor, lengths: Tensor, targets: Sequence[Tensor]) -> Tensor:
    """Return the sum of the losses of recordings; one that is too short for its text counts nothing.

    Args:
        scores: (N, T, K).
        lengths: (N,) how many of the T frames are real.
        targets: N times the numbers of the characters said.

    Returns:
        Nats.
    """
    sizes = torch.tensor([len(target) for target in targets])
    logs = scores.log_softmax(dim=2).transpose(0, 1)
    # On processors: cuDNN's own takes other types, and the gradient of torch's kernel on GPUs depends on chance.
    loss = functional.ctc_loss(
        logs.cpu(), torch.cat(list(targets)), lengths, sizes, blank=BLANK, reduction="sum", zero_infinity=True
    )
    return loss.to(scores.device)


def numbers_of(texts: Texts, characters: Sequence[str]) -> list[Tensor]:
    """Return the numbers of the characters of each text, as `ctc` takes them."""
    return [torch.from_numpy(character_numbers(text, characters)) for text in texts.tolist()]


def parameters_of(model: FrameModel) -> tuple[Tensor, Tensor]:
    """Return copies of a model's weights, as (K, D, C), and bias."""
    weights = model.weights.transpose(2, 1, 0).copy()  # in the order of its new axes, as L-BFGS needs it
    return torch.from_numpy(weights), torch.from_numpy(model.bias.copy())


def with_parameters(model: FrameModel, weights: Tensor, bias: Tensor) -> FrameModel:
    """Return a model with copies of other weights (K, D, C) and bias."""
    arrays = (each.detach().cpu().numpy() for each in (weights.permute(2, 1, 0), bias))
    found, offset = (np.array(each, dtype=np.float32, order="C") for each in arrays)
    return replace(model, weights=found, bias=offset)


def seconds_per_frame(width: int, columns: int, *, seen: int, recordings: int = 8, frames: int = 100) -> float:
    """Time the loss of random frames, and its gradient, per frame.

    Args:
        width: D.
        columns: K.
        seen: How many frames a score is made of.
        recordings: How many are made up.
        frames: Of each.

    Returns:
        Seconds, of the faster of two.
    """
    random = np.random.default_rng(0)
    X = np.empty(recordings, dtype=object)
    X[:] = [random.standard_normal((frames, width), dtype=np.float32) for _ in range(recordings)]
    characters = tuple(chr(number) for number in range(1, columns))
    texts = np.array(["".join(random.choice(characters or ("",), frames // 4)) for _ in range(recordings)])
    spoken = Spoken(X, texts, characters, seen)
    start = FrameModel.zeros(X, characters, seen=seen)
    weights, bias = (each.requires_grad_() for each in parameters_of(start))
    objective, times = _objective(_parts(spoken, start), weights, bias, 1.0), []
    for _ in range(3):  # the first is slower
        began = time.perf_counter()
        objective()
        times.append(time.perf_counter() - began)
    return min(times) / (recordings * frames)


def _strongest(spoken: Spoken, fold: Fold, first: FrameModel | None) -> tuple[float, FrameModel]:
    """Return the strength of the lowest held-out loss, and its model; each starts from the last, which is near."""
    inside, outside = (spoken.take(part) for part in fold)
    strength, *weaker = SPEECH_STRENGTHS
    model = first or fit_frames(inside, strength=strength)
    best, lowest = (strength, model), held_out_loss(model, outside)
    for strength in weaker:
        model = fit_frames(inside, strength=strength, start=model)
        loss = held_out_loss(model, outside)
        if loss >= lowest:
            break
        best, lowest = (strength, model), loss
    return best


def _minimise(objective: Callable[[], float], parameters: Sequence[Tensor]) -> None:
    """Move parameters to the minimum; scipy's L-BFGS, since torch's takes seconds to be imported."""
    ends = np.cumsum([each.numel() for each in parameters])[:-1]

    def move_to(point: Double) -> None:
        with torch.no_grad():
            for each, values in zip(parameters, np.split(point, ends), strict=True):
                each.copy_(torch.from_numpy(values).view_as(each))

    def at(point: Double) -> tuple[float, Double]:
        move_to(point)
        for each in parameters:
            each.grad = None
        value = objective()
        return value, np.concatenate([each.grad.ravel().numpy() for each in parameters if each.grad is not None])

    start = np.concatenate([each.detach().ravel().numpy() for each in parameters]).astype(np.float64)
    found = optimize.minimize(
        at,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS, "maxfun": 2 * STEPS, "maxcor": KEPT, "ftol": 1e-9, "gtol": 1e-7},
    )
    move_to(found.x)


def _objective(parts: Sequence[Part], weights: Tensor, bias: Tensor, strength: float) -> Callable[[], float]:
    """Return what works out the objective and adds its gradient to that of the parameters."""
    characters = max(1, sum(len(target) for _, _, targets in parts for target in targets))

    def objective() -> float:
        total = 0.0
        for rows, lengths, targets in parts:
            value = ctc(frame_scores(rows, weights, bias), lengths, targets) / characters
            value.backward()  # type: ignore[no-untyped-call]
            total += float(value.detach())
        penalty = 0.5 * strength * weights.square().sum()
        penalty.backward()  # type: ignore[no-untyped-call]
        return total + float(penalty.detach())

    return objective


def _parts(spoken: Spoken, model: FrameModel) -> list[Part]:
    """Standardise the frames, and join recordings of like lengths as far as one convolution takes them."""
    targets, sizes = numbers_of(spoken.texts, spoken.characters), counts(spoken.X)
    parts, left = list[Part](), np.argsort(sizes, kind="stable")
    while len(left):
        most = max(1, FRAMES_AT_ONCE // max(1, int(sizes[left[-1]])))
        left, chosen = left[:-most], left[-most:]
        rows = [torch.from_numpy(model.standardised(spoken.X[i])) for i in chosen]
        lengths = torch.from_numpy(sizes[chosen])
        parts.append((pad_sequence(rows, batch_first=True), lengths, [targets[i] for i in chosen]))
    return parts
