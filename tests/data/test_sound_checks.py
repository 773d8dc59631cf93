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
    assert kinds(inspection) == [("several-rates", "warning"), *[("low-rate", "info")], *[("conversion", "info")] * 2]
    several, low, stereo, high = inspection.findings
    assert several.found == "3 sampling rates: 16000 Hz 24, 8000 Hz 3, 44100 Hz 1"
    assert low.found == "8000 Hz resampled to the 16000 Hz that networks take, nothing above 4000 Hz is there: 3 sounds"
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
