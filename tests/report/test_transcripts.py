"""The page of transcripts: sounds that play, everything escaped, every error said, nothing from elsewhere."""

import io
import json
import re
import wave
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from headstart.data import Sound
from headstart.errors import DataError, MissingExtraError, OptionError
from headstart.report import HeardRecording, KeptClip, beginning, worst_clips, write_transcripts
from headstart.report import _transcripts as page_module
from headstart.report._clips import spectrogram_bytes, wav_bytes
from headstart.report._transcripts import clip_lines
from headstart.tasks import Heard, character_numbers
from tests.data.sounds import noise, tone

RATE, FRAME = 16_000, 0.04


def heard(text: str, seconds: float, *, characters: str = "", start: float = 0.2) -> Heard:
    """A model that is nearly sure of a text from some second on, a character every 80 ms."""
    known = tuple(sorted(set(text + characters + " ")))
    p = np.full((round(seconds / FRAME), 1 + len(known)), 0.01, dtype=np.float32)
    p[:, 0] = 1.0
    for place, number in enumerate(character_numbers(text, known)):
        p[round(start / FRAME) + 2 * place] = 0.01
        p[round(start / FRAME) + 2 * place, number] = 1.0
    return Heard(p / p.sum(axis=1, keepdims=True), text, known)


def recording(said: str, told: str, *, seconds: float = 2.0, name: str = "r.wav", **more) -> HeardRecording:
    samples = noise(seconds, seed=len(said))
    start = more.pop("start", 0.2)
    return HeardRecording(name, Sound(samples, RATE), said, heard(told, seconds, start=start), **more)


class Reader(HTMLParser):
    """All tags, and the cells of every pair of words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag]


def page(tmp_path: Path, recordings, **more) -> str:
    write_transcripts(recordings, tmp_path / "t.html", title="<b>Title</b>", **more)
    return (tmp_path / "t.html").read_text(encoding="utf-8")


def pairs(written: str) -> list[tuple[str, str, str]]:
    """What was said, what was heard, and what is said of it, of every pair of words."""
    return re.findall(r'<span[^>]*title="[^"]*"><b>(.*?)</b><b>(.*?)</b><small dir="ltr">(.*?)</small>', written)


def test_a_clip_is_a_sound_of_sixteen_bits():
    samples = np.array([0, 0.5, -2, 1], dtype=np.float32)
    with wave.open(io.BytesIO(wav_bytes(samples, 8000))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 16384, -32767, 32767]


def test_a_spectrogram_is_dark_where_the_sound_is():
    samples = np.concatenate([tone(1000, seconds=1), np.zeros(RATE, np.float32)])
    image = np.asarray(Image.open(io.BytesIO(spectrogram_bytes(samples, RATE))).convert("L"), dtype=float)
    height, width = image.shape
    early, late = image[:, : width // 2 - 20], image[:, width // 2 + 20 :]
    darkest = early.mean(axis=1).argmin()
    assert (height - darkest) / height == pytest.approx(1000 / 8000, abs=0.03)
    assert late.mean() > 230


def test_sounds_and_pictures_are_in_the_page_and_nothing_runs(tmp_path):
    nasty = '<script>alert(1)</script> "x" & O\'Neil <img>'
    one = recording(nasty, "x <u> y", name='a "b" <i>.wav', group="<s>")
    other = recording("x", "x", group="b")
    written = page(tmp_path, [one, other], facts=["1 < 2"])
    read = Reader(written)
    assert not {"script", "link", "iframe", "object", "a", "u", "s"} & {tag for tag, _ in read.tags}
    assert not any(name.startswith("on") or name == "href" for _, found in read.tags for name in found)
    sources = [str(found["src"]).split(",")[0] for _, found in read.tags if "src" in found]
    assert sources == ["data:audio/wav;base64", "data:image/png;base64"] * 2
    assert "url(" not in written
    assert "1 &lt; 2" in written
    assert all(word in "".join(read.text) for word in nasty.split())
    with wave.open(io.BytesIO(b64decode(str(read.of("audio")[0]["src"]).split(",")[1]))) as file:
        assert file.getnframes() == 2 * RATE


def test_every_error_is_said_in_words_at_its_time(tmp_path):
    written = page(tmp_path, [recording("one two c d e f", "one too d e f g", group="ann")])
    assert pairs(written) == [
        ("one", "one", "0.20–0.40"),
        ("two", "too", "0.52–0.72"),
        ("c", "–", "left out"),
        ("d", "d", "0.84–0.88"),
        ("e", "e", "1.00–1.04"),
        ("f", "f", "1.16–1.20"),
        ("–", "g", "1.32–1.36 put in"),
    ]
    titles = [str(found["title"]) for found in Reader(written).of("span") if "title" in found]
    assert any(re.fullmatch(r"substituted: said “two”, heard “too”, probability 0\.\d+", title) for title in titles)
    assert "left out: said “c”" in titles
    assert any(title.startswith("put in: heard “g”, probability") for title in titles)
    assert "<bdi>r.wav (ann)</bdi>: 3 errors in 6 words" in written
    assert "4 words right, 1 substituted, 1 left out, 1 put in." in written
    assert sum("wrong" in str(found.get("class")) for found in Reader(written).of("i")) == 2  # those that were heard


def test_words_stand_above_the_picture_at_their_times(tmp_path):
    written = page(tmp_path, [recording("ab ba", "ab ba")])
    bars = [str(found["style"]) for found in Reader(written).of("i")]
    assert bars == ["left:10.00%;width:6.00%", "left:22.00%;width:6.00%"]
    ticks = re.findall(r'<span style="left:([\d.]+)%">([\d.]+) s</span>', written)
    assert ticks == [("0.00", "0"), ("25.00", "0.5"), ("50.00", "1"), ("75.00", "1.5")]


def test_errors_are_counted_by_word_and_by_speaker(tmp_path):
    group = {"a": ("one one two", "one on two"), "b": ("two", "two one"), "c": ("one", "one")}
    recordings = [recording(said, told, group=name, name=name) for name, (said, told) in group.items()]
    written = page(tmp_path, recordings)
    assert '<tr><td><bdi>one</bdi><td>3<td>0<td>1<td>1<td class="left"><bdi>on</bdi> 1' in written
    assert "<bdi>two</bdi><td>2" not in written  # always right
    rows = re.findall(r"<tr><td><bdi>(\w)</bdi><td>(\d)<td>(\d)<td>(\d)<td>([\d.]+)", written)
    assert rows == [("b", "1", "1", "1", "1.000"), ("a", "1", "3", "1", "0.333"), ("c", "1", "1", "0", "0.000")]
    assert "Errors by group" not in page(tmp_path, recordings[:1])


def test_most_errors_come_first_and_then_some_that_stand_for_all(tmp_path):
    bad = [recording("a " * k + "b", "b", name=f"bad{k:02d}", seconds=1.0) for k in range(1, 15)]
    good = [recording("b", "b", name=f"good{k:03d}", seconds=0.5) for k in range(100)]
    written = page(tmp_path, [*good, *bad])
    heads = re.findall(r"<h3><bdi>(\w+)</bdi>: (.*?)</h3>", written)
    assert [name for name, _ in heads[:12]] == [f"bad{k:02d}" for k in range(14, 2, -1)]
    assert heads[0][1] == "14 errors in 15 words"
    assert len(heads) == 20
    assert heads[-1][1] == "no error"
    assert "12 of 114 recordings" in written
    assert "8 of the others" in written


def test_of_a_long_recording_the_part_with_most_errors_is_played(tmp_path):
    long = recording("a b c d e f", "a b x y e f", seconds=100.0, start=50.0)
    written = page(tmp_path, [long])
    assert "2 errors in 6 words; seconds 50.0 to 80.0 of 100.0" in written
    assert [said for said, *_ in pairs(written)] == ["b", "c", "d", "e", "f"]
    assert pairs(written)[1] == ("c", "x", "50.32–50.36")
    with wave.open(io.BytesIO(b64decode(str(Reader(written).of("audio")[0]["src"]).split(",")[1]))) as file:
        assert file.getnframes() == 30 * RATE


def test_the_page_stays_small(tmp_path, monkeypatch):
    many = [recording(f"a{k}", "a", seconds=40.0, name=f"r{k}") for k in range(14)]
    written = page(tmp_path, many)
    assert len(written) <= page_module.MOST_BYTES + 50_000
    assert written.count("of 40.0</h3>") >= 12
    monkeypatch.setattr(page_module, "MOST_BYTES", 1_000_000)
    assert 0 < page(tmp_path, many).count("<article>") < 4


def test_a_recording_is_not_played_at_a_higher_rate_than_its_own(tmp_path):
    low = HeardRecording("low", Sound(noise(1.0, rate=8000), 8000), "a", heard("a", 1.0))
    written = page(tmp_path, [low])
    with wave.open(io.BytesIO(b64decode(str(Reader(written).of("audio")[0]["src"]).split(",")[1]))) as file:
        assert file.getframerate() == 8000
    assert 'alt="spectrogram, 0 to 4 kHz"' in written


def test_silence_no_recording_and_other_scripts_are_no_obstacle(tmp_path):
    silent = HeardRecording("silent", Sound(np.zeros(RATE, np.float32), RATE), "", heard("", 1.0))
    assert ": no error</h3>" in page(tmp_path, [silent])
    assert page(tmp_path, []).count("None.") == 2
    written = page(tmp_path, [recording("שלום", "שלו", seconds=1.0)])
    assert pairs(written)[0][:2] == ("שלום", "שלו")
    assert 'class="said" dir="auto"' in written


def test_without_matplotlib_there_are_sounds_all_the_same(tmp_path, monkeypatch):
    def missing(*_: object) -> bytes:
        raise MissingExtraError("pictures need matplotlib")

    monkeypatch.setattr(page_module, "spectrogram_bytes", missing)
    written = page(tmp_path, [recording("a", "a")])
    assert "No spectrogram: pictures need matplotlib" in written
    assert "data:audio/wav" in written


def test_a_page_that_cannot_be_written_is_one_error(tmp_path):
    with pytest.raises(OptionError, match=r"gone.t\.html: the page cannot be written .* Choose another place"):
        write_transcripts([], tmp_path / "gone" / "t.html", title="T")
    gone = HeardRecording("gone", tmp_path / "gone.wav", "a", heard("a", 1.0))
    with pytest.raises(DataError, match=r"gone\.wav"):
        write_transcripts([gone], tmp_path / "t.html", title="T")


def test_the_beginning_of_a_recording_is_read_and_no_more():
    samples, rate = beginning(Sound(noise(3.0), RATE), 1.25)
    assert (len(samples), rate) == (20_000, RATE)
    assert beginning(Sound(noise(3.0, rate=8000), 8000), 1.0)[1] == 8000


def test_a_clip_that_was_kept_gives_the_same_lines():
    said = recording("one two three", "one too three", name="<b>")
    (clip,) = worst_clips([recording("a b", "a b"), said], most=3, seconds=10)
    again = KeptClip.from_dict(json.loads(json.dumps(clip.to_dict())))
    assert again == clip
    lines = "".join(clip_lines(again))
    assert "&lt;b&gt;" in lines
    assert "1 error in 3 words" in lines


def test_where_nothing_is_wrong_the_first_recordings_stand_for_all():
    assert len(worst_clips([recording("a b", "a b")] * 3, most=2, seconds=10)) == 2
