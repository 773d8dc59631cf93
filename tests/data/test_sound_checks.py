import numpy as np
import pytest

from headstart.data import inspect, load
from headstart.errors import DataError
from tests.data.sounds import RATE, noise, tone, write_classes, write_sound


def kinds(inspection) -> list[tuple[str, str]]:
    return [(finding.kind, finding.severity) for finding in inspection.findings]


def found_by_kind(inspection) -> dict[str, object]:
    return {finding.kind: finding for finding in inspection.findings}


def test_good_sounds_have_a_summary_and_no_findings(tmp_path):
    inspection = inspect(write_classes(tmp_path / "calls", {"owl": 12, "wren": 13}))
    assert (inspection.task, inspection.n) == ("audio-classification", 25)
    assert inspection.findings == ()
    assert inspection.notes == ("Task: audio classification, 2 classes (folder names).",)
    assert inspection.summary == {
        "seconds": {"min": 0.1, "median": 0.1, "max": 0.1},
        "total_minutes": 0.04,
        "rates": {"16000 Hz": 25},
        "channels": {"1": 25},
        "formats": {"WAV PCM_16": 25},
    }


def test_every_sound_that_cannot_be_used_is_an_error_of_its_own(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    (root / "owl" / "a-text.wav").write_text("not a sound, but some lines of text\n" * 5)
    write_sound(root / "owl" / "b-none.wav", np.zeros(0, np.float32))
    write_sound(root / "owl" / "c-short.wav", noise(0.02))
    write_sound(root / "wren" / "d-nan.wav", np.full(8000, np.nan, np.float32), subtype="FLOAT")
    whole = write_sound(root / "wren" / "e-cut.wav", noise()).read_bytes()
    (root / "wren" / "e-cut.wav").write_bytes(whole[:5000])
    (root / "wren" / "f-phone.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    inspection = inspect(root)
    assert inspection.n == 24
    assert kinds(inspection) == [("unreadable", "error")] * 6
    told = {finding.where: finding.found for finding in inspection.findings}
    assert told == {
        "owl/a-text.wav": "expected a sound (WAV, FLAC, Ogg, MP3, AIFF), found a file of another kind",
        "owl/b-none.wav": "expected a sound, found one of length zero (no samples)",
        "owl/c-short.wav": "expected at least 25 ms of sound, found 20.0 ms (320 samples)",
        "wren/d-nan.wav": "expected finite samples, found NaN or infinity",
        "wren/e-cut.wav": "expected a whole sound, found one cut off: 4,956 of 16,000 bytes of samples are there",
        "wren/f-phone.m4a": "expected a sound (WAV, FLAC, Ogg, MP3, AIFF), found one of a kind that is not read (.m4a)",
    }
    with pytest.raises(DataError, match=r"owl/a-text.wav: .* \(the first of 6 faults\)\. Run `headstart check"):
        load(root)
    kept = load(root, on_error="skip")
    assert len(kept) == 24
    assert [left.place for left in kept.left_out] == list(told)


def test_silent_and_clipped_sounds_are_warned_of_and_kept(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    write_sound(root / "owl" / "silent.wav", np.zeros(8000, np.float32))
    write_sound(root / "owl" / "still.wav", tone(level=0.00009), subtype="PCM_24")
    write_sound(root / "owl" / "soft.wav", tone(level=0.0002), subtype="PCM_24")
    write_sound(root / "wren" / "opposed.wav", np.stack([tone(), -tone()], axis=1))
    write_sound(root / "wren" / "loud.wav", np.clip(tone(level=1.5), -1, 1))
    inspection = inspect(root)
    assert inspection.n == 29
    warned = [(f.kind, f.where, f.found) for f in inspection.findings if f.severity == "warning"]
    assert warned == [
        ("silent", "owl/silent.wav", "silent (below -80 dB of full scale): 2 sounds"),
        ("clipped", "wren/loud.wav", "clipped (over 0.1% of the samples at full scale): 1 sound"),
        ("silent", "wren/opposed.wav", "silent after averaging its channels (below -80 dB of full scale): 1 sound"),
    ]
    assert "Warning: silent (below -80 dB of full scale): 2 (first: owl/silent.wav)." in load(root).notes


def test_a_single_full_sample_is_not_clipping(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    peak = noise()
    peak[100] = 1
    write_sound(root / "owl" / "peak.wav", peak)
    assert inspect(root).findings == ()


def test_rates_and_channels_are_said_as_findings_and_as_notes(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    for i in range(3):
        write_sound(root / "owl" / f"phone-{i}.wav", noise(rate=8000, seed=50 + i), 8000)
    write_sound(root / "wren" / "studio.flac", noise(rate=44_100, seed=60).repeat(2).reshape(-1, 2), 44_100)
    inspection = inspect(root)
    assert kinds(inspection) == [
        ("several-rates", "warning"), ("low-rate", "warning"), *[("conversion", "info")] * 2
    ]  # fmt: skip
    several, low, stereo, high = inspection.findings
    assert several.found == "3 sampling rates: 16000 Hz 24, 8000 Hz 3, 44100 Hz 1"
    assert low.found == (
        "3 of 28 sounds have a lower rate than the 16000 Hz that networks take: 8000 Hz 3 "
        "(owl/phone-0.wav, owl/phone-1.wav, owl/phone-2.wav); nothing above half of their rate is heard in them, and a "
        "model fitted on sounds of higher rates is more often wrong about them"
    )
    assert low.fix.startswith("Use originals at 16000 Hz or more, if there are any; converting brings nothing back.")
    assert (low.where, stereo.where) == ("owl/phone-0.wav", "wren/studio.flac")
    assert stereo.found == "2 channels averaged to one: 1 sound"
    assert "44100 Hz resampled to the 16000 Hz that networks take, nothing above 8000 Hz is kept" in high.found
    assert load(root).notes[1:] == (
        "Converted: 8000 Hz resampled to the 16000 Hz that networks take, nothing above 4000 Hz is there: 3 "
        "(first: owl/phone-0.wav).",
        "Converted: 2 channels averaged to one: 1 (first: wren/studio.flac).",
        "Converted: 44100 Hz resampled to the 16000 Hz that networks take, nothing above 8000 Hz is kept: 1 "
        "(first: wren/studio.flac).",
    )


def test_low_rates_are_one_finding_however_many_there_are(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    for i in range(20):
        write_sound(root / "owl" / f"low-{i:02}.wav", noise(rate=4000 + i // 2, seed=50 + i), 4000 + i // 2)
    (low,) = [finding for finding in inspect(root).findings if finding.kind == "low-rate"]
    assert low.found.startswith("20 of 44 sounds have a lower rate than")
    assert "4000 Hz 2, 4001 Hz 2, 4002 Hz 2, 4003 Hz 2, 4004 Hz 2, 4005 Hz 2, ... (owl/low-00.wav, " in low.found
    assert "owl/low-02.wav, ...); nothing" in low.found


def test_a_set_of_one_low_rate_is_told_so_in_one_line(tmp_path):
    root = tmp_path / "calls"
    for i in range(24):
        write_sound(root / ("owl", "wren")[i % 2] / f"{i}.wav", noise(rate=8000, seed=i), 8000)
    (low,) = inspect(root).findings
    assert (low.kind, low.severity, low.where) == ("low-rate", "warning", "owl/0.wav")
    assert low.found == "all 24 sounds are at 8000 Hz: nothing above 4000 Hz is heard, in training or later"
    assert "record new sounds the same way, at 8000 Hz" in low.fix
    write_sound(root / "owl" / "lower.wav", noise(rate=6000), 6000)
    found = found_by_kind(inspect(root))
    assert found["low-rate"].found.startswith("25 of 25 sounds have a lower rate than the 16000 Hz that networks take")
    assert "several-rates" in found


def test_a_constant_is_silent_and_a_sound_beside_it_is_not(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    write_sound(root / "owl" / "constant.wav", np.full(8000, 0.3, np.float32))
    write_sound(root / "owl" / "minus.flac", np.full(8000, -0.3, np.float32))
    write_sound(root / "owl" / "hum.wav", 0.3 + tone(level=0.00009), subtype="PCM_24")
    write_sound(root / "owl" / "heard.wav", 0.3 + tone(level=0.01))
    write_sound(root / "wren" / "opposed.wav", np.stack([0.3 + tone(), 0.3 - tone()], axis=1))
    warned = [(f.kind, f.where, f.found) for f in inspect(root).findings if f.severity == "warning"]
    alone = "but for a constant, which nobody hears"
    assert warned == [
        ("silent", "owl/constant.wav", f"silent {alone} (below -80 dB of full scale): 3 sounds"),
        (
            "silent",
            "wren/opposed.wav",
            f"silent {alone} after averaging its channels (below -80 dB of full scale): 1 sound",
        ),
    ]


def long_ones(root, seconds: dict[str, float]):
    write_classes(root, {"owl": 12, "wren": 12})
    for name, each in seconds.items():
        write_sound(root / "owl" / name, noise(each, rate=2000), 2000)
    return [finding for finding in inspect(root).findings if finding.kind == "long-recordings"]


def test_recordings_that_are_averaged_over_minutes_are_warned_of(tmp_path):
    assert long_ones(tmp_path / "a", {"long.wav": 60}) == []
    (found,) = long_ones(tmp_path / "b", {"a.wav": 61, "b.wav": 150, "c.wav": 59})
    assert (found.severity, found.where) == ("warning", "owl/a.wav")
    assert found.found.startswith("longer than 60 s: 2 sounds, up to 2.5 minutes; all frames")
    assert "ffmpeg -i LONG.wav -f segment" in found.fix


def test_long_recordings_may_be_transcribed(tmp_path):
    write_sound(tmp_path / "long.wav", noise(61, rate=2000), 2000)
    (tmp_path / "long.txt").write_text("a long speech")
    inspection = inspect(tmp_path)
    assert inspection.task == "audio-transcription"
    assert "long-recordings" not in found_by_kind(inspection)


def test_many_rates_are_cut_short(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    for i in range(8):
        write_sound(root / "owl" / f"{i}-other.wav", noise(rate=20_000 + i, seed=i), 20_000 + i)
    several = found_by_kind(inspect(root))["several-rates"]
    assert several.found.startswith("9 sampling rates: 16000 Hz 24, ")
    assert several.found.endswith("1, ...")


def test_copies_with_two_labels_are_found_by_content(tmp_path):
    root = write_classes(tmp_path / "calls", {"owl": 12, "wren": 12})
    (root / "owl" / "twice.wav").write_bytes((root / "owl" / "0.wav").read_bytes())
    (root / "wren" / "other.wav").write_bytes((root / "owl" / "1.wav").read_bytes())
    found = found_by_kind(inspect(root))
    assert found["copies"].found == "items that occur more than once: 1 (1 exact copies)"
    assert found["conflicting-copies"].where == "owl/1.wav, wren/other.wav"


def test_real_sets_are_described_as_they_are(shared):
    inspection = inspect(shared / "data" / "audio" / "arabic-commands")
    assert (inspection.task, inspection.n, len(inspection.classes)) == ("audio-classification", 450, 15)
    assert inspection.findings == ()
    assert inspection.summary["rates"] == {f"{RATE} Hz": 450}
