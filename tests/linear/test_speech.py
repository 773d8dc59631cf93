"""Fitting the head for speech: the loss against its definition, its minimum, and folds that keep their secrets."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.errors import DataError
from headstart.linear import (
    USUAL_DECODER,
    FrameModel,
    Spoken,
    best_view,
    choose_frames,
    ctc,
    decoder_of,
    fit_frames,
    fit_speech,
    held_out_loss,
    item_losses,
    numbers_of,
    seconds_per_frame,
    settings_of,
)
from headstart.linear import _speech as speech
from headstart.tasks import Beam, Greedy, Heard, choose_decoder, ctc_loss, decoder_from, ragged
from tests.reference import speech as reference
from tests.spoken import said

LETTERS = ("a", "b")
CHARACTERS = (" ", "a", "b", "c", "d")


def random_scores(*sizes: int, columns: int = 3, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.standard_normal((size, columns)), dtype=torch.float32) for size in sizes]


def texts(*values: str):
    return np.array(values, dtype=np.str_)


def padded(rows):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(row) for row in rows])


def material(n: int, *, seed: int = 0, width: int = 6, noise: float = 0.3) -> Spoken:
    """Recordings whose frames are directions of their characters, in noise; each is said for two or three frames."""
    rng = np.random.default_rng([seed, n])
    directions = 2 * np.random.default_rng(0).standard_normal((1 + len(CHARACTERS), width))
    transcripts, X = said(n, seed=seed), []
    for text in transcripts:
        columns = [0]
        for character in text:
            columns += [1 + CHARACTERS.index(character)] * int(rng.integers(2, 4)) + [0]
        X.append((directions[columns] + noise * rng.standard_normal((len(columns), width))).astype(np.float32))
    return Spoken(ragged(X), texts(*transcripts), CHARACTERS, 3)


def folds_of(n: int, k: int = 3):
    every = np.arange(n)
    return [(np.delete(every, part), part) for part in np.array_split(every, k)]


@pytest.mark.parametrize("said_there", [("ab", "ba", "a"), ("aab", "b", ""), ("abab", "bb", "aaa")])
def test_the_loss_is_that_of_tasks_and_of_its_definition(said_there):
    rows = random_scores(4, 3, 5)
    scores, lengths = padded(rows)
    targets = numbers_of(texts(*said_there), LETTERS)
    each = [float(ctc(scores[i : i + 1], lengths[i : i + 1], targets[i : i + 1])) for i in range(3)]
    logs = [row.log_softmax(dim=1).numpy().astype(np.float64) for row in rows]
    by_tasks = [ctc_loss(log, target.numpy()) for log, target in zip(logs, targets, strict=True)]
    defined = [
        -np.log(reference.texts(np.exp(log)).get(tuple(target.tolist()), 0.0) or 1e-300)
        for log, target in zip(logs, targets, strict=True)
    ]
    defined = [np.inf if value > 600 else value for value in defined]
    np.testing.assert_allclose(by_tasks, defined, rtol=1e-6)
    np.testing.assert_allclose(each, np.where(np.isinf(defined), 0, defined), rtol=1e-5, atol=1e-6)
    assert float(ctc(scores, lengths, targets)) == pytest.approx(sum(each), rel=1e-5)


def test_the_gradient_is_that_of_the_loss_of_tasks():
    (row,), target = random_scores(5), numbers_of(texts("aba"), LETTERS)
    scores = row[None].clone().requires_grad_()
    ctc(scores, torch.tensor([5]), target).backward()
    step = 1e-4

    def loss(values):
        logs = torch.tensor(values).log_softmax(dim=1).numpy()
        return ctc_loss(logs, target[0].numpy())

    base = row.numpy().astype(np.float64)
    for t in range(5):
        for k in range(3):
            moved = np.zeros_like(base)
            moved[t, k] = step
            slope = (loss(base + moved) - loss(base - moved)) / (2 * step)
            assert float(scores.grad[0, t, k]) == pytest.approx(slope, abs=1e-4)


def objective(spoken: Spoken, model: FrameModel, strength: float) -> float:
    """What `fit_frames` minimises, in plain numpy."""
    nats = [
        ctc_loss(model.log_probabilities(x).astype(np.float64), number.numpy())
        for x, number in zip(spoken.X, numbers_of(spoken.texts, spoken.characters), strict=True)
    ]
    characters = sum(map(len, spoken.texts.tolist()))
    return sum(nats) / characters + strength / 2 * float(np.square(model.weights).sum())


def test_the_fit_is_a_stationary_point_of_the_objective(monkeypatch):
    monkeypatch.setattr(speech, "STEPS", 200)
    spoken = material(4, width=4, noise=1.0)
    model = fit_frames(spoken, strength=0.3)
    reached = objective(spoken, model, 0.3)
    assert reached < 0.5 * objective(spoken, FrameModel.zeros(spoken.X, CHARACTERS, seen=3), 0.3)
    step, rng = 0.02, np.random.default_rng(0)
    for _ in range(6):
        away = rng.standard_normal(model.weights.shape).astype(np.float32)
        away *= step / np.linalg.norm(away)
        bias = step * rng.standard_normal(model.bias.shape).astype(np.float32)
        ends = [
            objective(spoken, replace(model, weights=model.weights + s * away, bias=model.bias + s * bias), 0.3)
            for s in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / 2
        assert min(ends) > reached - 1e-5
        assert abs(slope) < 0.1 * (sum(ends) / 2 - reached) + 1e-6


def test_recordings_of_many_lengths_are_fitted_as_if_in_one_batch(monkeypatch):
    spoken = material(9)
    monkeypatch.setattr(speech, "STEPS", 3)
    whole = fit_frames(spoken, strength=0.1)
    monkeypatch.setattr(speech, "FRAMES_AT_ONCE", 40)
    parts = fit_frames(spoken, strength=0.1)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-4)


def test_what_is_said_is_learnt():
    model = fit_speech(material(30), {"strength": 0.01, "decoder": "greedy"})
    test = material(12, seed=5)
    assert [heard.text for heard in model.outputs(test.X)] == test.texts.tolist()


def test_the_same_fit_twice_is_the_same():
    one, other = (fit_frames(material(6), strength=0.1) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.bias, other.bias)


def test_a_fit_leaves_the_model_it_starts_from_as_it_is():
    spoken = material(6)
    start = fit_frames(spoken, strength=1.0)
    before = start.weights.copy(), start.bias.copy()
    fit_frames(spoken, strength=0.01, start=start)
    np.testing.assert_array_equal(start.weights, before[0])
    np.testing.assert_array_equal(start.bias, before[1])


def test_recordings_too_short_for_their_text_and_texts_of_nothing_stop_nothing():
    spoken = material(12)
    X = ragged([*spoken.X, spoken.X[0][:2], spoken.X[1]])
    with_odd = replace(spoken, X=X, texts=texts(*spoken.texts, "abab", ""))
    model = fit_frames(with_odd, strength=0.03)
    assert np.isfinite(model.weights).all()
    assert np.isfinite(held_out_loss(model, with_odd))
    nothing = replace(spoken, texts=texts(*[""] * 12))
    assert {heard.text for heard in fit_frames(nothing, strength=0.1).outputs(spoken.X)} == {""}


def test_a_recording_too_short_for_its_text_teaches_nothing(monkeypatch):
    monkeypatch.setattr(speech, "STEPS", 1)
    spoken = material(6)
    short = replace(spoken, X=ragged([*spoken.X, spoken.X[0][:1]]), texts=texts(*spoken.texts, "abab"))
    start = FrameModel.zeros(spoken.X, CHARACTERS, seen=3)
    one, other = (fit_frames(each, strength=0.0, start=start) for each in (spoken, short))
    np.testing.assert_allclose(other.weights, one.weights, atol=1e-5)


def spied(monkeypatch):
    """Note the texts of every fit, of every language model, and which frames each model is asked about."""
    fitted, learnt, asked = [], [], []
    fit, make, tell = speech.fit_frames, speech.decoder_of, FrameModel.log_probabilities

    def spy_fit(spoken, **more):
        model = fit(spoken, **more)
        fitted.append((id(model), model, set(spoken.texts.tolist())))
        return model

    def spy_decoder(settings, given, characters):
        learnt.append(set(np.asarray(given).tolist()))
        return make(settings, given, characters)

    def spy_tell(self, X):
        asked.append((id(self), X.shape, float(X.sum())))
        return tell(self, X)

    monkeypatch.setattr(speech, "fit_frames", spy_fit)
    monkeypatch.setattr(speech, "decoder_of", spy_decoder)
    monkeypatch.setattr(FrameModel, "log_probabilities", spy_tell)
    return fitted, learnt, asked


def distinct(n: int) -> Spoken:
    """Recordings no two of which say the same."""
    spoken = material(6 * n)
    _, first = np.unique(spoken.texts, return_index=True)
    return spoken.take(np.sort(first)[:n])


def test_nothing_held_out_is_in_the_model_or_in_what_decodes(monkeypatch):
    monkeypatch.setattr(speech, "STEPS", 20)
    spoken = distinct(15)
    folds = folds_of(15)
    fitted, learnt, asked = spied(monkeypatch)
    found = choose_frames(spoken, folds)
    assert len(set(spoken.texts.tolist())) == 15
    place = {(x.shape, float(x.sum())): i for i, x in enumerate(spoken.X)}
    known = {number: said_there for number, _, said_there in fitted}
    assert len(asked) >= 15
    for number, shape, total in asked:
        assert spoken.texts[place[shape, total]] not in known[number]
    assert len(learnt) == 3
    for inside, (_, outside) in zip(learnt, folds, strict=True):
        assert inside.isdisjoint(spoken.texts[outside].tolist())
    assert found.loss == pytest.approx(item_losses(spoken.texts, found.outputs).mean())


def test_a_held_out_transcript_decides_nothing_about_how_its_recording_is_heard():
    """But for the settings, which are chosen by all of them."""
    spoken = distinct(12)
    folds = folds_of(12)
    model = fit_frames(spoken.take(folds[0][0]), strength=0.1)
    other = replace(spoken, texts=texts(*["d"] * 4, *spoken.texts[4:]))
    again = fit_frames(other.take(folds[0][0]), strength=0.1)
    np.testing.assert_array_equal(model.weights, again.weights)
    settings = {**USUAL_DECODER, "strength": 0.1}
    both = [decoder_of(settings, each.texts[folds[0][0]], CHARACTERS) for each in (spoken, other)]
    logs = model.log_probabilities(spoken.X[0])
    assert both[0].text(logs, CHARACTERS) == both[1].text(logs, CHARACTERS)


def test_what_is_lent_trains_in_every_fold_and_is_held_out_by_none(monkeypatch):
    monkeypatch.setattr(speech, "STEPS", 20)
    spoken = material(14)
    own = folds_of(9)
    lent = np.arange(9, 14)
    found = choose_frames(spoken, [(np.concatenate([inside, lent]), outside) for inside, outside in own])
    assert [heard is None for heard in found.outputs] == [False] * 9 + [True] * 5
    assert np.isfinite(found.loss)


def test_the_strength_is_the_last_that_lowered_the_loss_of_the_first_fold(monkeypatch):
    tried = []

    def fit(spoken, *, strength, start=None):
        tried.append((strength, start))
        return strength

    losses = {0.1: 3.0, 0.03: 2.0, 0.01: 2.5}
    monkeypatch.setattr(speech, "fit_frames", fit)
    monkeypatch.setattr(speech, "held_out_loss", lambda model, _: losses[model])
    spoken, fold = material(6), folds_of(6)[0]
    assert speech._strongest(spoken, fold, None) == (0.03, 0.03)
    assert tried == [(0.1, None), (0.03, 0.1), (0.01, 0.03)]
    tried.clear()
    losses[0.03] = 3.0
    assert speech._strongest(spoken, fold, 0.1) == (0.1, 0.1)
    assert tried == [(0.03, 0.1)]


def test_the_view_that_tells_more_is_chosen_and_its_model_is_not_fitted_again(monkeypatch):
    spoken = material(15)
    rng = np.random.default_rng(0)
    noise = replace(spoken, X=ragged(rng.standard_normal(x.shape).astype(np.float32) for x in spoken.X))
    folds = folds_of(15)
    fits, fit = [], speech.fit_frames
    monkeypatch.setattr(speech, "STEPS", 20)
    monkeypatch.setattr(speech, "fit_frames", lambda s, **more: fits.append(more) or fit(s, **more))
    view, first = best_view({"noise": noise, "speech": spoken}, folds[0])
    assert view == "speech"
    found = choose_frames(spoken, folds, first=first)
    before = len(fits)
    again = choose_frames(spoken, folds)
    assert len(fits) - before == before - 2 + 1
    assert found.settings == again.settings
    for one, other in zip(found.outputs, again.outputs, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_settings_say_which_decoder_was_chosen_and_make_it_again():
    spoken, settings = material(8), {"strength": 0.1, "decoder": "beam search", "width": 8, "language": 0.5, "bonus": 1}
    beam = decoder_of(settings, spoken.texts, CHARACTERS)
    assert isinstance(beam, Beam)
    assert settings_of(beam) == {key: settings[key] for key in settings if key != "strength"}
    assert decoder_of({"decoder": "greedy"}, spoken.texts, CHARACTERS) == Greedy()
    assert settings_of(Greedy()) == {"decoder": "greedy"}
    model = fit_speech(spoken, {**settings, "strength": 0.01})
    kept = decoder_from(model.decoder.to_arrays(), CHARACTERS)
    for x in spoken.X:
        logs = model.log_probabilities(x)
        assert kept.text(logs, CHARACTERS) == beam.text(logs, CHARACTERS) == model.decoder.text(logs, CHARACTERS)


def test_the_decoder_is_the_one_that_makes_the_fewest_word_errors(monkeypatch):
    monkeypatch.setattr(speech, "STEPS", 20)
    spoken = material(20, noise=3.0)
    folds = folds_of(20)
    found = choose_frames(spoken, folds)
    number = np.repeat([0, 1, 2], [len(outside) for _, outside in folds])
    logs = [np.log(np.maximum(heard.probabilities, 1e-30)) for heard in found.outputs]
    expected = choose_decoder(logs, spoken.texts, CHARACTERS, folds=number)
    assert settings_of(expected.decoder).items() <= found.settings.items()
    assert all(isinstance(heard, Heard) for heard in found.outputs)


def test_frames_that_are_not_finite_are_refused():
    spoken = material(4)
    spoken.X[2][0, 0] = np.inf
    with pytest.raises(DataError, match="expected finite features"):
        fit_frames(spoken, strength=0.1)


def test_more_work_per_frame_takes_longer():
    little, much = (seconds_per_frame(width, 30, seen=11) for width in (4, 768))
    assert 0 < little < much < 1
    assert seconds_per_frame(4, 1, seen=1) > 0
