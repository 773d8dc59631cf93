"""The data side of the recipe of `starter:audio-small`: the same clip wherever it is made, and labels that fit it."""

import ctypes

import numpy as np
import pytest

pytest.importorskip("soxr")
pytest.importorskip("safetensors")

from recipes.audio_small import augment, shards, sounds, voices, words
from recipes.audio_small.speaker import LIBRARY, Request, Speaker


@pytest.fixture(scope="module")
def speaker():
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pytest.skip("espeak-ng's library is not installed")
    with Speaker() as made:
        yield made


def needs_lists():
    if not all((words.FOLDER / each.list).exists() for each in words.WITH_LISTS):
        pytest.skip("the word lists are not installed")


def test_what_is_said_does_not_depend_on_what_was_said_before(speaker):
    request = Request("en-us+klatt", "hello wonderful world")
    once = speaker.say(request)
    speaker.say(Request("fi+m3", "terve maailma", rate=300))
    assert speaker.say(request) == once
    assert len(once[0]) > 2 * 22050


def test_what_the_library_refuses_is_empty_and_the_next_is_said(speaker):
    assert speaker.say(Request("no-such-voice", "hello")) == (b"", [])
    assert speaker.say(Request("en", "hello"))[0]


def test_an_utterance_is_a_function_of_seed_and_index(speaker):
    needs_lists()
    with Speaker() as another:
        for index in (5, 3):
            one, other = voices.utterance(speaker, 1, index), voices.utterance(another, 1, index)
            assert one.request == other.request
            np.testing.assert_array_equal(one.samples, other.samples)
            np.testing.assert_array_equal(one.frames, other.frames)
    assert voices.draw(1, 5) != voices.draw(2, 5)


def test_an_utterance_has_a_label_for_every_frame_and_fits_its_limits(speaker):
    needs_lists()
    for index in range(20):
        said = voices.utterance(speaker, 0, index)
        assert len(said.frames) == -(-len(said.samples) // voices.HOP)
        assert 0.4 * 16000 <= len(said.samples) <= 4.0 * 16000
        assert said.frames.max() < voices.CLASSES
        assert len(set(said.frames.tolist())) > 2


def test_vowels_are_where_the_sound_is(speaker):
    samples, starts = voices.spoken(speaker, Request("en-us", "asa"))
    frames = voices.labelled(starts, len(samples))
    loudness = np.array([np.square(samples[k * 320 : (k + 1) * 320]).mean() for k in range(len(frames))])
    hiss = loudness[frames == voices.classes()["s"]].mean()
    assert hiss < loudness[(frames != voices.classes()["s"]) & (frames != voices.SILENCE)].mean() / 3


def test_a_pause_is_silence_and_a_release_inside_a_word_is_not():
    events = [
        (0, None),
        (10, "p"),
        (20, ""),
        (30, "r"),
        (40, "ː"),
        (50, ""),
        (50, None),
        (60, "(en)"),
        (70, "??"),
        (80, ""),
    ]
    assert voices.spans([*events, (90, None)]) == [(0, ""), (10, "p"), (30, "r"), (50, ""), (70, "?"), (80, "")]


@pytest.mark.parametrize(
    ("name", "letters"), [("ɑ̃ː", "ɑ"), ("tʃʰ", "tʃ"), ("ts.", "tʂ"), ("ː", ""), ("??", "?"), ("1", "")]
)
def test_names_are_folded_to_letters(name, letters):
    assert voices.folded(name) == letters


def test_a_name_outside_the_vocabulary_takes_its_first_letter_and_what_has_no_name_the_last_class():
    assert voices.class_of("aqq") == voices.classes()["a"]
    assert voices.class_of("?") == voices.classes()["(other)"] == voices.CLASSES - 1
    assert voices.class_of("") == voices.SILENCE


def test_too_long_an_utterance_ends_at_a_boundary():
    samples, starts = voices.cut(
        np.ones(5 * 16000, np.float32), [(0, "a"), (80_000, "b"), (88_000, "c"), (90_000, "d")]
    )
    assert len(samples) == 88_000 * 16000 // 22050
    assert starts == [(0, "a"), (80_000, "b"), (88_000, "")]
    assert samples[-1] == 0


def test_held_out_voices_and_words_are_never_drawn():
    needs_lists()
    assert not set(voices.HELD_OUT_VOICES) & set(voices.ALL_VOICES)
    source = np.random.default_rng(0)
    drawn = {words.listed("american-english", source).lower() for _ in range(3000)}
    assert not drawn & set(words.HELD_OUT_WORDS)
    assert len(drawn) > 2500


def test_no_word_has_a_numeral():
    source = np.random.default_rng(0)
    for language in words.INVENTED:
        made = "".join(words.invented(language, source) for _ in range(20))
        assert made
        assert not any(each.isnumeric() for each in made)


@pytest.mark.parametrize("family", sounds.FAMILIES, ids=lambda each: each.__name__)
def test_every_family_is_finite_whole_and_the_same_again(family):
    for seed in range(4):
        made = np.asarray(family(np.random.default_rng(seed), 24_000))
        assert made.shape == (24_000,)
        assert np.isfinite(made).all()
        assert made.any() or family is sounds.quiet
        np.testing.assert_array_equal(made, family(np.random.default_rng(seed), 24_000))


def test_a_sound_is_a_function_of_seed_and_index():
    one = sounds.sound(0, 4)
    np.testing.assert_array_equal(one.samples, sounds.sound(0, 4).samples)
    assert len(one.samples) != len(sounds.sound(0, 5).samples)
    assert len({sounds.sound(0, index).family for index in range(60)}) > 20


def test_change_keeps_lengths_and_labels():
    tone = np.sin(np.arange(8_100) / 9) * 0.3
    frames = np.arange(1, 27, dtype=np.uint8)
    for seed in range(60):
        samples, labels = augment.augmented(tone, frames, np.random.default_rng(seed))
        assert len(samples) == 320 * len(labels)
        assert np.abs(samples).max() <= 1
        assert labels[labels > 0].tolist() == frames.tolist()
        assert samples.dtype == np.float32
    again = augment.augmented(tone, frames, np.random.default_rng(59))
    np.testing.assert_array_equal(samples, again[0])


def test_silence_before_a_clip_shifts_its_labels_with_it():
    burst = np.zeros(6_400)
    burst[3_200:3_520] = 1
    frames = np.zeros(20, np.uint8)
    frames[10] = 7
    for seed in range(20):
        samples, labels = augment.padded(burst, frames, np.random.default_rng(seed))
        assert samples[320 * int(np.flatnonzero(labels)[0])] == 1


def test_a_telephone_keeps_nothing_above_4_khz():
    heard = augment.narrowed(np.random.default_rng(0).standard_normal(16_000), np.random.default_rng(1))
    power = np.abs(np.fft.rfft(heard)) ** 2
    assert power[4_300:].sum() < 1e-4 * power.sum()


def test_silence_stays_finite():
    for seed in range(20):
        samples, _ = augment.augmented(np.zeros(3_200), np.zeros(10, np.uint8), np.random.default_rng(seed))
        assert np.isfinite(samples).all()


def test_a_shard_reads_as_it_was_written(tmp_path):
    content = {
        "samples": np.arange(960, dtype=np.int16),
        "lengths": np.array([320, 640], np.int32),
        "frames": np.array([1, 2, 3], np.uint8),
        "features": np.arange(6, dtype=np.float16).reshape(3, 2),
        "scores": np.zeros((3, 1), np.float16),
        "patches": np.array([1, 2], np.int32),
        **{name: np.array([1, -1], np.int16) for name in ("speech", "language", "voice", "family")},
    }
    shards.write(tmp_path / "a.safetensors", content)
    assert shards.paths(tmp_path) == [tmp_path / "a.safetensors"]
    first, second = shards.clips(tmp_path / "a.safetensors")
    assert first["waveform"].tolist() == list(range(320))
    assert second["frames"].tolist() == [2, 3]
    assert second["features"].tolist() == [[2, 3], [4, 5]]
    padded = shards.padded(tmp_path / "a.safetensors")
    assert padded["waveform"].shape == (2, 640)
    assert padded["frames"].tolist() == [[1, 255], [2, 3]]
    assert padded["features"][0].tolist() == [[0, 1], [0, 0]]


@pytest.mark.shared
def test_the_teacher_hears_every_patch(shared):
    from recipes.audio_small.teacher import Teacher, patches_of

    waves = [np.random.default_rng(0).standard_normal(n).astype(np.float32) * 0.1 for n in (3_000, 40_000)]
    features, scores, counts = Teacher(shared / "weights/yamnet.audioset")(waves)
    assert counts.tolist() == [1, 5] == [patches_of(3_000), patches_of(40_000)]
    assert features.shape == (6, 1024)
    assert scores.shape == (6, 521)
    assert 0 <= scores.min() <= scores.max() <= 1


def test_training_states_the_clips_it_read_and_waits_until_all_are_made(tmp_path):
    from recipes.audio_small import examples
    from transformers import SeamlessM4TFeatureExtractor

    for number in range(2):
        shards.write(tmp_path / f"speech-{number:04d}.safetensors", shard(number))
    extractor = SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, stride=2, padding_value=0.0)
    meta = tmp_path / shards.ABOUT
    meta.write_text('{"seed": 0}')
    with pytest.raises(SystemExit, match="holds 2 clips, and not those that prepare was asked for; run it to its end"):
        examples.read(tmp_path, extractor)
    meta.write_text('{"seed": 0, "clips": {"speech": 3, "sounds": 0}}')
    with pytest.raises(SystemExit, match="holds 2 clips"):
        examples.read(tmp_path, extractor)
    meta.write_text('{"seed": 0, "clips": {"speech": 2, "sounds": 0}}')
    read = examples.read(tmp_path, extractor)
    assert len(read) == 2
    assert read.about == {"seed": 0, "clips": {"speech": 2, "sounds": 0}, "shards_sha256": shards.digest(tmp_path)}
    shards.write(tmp_path / "speech-0001.safetensors", shard(2))
    assert examples.read(tmp_path, extractor).about["shards_sha256"] != read.about["shards_sha256"]


def shard(seed):
    """One clip of 0.2 s."""
    return {
        "samples": np.random.default_rng(seed).integers(-3000, 3000, 3200).astype(np.int16),
        "lengths": np.array([3200], np.int32),
        "frames": np.full(10, 5, np.uint8),
        "features": np.ones((1, 4), np.float16),
        "scores": np.zeros((1, 3), np.float16),
        "patches": np.array([1], np.int32),
        **{name: np.array([1], np.int16) for name in ("speech", "language", "voice", "family")},
    }
