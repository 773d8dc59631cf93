"""Losses, alignments and decoders against all paths of short recordings."""

import math
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headstart.errors import ArtifactError, DataError
from headstart.runtime import _decoders
from headstart.runtime._ctc import _best_states, _Path
from headstart.tasks import (
    Beam,
    CharacterModel,
    Greedy,
    Heard,
    SpokenWord,
    align,
    character_numbers,
    choose_decoder,
    ctc_loss,
    decoder_from,
    edits,
    greedy,
    timed_words,
)
from headstart.tasks._decoders import FRAMES
from tests.reference.speech import best_path, paths, prefix_beam, said, texts

CHARACTERS = (" ", "a", "b")
SEEDS = st.integers(0, 10_000)
LANGUAGE = CharacterModel.from_texts(["ab ab", "b", "ba ab", "aa"], CHARACTERS, 3)


def frames(seed: int, n: int, columns: int = 4) -> NDArray[np.float64]:
    return np.random.default_rng(seed).dirichlet(np.full(columns, 0.5), size=n)


def saying(text: str, characters: tuple[str, ...], *, sure: float = 0.99, blanks: int = 1) -> NDArray[np.float64]:
    """Log probabilities of frames that say each character once, with blanks in between."""
    columns = [0] * blanks
    for number in character_numbers(text, characters):
        columns += [int(number)] + [0] * blanks
    p = np.full((len(columns), 1 + len(characters)), (1 - sure) / len(characters))
    p[np.arange(len(p)), columns] = sure
    return np.log(p)


def word_probability(p: NDArray[np.float64], word: str) -> float:
    """The sum over all paths that say the word, with or without spaces around it."""
    numbers = tuple(character_numbers(word, CHARACTERS).tolist())
    wanted = {(*before, *numbers, *after) for before in ((), (1,)) for after in ((), (1,))}
    return math.fsum(weight for path, weight in paths(p.tolist()) if said(path) in wanted)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(0, 5), st.lists(st.integers(1, 2), max_size=4))
def test_the_loss_is_that_of_all_paths(seed: int, n: int, numbers: list[int]) -> None:
    p = frames(seed, n, 3)
    expected = texts(p.tolist()).get(tuple(numbers), 0.0)
    loss = ctc_loss(np.log(p), np.array(numbers, dtype=np.intp))
    if expected == 0.0:
        assert loss == math.inf
    else:
        assert loss == pytest.approx(-math.log(expected), rel=1e-9, abs=1e-12)


def test_the_loss_is_the_one_that_training_minimises() -> None:
    scores = np.log(frames(3, 300, 20))
    numbers = np.random.default_rng(3).integers(1, 20, 100)
    trained = torch.nn.functional.ctc_loss(
        torch.from_numpy(scores)[:, None], torch.from_numpy(numbers)[None], [300], [100], reduction="sum"
    )
    assert ctc_loss(scores, numbers) == pytest.approx(float(trained), rel=1e-9)


def test_losses_at_the_edges() -> None:
    nothing = np.empty(0, dtype=np.intp)
    assert ctc_loss(np.empty((0, 4)), nothing) == 0.0
    assert ctc_loss(np.empty((0, 4)), np.array([1])) == math.inf
    assert ctc_loss(np.log([[0.5, 0.5]]), np.array([1])) == pytest.approx(math.log(2))
    assert ctc_loss(np.log([[0.5, 0.5]] * 2), np.array([1, 1])) == math.inf  # needs a blank in between
    with np.errstate(divide="ignore"):
        assert ctc_loss(np.log([[1.0, 0.0]] * 3), np.array([1])) == math.inf


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.text(CHARACTERS, max_size=5))
def test_words_lie_where_the_best_path_says_them(seed: int, text: str) -> None:
    p, text = frames(seed, 6), " ".join(text.split())
    numbers = character_numbers(text, CHARACTERS).tolist()
    if len(numbers) + sum(a == b for a, b in pairwise(numbers)) > len(p):
        return
    found = align(np.log(p), text, CHARACTERS)
    assert [each.word for each in found] == text.split()
    if not text:
        return
    path = (0, *best_path(p.tolist(), numbers), 0)
    begins = [t for t in range(6) if path[t + 1] and path[t] != path[t + 1]]  # of each character
    ends = [t + 1 for t in range(6) if path[t + 1] and path[t + 2] != path[t + 1]]
    heard = [[t for t, number in zip(each, numbers, strict=True) if number != 1] for each in (begins, ends)]
    lengths = np.cumsum([len(word) for word in text.split()])
    assert [each.first_frame for each in found] == [heard[0][0], *(heard[0][k] for k in lengths[:-1])]
    assert [each.after_last_frame for each in found] == [heard[1][k - 1] for k in lengths]


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.sampled_from(["ab", "a b", "aba", "b ab"]))
def test_the_probability_of_a_word_is_that_of_all_paths_around_it(seed: int, text: str) -> None:
    p = frames(seed, 6)
    found = align(np.log(p), text, CHARACTERS)
    edges = [0, *((one[1] + other[0] + 1) // 2 for one, other in pairwise(found)), 6]
    for word, (before, after) in zip(found, pairwise(edges), strict=True):
        around = p[max(before, word.first_frame - 3) : min(after, word.after_last_frame + 3)]
        assert word.probability == pytest.approx(word_probability(around, word.word), rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=8))
def test_words_are_in_order_and_do_not_overlap(seed: int, words: list[str]) -> None:
    found = align(np.log(frames(seed, 2 * len(" ".join(words)) + 20)), " ".join(words), CHARACTERS)
    edges = [edge for word in found for edge in word[:2]]
    assert edges == sorted(edges)
    assert all(word.first_frame < word.after_last_frame and 0 <= word.probability <= 1 for word in found)


def test_a_long_recording_is_aligned_block_by_block() -> None:
    text = "ab ba " * 40
    found = align(saying(text, CHARACTERS, blanks=4), text, CHARACTERS)
    assert found[0] == SpokenWord(4, 10, "ab", pytest.approx(found[-2].probability))
    assert [word.first_frame for word in found] == [4 + 15 * k for k in range(80)]


def test_of_a_long_text_only_what_is_near_is_looked_at() -> None:
    rng = np.random.default_rng(0)
    text = " ".join(rng.choice(["ab", "ba", "aab"], 450).tolist())
    scores = saying(text, CHARACTERS, sure=0.7, blanks=2)
    scores = scores + rng.gumbel(scale=0.3, size=scores.shape)
    path = _Path.of(character_numbers(text, CHARACTERS))
    everywhere = _best_states(scores, path, reach=len(scores))
    for reach in (1024, 60):
        np.testing.assert_array_equal(_best_states(scores, path, reach=reach), everywhere)


def test_a_path_that_is_not_near_is_found_all_the_same() -> None:
    scores = saying("ab" * 300 + " " + "b" * 40, CHARACTERS)
    text = "b" * 40 + " " + "ab" * 300  # the other way around: no path is near what is heard
    path = _Path.of(character_numbers(text, CHARACTERS))
    clipped = np.maximum(scores, -1e4)
    states = _best_states(clipped, path, reach=8)
    np.testing.assert_array_equal(states, _best_states(clipped, path, reach=len(scores) * 2))
    assert states[-1] >= len(path.columns) - 2


def test_words_that_were_heard_have_times() -> None:
    p = np.exp(saying("ab b", CHARACTERS))
    words = timed_words(Heard(p.astype(np.float32), "ab b", CHARACTERS), 0.04)
    assert [(each.start, each.end, each.word) for each in words] == [(0.04, 0.16, "ab"), (0.28, 0.32, "b")]
    assert words[0].probability > 0.9
    silent = Heard(np.eye(4, dtype=np.float32)[[0, 0, 1]], "", CHARACTERS)
    assert timed_words(silent, 0.04) == []
    sure = timed_words(Heard(np.eye(4, dtype=np.float32)[[0, 2, 0]], "a", CHARACTERS), 0.5)
    assert sure == [(0.5, 1.0, "a", 1.0)]  # probabilities of 0 are no obstacle


def test_unsure_frames_make_unsure_words() -> None:
    sure, unsure = (align(saying("ab", CHARACTERS, sure=s), "ab", CHARACTERS)[0].probability for s in (0.999, 0.6))
    assert sure > 0.99 > 0.5 > unsure


def test_a_text_without_spaces_is_one_word_and_nothing_is_no_word() -> None:
    (word,) = align(saying("你好", ("你", "好"), sure=1 - 1e-9), "你好", ("你", "好"))
    assert word == SpokenWord(1, 4, "你好", pytest.approx(1.0))
    assert align(np.empty((0, 4)), " ", CHARACTERS) == []


def test_what_is_impossible_to_the_model_still_has_a_place() -> None:
    with np.errstate(divide="ignore"):
        scores = np.log(np.eye(4)[[0, 2, 0, 0]])
    assert align(scores, "ab", CHARACTERS)[0].probability == 0.0


def test_a_text_of_other_characters() -> None:
    with pytest.raises(DataError, match=r"found also 'ä', 'é'. Leave them out"):
        align(np.zeros((9, 4)), "aéaä", CHARACTERS)
    with pytest.raises(DataError, match="found also ' '"):
        align(np.zeros((9, 3)), "a b", ("a", "b"))


def test_a_text_too_long_for_its_frames() -> None:
    assert len(align(np.zeros((4, 4)), "aab", CHARACTERS)) == 1
    with pytest.raises(DataError, match="at least 4 frames for 3 characters, found 3"):
        align(np.zeros((3, 4)), "aab", CHARACTERS)


def test_greedy_joins_repeats_and_drops_blanks() -> None:
    best = [0, 2, 2, 0, 2, 1, 1, 0, 1, 3, 0]
    scores = np.log(np.eye(4)[best] * 0.9 + 0.025)
    assert greedy(scores, CHARACTERS) == Greedy().text(scores, CHARACTERS) == "aa b"
    assert greedy(np.empty((0, 4)), CHARACTERS) == ""
    assert greedy(scores[[5]], CHARACTERS) == ""


def gains(weight: float, bonus: float):
    def gain(text: tuple[int, ...], number: int) -> float:
        return math.exp(weight * LANGUAGE.log_probability((0, *text), number) + bonus)

    def end(text: tuple[int, ...]) -> float:
        return math.exp(weight * LANGUAGE.log_probability((0, *text), 0))

    return gain, end


def spelt(numbers: tuple[int, ...]) -> str:
    return " ".join("".join(CHARACTERS[number - 1] for number in numbers).split())


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0]))
def test_a_wide_beam_finds_the_best_of_all_texts(seed: int, n: int, weight: float, bonus: float) -> None:
    p = frames(seed, n)
    gain, end = gains(weight, bonus)

    def total(text: tuple[int, ...], probability: float) -> float:
        return probability * math.prod(gain(text[:k], text[k]) for k in range(len(text))) * end(text)

    every = texts(p.tolist())
    best = max(every, key=lambda text: total(text, every[text]))
    assert Beam(4**5, weight, bonus, LANGUAGE, least=0.0).text(np.log(p), CHARACTERS) == spelt(best)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(1, 6), st.sampled_from([0.0, 0.02, 0.3]))
def test_a_narrow_beam_is_the_usual_one(seed: int, width: int, least: float) -> None:
    p = frames(seed, 30)
    p[10:16] = [0.9, *np.random.default_rng(seed).dirichlet(np.ones(3)) / 10]  # little is heard there
    looked = (p >= least) | (p == p.max(axis=1, keepdims=True))
    looked[:, 0] = True
    expected = prefix_beam(np.where(looked, p, 0.0).tolist(), width, *gains(0.5, 1.0))
    assert Beam(width, 0.5, 1.0, LANGUAGE, least=least).text(np.log(p), CHARACTERS) == spelt(expected)


def test_the_beam_hears_silence_and_long_recordings() -> None:
    beam = Beam(16, 0.5, 1.0, LANGUAGE)
    assert beam.text(np.empty((0, 4)), CHARACTERS) == ""
    assert beam.text(np.log(np.full((9, 4), [1 - 3e-4, 1e-4, 1e-4, 1e-4])), CHARACTERS) == ""
    silence = saying("", CHARACTERS, sure=1 - 1e-6, blanks=5000)
    heard = np.concatenate([silence, saying("ab ab", CHARACTERS), silence, saying(" ba", CHARACTERS), silence])
    assert beam.text(heard, CHARACTERS) == "ab ab ba"
    with np.errstate(divide="ignore"):
        assert beam.text(np.log(np.eye(4)[[2, 0, 3, 3] * 3000]), CHARACTERS) == "ab" * 3000


@settings(deadline=None, max_examples=20)
@given(SEEDS, st.integers(1, 6))
def test_a_long_recording_is_decoded_in_blocks_and_forgets_what_goes_no_further(seed: int, width: int) -> None:
    p = frames(seed, 200)
    p[50:90] = [1 - 3e-4, 1e-4, 1e-4, 1e-4]
    beam = Beam(width, 0.5, 1.0, LANGUAGE)
    expected = beam.text(np.log(p), CHARACTERS)
    for few, at_once in ((1, 1000), (30, 1000), (10_000, 1), (10_000, 60), (3, 7)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_decoders, "FEW", few)
            patch.setattr(_decoders, "AT_ONCE", at_once)
            assert beam.text(np.log(p), CHARACTERS) == expected


def traced(run: Callable[[], object]) -> int:
    """The most memory that it takes at once."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_decoding_takes_memory_for_what_can_still_become_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    p, beam = np.log(frames(1, 3000)), Beam(8, 0.5, 1.0, LANGUAGE)
    everything = traced(lambda: beam.text(p, CHARACTERS))
    monkeypatch.setattr(_decoders, "FEW", 500)
    monkeypatch.setattr(_decoders, "AT_ONCE", 100)
    assert traced(lambda: beam.text(p, CHARACTERS)) < everything / 2


def test_timing_words_takes_little_memory() -> None:
    p = frames(1, 6000).astype(np.float32)
    heard = Heard(p, greedy(p, CHARACTERS), CHARACTERS)
    assert len(heard.text) > 3000
    assert traced(lambda: timed_words(heard, 0.04)) < 3e6  # the weights of all states before all blocks: 5 million


def test_of_equal_texts_the_same_is_always_taken() -> None:
    even = np.log(np.full((6, 4), 0.25))
    assert len({Beam(3, 0.0, 0.0, LANGUAGE).text(even, CHARACTERS) for _ in range(5)}) == 1


WORDS = ("turn", "on", "the", "light", "off", "lamp", "please", "kitchen")
LETTERS = tuple(sorted(set("".join(WORDS)) | {" "}))


def sentences(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, 4)) for _ in range(n)]


def noisy(text: str, seed: int) -> NDArray[np.float64]:
    scores = saying(text, LETTERS, sure=0.9) + np.random.default_rng(seed).normal(0, 1.5, (2 * len(text) + 1, 1))
    scores = scores + np.random.default_rng(seed).normal(0, 2.0, scores.shape)
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def test_a_language_model_is_chosen_where_it_helps() -> None:
    told = sentences(40)
    choice = choose_decoder([noisy(t, i) for i, t in enumerate(told)], told, LETTERS, folds=np.arange(40) % 4)
    assert isinstance(choice.decoder, Beam)
    assert choice.errors < choice.greedy / 2
    assert choice.words == 160
    assert choice.decoder.text(noisy(told[0], 0), LETTERS) == told[0]


def test_the_simple_is_kept_where_nothing_is_better() -> None:
    told = sentences(20)
    choice = choose_decoder([saying(t, LETTERS) for t in told], np.array(told), LETTERS, folds=[0, 1] * 10)
    assert choice == (Greedy(), 80, 0, 0)


def test_no_language_model_has_seen_what_it_is_judged_on() -> None:
    rng = np.random.default_rng(1)
    told = ["".join(rng.choice(LETTERS[1:], 8)) for _ in range(30)]  # of no use for one another
    heard = [noisy(t, i) for i, t in enumerate(told)]
    choice = choose_decoder(heard, told, LETTERS, folds=np.arange(30) % 5)
    cheat = Beam(16, 1.0, 2.0, CharacterModel.from_texts(told, LETTERS))
    cheated = sum(edits(t.split(), cheat.text(h, LETTERS).split()) for t, h in zip(told, heard, strict=True))
    assert cheated < choice.errors - 5


def test_a_choice_takes_a_bounded_number_of_recordings() -> None:
    short, long = saying("on", LETTERS), saying("on", LETTERS, blanks=1000)
    assert choose_decoder([short] * 500, ["on"] * 500, LETTERS, folds=[0, 1] * 250).words == 200
    assert choose_decoder([long] * 50, ["on"] * 50, LETTERS, folds=[0, 1] * 25).words == FRAMES // len(long)
    assert choose_decoder([np.repeat(short, 9000, axis=0)], ["on"], LETTERS, folds=[0]).words == 1


def test_decoders_are_the_same_again_from_arrays() -> None:
    beam = Beam(7, 0.25, 2.0, LANGUAGE)
    again = decoder_from(beam.to_arrays(), CHARACTERS)
    assert isinstance(again, Beam)
    assert (again.width, again.weight, again.bonus) == (7, 0.25, 2.0)
    for seed in range(10):
        p = np.log(frames(seed, 20))
        assert again.text(p, CHARACTERS) == beam.text(p, CHARACTERS)
    assert decoder_from(Greedy().to_arrays(), CHARACTERS) == Greedy()


@pytest.mark.parametrize(
    "beam",
    [None, np.array([16, 1, 1]), np.ones(2), np.array([0.0, 1, 1]), np.array([np.nan, 1, 1]), np.array([8.0, 99, 0])],
)
def test_arrays_that_are_no_decoder(beam: np.ndarray | None) -> None:
    arrays = LANGUAGE.to_arrays() | ({} if beam is None else {"beam": beam})
    with pytest.raises(ArtifactError, match="expected width, weight and bonus") as caught:
        decoder_from(arrays, CHARACTERS)
    assert "\n" not in str(caught.value)


def test_a_language_of_other_characters_is_no_decoder() -> None:
    with pytest.raises(ArtifactError, match="numbers from 0 to 1, found 0 to 3"):
        decoder_from(Beam(7, 0.25, 2.0, LANGUAGE).to_arrays(), ("a",))
