import tracemalloc

import numpy as np
import pytest
import soxr

from headstart.data import SOUND_SUFFIXES, Sound, hash_item, read_sound, sound_blocks, sound_facts, sound_rate
from headstart.errors import DataError
from tests.data.sounds import RATE, both, noise, tone, write_sound


def spectrum_peak(samples: np.ndarray, rate: int) -> float:
    size = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[size.argmax()])


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.wav", {"subtype": "PCM_24"}, 1e-6),
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"subtype": "ULAW"}, 2e-2),
        ("a.flac", {}, 1e-4),
        ("a.aiff", {}, 1e-4),
        ("a.ogg", {}, 5e-2),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 5e-2),
        ("a.mp3", {}, 5e-2),
    ],
)
def test_the_same_samples_come_out_of_every_format(tmp_path, name, options, tolerance):
    written = tone()
    path = write_sound(tmp_path / name, written, **options)
    samples = read_sound(path, rate=RATE)
    assert samples.dtype == np.float32
    assert samples.shape == written.shape
    np.testing.assert_allclose(samples[500:7500], written[500:7500], atol=tolerance)
    facts = sound_facts(path)
    assert (facts.seconds, facts.rate, facts.channels, facts.full) == (0.5, RATE, 1, 0)
    assert facts.peak == pytest.approx(0.4, abs=max(4 * tolerance, 1e-3))
    assert path.suffix in SOUND_SUFFIXES


def test_a_name_says_nothing_about_the_content(tmp_path):
    path = write_sound(tmp_path / "really.wav", tone(), format="FLAC")
    assert (sound_facts(path).format, sound_facts(path).subtype) == ("FLAC", "PCM_16")
    np.testing.assert_allclose(read_sound(path, rate=RATE), tone(), atol=1e-4)


def test_channels_are_averaged(tmp_path):
    left, right = tone(440), tone(2000)
    for item in both(write_sound(tmp_path / "stereo.wav", np.stack([left, right], axis=1), subtype="FLOAT")):
        np.testing.assert_allclose(read_sound(item, rate=RATE), (left + right) / 2, atol=1e-6)
        assert sound_facts(item).channels == 2
        assert sound_facts(item).conversions() == ("2 channels averaged to one",)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100])
def test_another_rate_is_resampled_and_keeps_length_pitch_and_level(tmp_path, rate):
    for item in both(write_sound(tmp_path / "a.flac", tone(1000, rate=rate), rate)):
        samples = read_sound(item, rate=RATE)
        assert len(samples) == RATE // 2
        assert samples.dtype == np.float32
        assert spectrum_peak(samples, RATE) == pytest.approx(1000, abs=3)
        middle = samples[1000:-1000]
        np.testing.assert_allclose(middle, tone(1000)[1000:-1000], atol=2e-3)


def test_what_the_new_rate_cannot_hold_is_gone_and_not_folded_down(tmp_path):
    path = write_sound(tmp_path / "a.wav", tone(12_000, rate=44_100), 44_100)
    samples = read_sound(path, rate=RATE)
    assert np.abs(samples[1000:-1000]).max() < 1e-3


def test_conversions_name_both_rates_and_what_is_not_there():
    low, high = Sound(noise(rate=8000), 8000), Sound(noise(rate=44_100), 44_100)
    assert sound_facts(low).conversions() == (
        "8000 Hz resampled to the 16000 Hz that networks take, nothing above 4000 Hz is there",
    )
    assert sound_facts(high).conversions() == (
        "44100 Hz resampled to the 16000 Hz that networks take, nothing above 8000 Hz is kept",
    )
    assert sound_facts(high).conversions(rate=48_000)[0].endswith("nothing above 22050 Hz is there")
    assert sound_facts(Sound(noise(), RATE)).conversions() == ()


def test_a_long_file_is_read_in_blocks_to_the_same_samples(tmp_path):
    written = np.stack([noise(20, seed=1), noise(20, seed=2)], axis=1)
    path = write_sound(tmp_path / "long.wav", written, subtype="FLOAT")
    np.testing.assert_allclose(read_sound(path, rate=RATE), written.mean(axis=1), atol=1e-7)
    for rate in (8000, 11_025, 44_100):
        whole = soxr.resample(written.mean(axis=1, dtype=np.float32), RATE, rate, quality="HQ")
        np.testing.assert_array_equal(read_sound(path, rate=rate), whole)
    assert sound_facts(path).seconds == 20
    assert sound_facts(path).peak == pytest.approx(np.abs(written.mean(axis=1)).max(), abs=1e-6)


def test_facts_of_a_long_file_take_no_more_memory_than_a_few_blocks(tmp_path):
    path = write_sound(tmp_path / "long.flac", np.zeros(200 * RATE, np.float32))
    tracemalloc.start()
    assert sound_facts(path).seconds == 200
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6  # the samples are 12.8 megabytes


def test_reading_takes_the_memory_of_the_samples_it_gives_and_not_of_the_file(tmp_path):
    rate = 192_000
    path = write_sound(tmp_path / "long.flac", np.zeros((60 * rate, 2), np.float32), rate)
    tracemalloc.start()
    assert len(read_sound(path, rate=RATE)) == 60 * RATE
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 14e6  # 3.8 megabytes at the new rate; one channel at the old one is 46


@pytest.mark.parametrize(("subtype", "step"), [("PCM_16", 2**-15), ("PCM_U8", 2**-7), ("ULAW", 2**-6), ("FLOAT", 0)])
def test_samples_at_full_scale_are_counted(tmp_path, subtype, step):
    loud = np.clip(3 * tone(100, level=1), -1, 1 - step)
    facts = sound_facts(write_sound(tmp_path / "a.wav", loud, subtype=subtype))
    assert facts.full == pytest.approx((np.abs(loud) >= 1 - step).mean(), abs=0.02)
    quiet = sound_facts(write_sound(tmp_path / "b.wav", tone(100, level=0.9), subtype=subtype))
    assert quiet.full == 0


def test_blocks_are_what_reading_gives_at_once(tmp_path):
    for item in both(write_sound(tmp_path / "a.flac", noise(12, rate=44_100), 44_100)):
        blocks = list(sound_blocks(item, rate=RATE))
        assert len(blocks) > 3
        assert np.array_equal(np.concatenate(blocks), read_sound(item, rate=RATE))
        assert sound_rate(item) == 44_100


def test_the_swing_leaves_a_constant_out():
    facts = sound_facts(Sound(np.float32(0.25) + tone(level=0.125), RATE))
    assert (facts.peak, facts.swing) == (pytest.approx(0.375, abs=1e-3), pytest.approx(0.125, abs=1e-3))
    assert sound_facts(Sound(np.full(9000, -0.5, np.float32), RATE)).swing == 0
    assert sound_facts(Sound(np.full(9000, -0.5, np.float32), RATE)).peak == 0.5


def test_channels_that_cancel_out_leave_no_peak():
    facts = sound_facts(Sound(np.stack([tone(), -tone()], axis=1), RATE))
    assert facts.peak == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path, bad):
    samples = tone()
    samples[7000] = bad
    for item in both(write_sound(tmp_path / "a.wav", samples, subtype="FLOAT")):
        for read in (sound_facts, lambda item: read_sound(item, rate=RATE)):
            with pytest.raises(DataError, match="expected finite samples, found NaN or infinity. Replace"):
                read(item)


def test_nothing_and_next_to_nothing_are_refused(tmp_path):
    for item in both(write_sound(tmp_path / "none.wav", np.zeros(0, np.float32))):
        with pytest.raises(DataError, match="expected a sound, found one of length zero"):
            read_sound(item, rate=RATE)
    for item in both(write_sound(tmp_path / "click.wav", tone()[:399])):
        with pytest.raises(DataError, match=r"expected at least 25 ms of sound, found 24.9 ms \(399 samples\)"):
            sound_facts(item)
    assert sound_facts(write_sound(tmp_path / "frame.wav", tone()[:400])).seconds == 0.025


def file_of(path, content: bytes):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.wav", b"", r"empty.wav: expected a sound, found an empty file \(0 bytes\). Replace"),
        ("text.wav", b"hello, this is a text\n" * 9, r"expected a sound \(WAV, .*\), found a file of another kind"),
        ("text.mp3", b"hello, this is a text\n" * 99, "found a file of another kind"),
        ("text.raw", b"hello, this is a text\n" * 99, "found a file of another kind"),
        (
            "head.wav",
            b"RIFF\x24\xfa\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0",
            "expected a sound, found a broken one: ",
        ),
        (
            "a.m4a",
            b"\0\0\0\x20ftypM4A " + bytes(100),
            r"one of a kind that is not read \(.m4a\). Convert it: ffmpeg -i",
        ),
        ("a.wma", b"0&\xb2u\x8ef\xcf\x11" * 20, r"not read \(.wma\). Convert it: ffmpeg -i a.wma a.wav"),
    ],
)
def test_a_file_that_is_no_sound_is_named_with_what_to_do(tmp_path, name, content, message):
    path = file_of(tmp_path / name, content)
    for read in (sound_facts, lambda item: read_sound(item, rate=RATE)):
        with pytest.raises(DataError, match=message) as caught:
            read(path)
        assert caught.value.where == str(path)


def test_a_file_that_is_missing_or_a_folder_is_said_in_the_words_of_the_system(tmp_path):
    with pytest.raises(DataError, match="no.wav: expected a sound, found no such file or directory. Check the path"):
        read_sound(tmp_path / "no.wav", rate=RATE)
    with pytest.raises(DataError, match="found is a directory"):
        sound_facts(tmp_path)


@pytest.mark.parametrize("name", ["a.flac", "a.wav", "a.aiff", "a.au", "a.caf", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_file_that_was_cut_off_is_refused(tmp_path, name, share):
    whole = write_sound(tmp_path / name, noise(5)).read_bytes()
    path = file_of(tmp_path / name, whole[: int(share * len(whole))])
    for read in (sound_facts, lambda item: read_sound(item, rate=RATE)):
        with pytest.raises(DataError, match=r"expected a (whole )?sound, found (one cut off|a broken one): .* Replace"):
            read(path)


def test_of_an_mp3_that_was_cut_off_nothing_is_said_but_the_error(tmp_path, capfd):
    whole = write_sound(tmp_path / "a.mp3", noise(5)).read_bytes()
    with pytest.raises(DataError, match="found one cut off"):
        sound_facts(file_of(tmp_path / "a.mp3", whole[: len(whole) // 2]))
    assert capfd.readouterr().err == ""


def test_a_damaged_flac_and_one_that_ends_early_are_refused(tmp_path):
    whole = bytearray(write_sound(tmp_path / "a.flac", noise(20)).read_bytes())
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 300] = bytes(300)
    with pytest.raises(DataError, match="found a broken one: it ends early or is damaged. Replace"):
        sound_facts(file_of(tmp_path / "damaged.flac", bytes(damaged)))
    with pytest.raises(DataError, match="found a broken one: it ends early or is damaged. Replace"):
        sound_facts(file_of(tmp_path / "half.flac", bytes(whole[: len(whole) // 2])))
    longer = bytearray(whole)
    longer[21:26] = (longer[21] & 0xF0).to_bytes(1) + (20 * RATE + 5000).to_bytes(4)  # the number of samples
    with pytest.raises(DataError, match=r"found one cut off: 320000 of 325000 samples|it ends early or is damaged"):
        sound_facts(file_of(tmp_path / "longer.flac", bytes(longer)))


def test_a_flac_that_does_not_state_its_length_is_refused_with_the_way_out(tmp_path):
    data = bytearray(write_sound(tmp_path / "a.flac", tone()).read_bytes())
    data[21:26] = (data[21] & 0xF0).to_bytes(1) + bytes(4)
    with pytest.raises(DataError, match="does not state its length. Write it again: ffmpeg -i a.flac a-2.flac"):
        sound_facts(file_of(tmp_path / "a.flac", bytes(data)))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Sound(tone(), 100), "expected 1,000 to 768,000 samples per second, found 100. Replace"),
        (Sound(tone(), 0), "expected 1,000 to 768,000 samples per second, found 0"),
        (Sound((tone() * 32767).astype(np.int16), RATE), "expected samples as floats.* found int16. Divide"),
        (Sound(np.zeros((2, 8000), np.float32), RATE), r"\(N, C\) .* found shape \(2, 8000\). Put the channels last"),
        (Sound(np.zeros((2, 80, 2), np.float32), RATE), r"found shape \(2, 80, 2\)"),
        (Sound(np.zeros((8000, 0), np.float32), RATE), r"found shape \(8000, 0\)"),
        (tone(), r"expected a path or a Sound, found ndarray. Wrap an array in headstart.data.Sound\(samples, rate\)"),
        ("a.wav", "expected a path or a Sound, found str"),
    ],
)
def test_what_in_memory_is_no_sound_is_refused(item, message):
    for read in (sound_facts, lambda item: read_sound(item, rate=RATE)):
        with pytest.raises(DataError, match=message):
            read(item)


def test_a_file_with_an_absurd_rate_is_refused_before_it_grows(tmp_path):
    path = write_sound(tmp_path / "slow.wav", tone(), 50)
    with pytest.raises(DataError, match="slow.wav: expected 1,000 to 768,000 samples per second, found 50"):
        read_sound(path, rate=RATE)


def test_doubles_in_memory_are_taken_and_nothing_is_changed():
    samples = tone().astype(np.float64)
    kept = samples.copy()
    read = read_sound(Sound(samples, RATE), rate=RATE)
    assert read.dtype == np.float32
    read[:] = 0
    np.testing.assert_array_equal(samples, kept)


def test_reading_never_hands_out_the_callers_own_array():
    samples = tone()
    read_sound(Sound(samples, RATE), rate=RATE)[:] = 0
    assert samples.any()


def test_the_hash_of_a_sound_is_of_its_samples_and_its_rate():
    one = hash_item(Sound(tone(), RATE))
    assert one == hash_item(Sound(tone().copy(), RATE))
    assert one != hash_item(Sound(tone(), 8000))
    assert one != hash_item(Sound(tone()[:, None], RATE))
    assert one != hash_item(tone())
