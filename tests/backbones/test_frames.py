"""Features of frames: which frames of the network stand for which row, in which window, against plain loops."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.backbones import (
    Backbone,
    augmented,
    frame_backbone,
    frame_places,
    from_scratch,
    load,
    rebuild,
    with_lora,
    word_backbone,
    write_folder,
)
from headstart.data import Sound
from headstart.errors import BackboneError, OptionError
from headstart.runtime import Framing
from headstart.runtime.recordings import cut, cut_overlapping
from tests.backbones import test_transformers_conformer as conformer
from tests.backbones import test_transformers_sounds as whisper
from tests.backbones.layouts import sounds

RATE, STEP = 16_000, 320  # of all networks here: 50 frames a second
WINDOWS = {"toy": 64, "whisper": 50, "whisper in silence": 50, "conformer": 50}  # in frames
# What each network's frames are computed from: samples at least, and samples beyond the last frame's own.
NEEDS = {"toy": (1, 0), "whisper": (400, 0), "whisper in silence": (400, 0), "conformer": (560, 240)}


@pytest.fixture(scope="module", params=WINDOWS)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plain(family: str, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = tmp_path_factory.mktemp("networks") / "net"
    if family == "toy":
        return load("toy:audio")
    if family == "conformer":
        return load(f"dir:{conformer.tiny(folder, positions='relative_key')}")
    return load(f"dir:{whisper.tiny(folder, pad='window' if family == 'whisper in silence' else 'none')}")


def noise(size: int, *, seed: int = 0) -> Sound:
    return Sound((0.2 * np.random.default_rng(seed).standard_normal(size)).astype(np.float32), RATE)


def features(backbone: Backbone, items: list[Any]) -> torch.Tensor:
    with torch.no_grad():
        return backbone.forward(backbone.prepare(items))


def windows_by_hand(frames: int, window: int, joined: int) -> list[tuple[int, int]]:
    """First frame and the one after the last: full windows that share two seconds, a quarter of a window at most."""
    stride = (window - min(100, window // 4)) // joined * joined
    found = [(0, min(window, frames))]
    while found[-1][1] < frames:
        start = found[-1][0] + stride
        found.append((start, min(start + window, frames)))
    return found


def answering(first: int, last: int, windows: list[tuple[int, int]]) -> int:
    """The window that holds all of a row and in which it is farthest from where the recording goes on."""
    total, best, chosen = windows[-1][1], -1.0, -1
    for number, (start, end) in enumerate(windows):
        left = first - start if start else math.inf
        right = end - 1 - last if end < total else math.inf
        if start <= first and last < end and min(left, right) > best:
            best, chosen = min(left, right), number
    return chosen


def rows_by_hand(frames: int, joined: int) -> list[tuple[int, int]]:
    """First and last frame of every row; the last row counts where at least half of it is there."""
    rows = [(first, min(first + joined, frames) - 1) for first in range(0, frames, joined)]
    first, last = rows[-1]
    return rows if 2 * (last + 1 - first) >= joined or len(rows) == 1 else rows[:-1]


@given(
    frames=st.integers(1, 900),
    window=st.integers(1, 300),
    rate=st.sampled_from([12.5, 50.0, 100.0]),
    per_second=st.floats(1, 120),
)
def test_every_frame_is_in_one_row_in_order_and_in_the_window_where_it_is_farthest_from_a_cut(
    frames: int, window: int, rate: float, per_second: float
) -> None:
    shared = min(math.ceil(2 * rate), window // 4)
    if per_second < rate / (window - shared):
        with pytest.raises(OptionError, match="expected at least"):
            Framing.of(per_second, rate=rate, window=window)
        return
    framing = Framing.of(per_second, rate=rate, window=window)
    joined = max(1, round(rate / per_second))
    stride = (window - shared) // joined * joined
    assert (framing.joined, framing.stride) == (joined, stride)
    starts = [0]
    while starts[-1] + window < frames:
        starts.append(starts[-1] + stride)
    windows = [(start, min(start + window, frames)) for start in starts]
    places = framing.places([end - start for start, end in windows])
    rows = rows_by_hand(frames, joined)
    expected = []
    for number, (first, last) in enumerate(rows):
        chosen = answering(first, last, windows)
        expected += [(chosen, frame - windows[chosen][0], number) for frame in range(first, last + 1)]
    assert places.tolist() == [list(each) for each in expected]
    assert (np.diff(places[:, 0]) >= 0).all()
    assert abs(len(rows) - frames / joined) <= 1


@given(
    n=st.integers(1, 3000),
    window=st.integers(4, 40),
    step=st.integers(1, 16),
    reach=st.integers(0, 16),
    joined=st.integers(1, 3),
)
def test_windows_overlap_and_are_full_but_for_the_last(n: int, window: int, step: int, reach: int, joined: int) -> None:
    stride = (window - window // 4) // joined * joined
    samples = np.arange(1, n + 1, dtype=np.float32)
    found = cut_overlapping(samples, most=window * step, stride=stride, step=step, reach=reach)
    frames = max(1, math.ceil((n - reach) / step))
    ends = windows_by_hand(frames, window, joined)
    assert [(len(each) - reach) / step for each in found] == [end - start for start, end in ends]
    for each, (start, end) in zip(found, ends, strict=True):
        own = samples[start * step : end * step + reach]
        assert np.array_equal(each[: len(own)], own)
        assert not each[len(own) :].any()
    if len(found) == 1 and n <= window * step:
        assert np.array_equal(found[0], cut(samples, most=window * step, step=step, reach=reach)[0])
    assert all(end - start > window - stride for start, end in ends[1:])


@pytest.mark.parametrize("n", [1, 2, 159, 320, 401])
def test_a_recording_shorter_than_a_frame_is_one(n: int) -> None:
    for least, reach in NEEDS.values():
        (window,) = cut_overlapping(np.ones(n, np.float32), most=16_000, stride=38, step=STEP, least=least, reach=reach)
        places = Framing.of(25, rate=50, window=50).places([(len(window) - reach) // STEP])
        assert places[:, 2].tolist() == [0] * len(places)


def frames_by_hand(plain: Backbone, family: str, samples: np.ndarray, joined: int) -> np.ndarray:
    """Run every window alone and average in numpy, row by row."""
    least, reach = NEEDS[family]
    total = max(1, math.ceil((max(len(samples), least) - reach) / STEP))
    windows = windows_by_hand(total, WINDOWS[family], joined)
    values = []
    for start, end in windows:
        own = samples[start * STEP : end * STEP + reach]
        own = np.pad(own, (0, (end - start) * STEP + reach - len(own)))
        batch = plain.preparer.collate([(plain.preparer.describe(own),)])  # type: ignore[attr-defined]
        with torch.no_grad():
            last = plain.forward_to(batch, plain.cuts[-1]).values
            last = last[..., :16]  # without the mark
            if family.startswith("whisper"):
                last = plain.network.layer_norm(last)
        values.append(last[0].numpy())
    rows = []
    for first, end in rows_by_hand(total, joined):
        chosen = answering(first, end, windows)
        start = windows[chosen][0]
        rows.append(np.mean([values[chosen][frame - start] for frame in range(first, end + 1)], axis=0))
    return np.array(rows)


@pytest.mark.parametrize("joined", [1, 2, 3, 7])
def test_frames_have_the_average_of_the_networks_frames(plain: Backbone, family: str, joined: int) -> None:
    backbone = frame_backbone(plain, 50 / joined)
    assert backbone.frame_seconds == joined * 0.02
    for size in (400, 700, 5000, 15_999, 16_100, 20_480, 40_000, 100_123):
        found = features(backbone, [noise(size)])
        expected = frames_by_hand(plain, family, noise(size).samples, joined)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
        assert abs(len(found) - size / RATE / backbone.frame_seconds) <= 1


def test_neighbours_and_order_do_not_change_frames(plain: Backbone) -> None:
    backbone = frame_backbone(plain, 25)
    items = [*sounds(), noise(50_000), noise(400)]
    alone = [features(backbone, [item]) for item in items]
    together = features(backbone, items)
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)
    back = features(backbone, items[::-1]).split([len(rows) for rows in alone[::-1]])
    torch.testing.assert_close(torch.cat(back[::-1]), together, atol=1e-5, rtol=1e-5)
    views = backbone.forward_views(backbone.prepare(items))
    torch.testing.assert_close(views["last"], together)
    layers = [pooled(backbone, items, cut) for cut in backbone.cuts]
    torch.testing.assert_close(views["mean"], torch.stack(layers).mean(0), atol=1e-6, rtol=1e-5)


def pooled(backbone: Backbone, items: list[Any], cut: str) -> torch.Tensor:
    assert backbone.pool is not None
    return backbone.pool(backbone.forward_to(backbone.prepare(items), cut))


def test_some_rows_of_a_batch_keep_their_frames(plain: Backbone) -> None:
    backbone = frame_backbone(plain, 25)
    items = [noise(size) for size in (400, 9000, 3000, 12_000, 640)]
    rows = [features(backbone, [item]) for item in items]
    batch = backbone.prepare(items)
    for chosen in ([4, 1, 3], [2], [0, 4]):
        part = batch.at(torch.tensor(chosen))
        expected = torch.cat([rows[i] for i in chosen])
        torch.testing.assert_close(backbone.forward(part), expected, atol=1e-5, rtol=1e-5)


def test_a_short_recording_goes_in_as_for_features_of_the_whole(plain: Backbone) -> None:
    framed = frame_backbone(plain, 10)
    (one,), (other,) = plain.preparer.read([noise(9000)]), framed.preparer.read([noise(9000)])
    assert len(other) == 2
    assert np.array_equal(one[0], other[0])
    assert plain.preparer.cost(one) == framed.preparer.cost(other)


def test_features_of_whole_recordings_are_what_they_were(plain: Backbone, family: str) -> None:
    if family == "toy":  # it is part of every store key and of every model folder
        assert plain.preprocessing_hash.startswith("520ad5ab6aba6d3e")
    before = features(plain, sounds())
    framed = frame_backbone(plain, 25)
    features(framed, sounds())
    assert torch.equal(features(plain, sounds()), before)
    assert (plain.frames, plain.frame_seconds, plain.one_row) == (None, None, True)
    assert plain.prepare(sounds()).words is None


def test_where_frames_are_is_told_by_the_windows_at_any_cut(plain: Backbone) -> None:
    backbone = frame_backbone(plain, 25)
    for item in (noise(400), noise(16_500), noise(70_000)):
        *windows, places = backbone.preparer.read([item])[0]
        np.testing.assert_array_equal(frame_places(backbone, windows), places)
        batch = backbone.prepare([item])
        for name in backbone.cuts:
            values = backbone.forward_to(batch, name).values
            lengths = [len(windows[0])] * len(windows) if batch.mask is None else batch.mask.sum(1).tolist()
            stored = [row[:length].numpy() for row, length in zip(values, lengths, strict=True)]
            np.testing.assert_array_equal(frame_places(backbone, stored), places)


def test_what_a_frame_backbone_is(plain: Backbone) -> None:
    backbone = frame_backbone(plain, 25)
    assert (backbone.frames, backbone.frame_seconds, backbone.one_row) == (25.0, 0.04, False)
    assert backbone.pooling_of_words is None
    assert (backbone.name, backbone.cuts, backbone.views) == (plain.name, plain.cuts, plain.views)
    assert backbone.network is plain.network
    assert backbone.weights_hash == plain.weights_hash
    assert backbone.preprocessing_hash != plain.preprocessing_hash
    assert backbone.notes[-1] == "a frame's features are of 40 ms of sound"
    assert not any("a recording's features" in note for note in backbone.notes)
    other = frame_backbone(backbone, 50)
    assert torch.equal(features(other, sounds()), features(frame_backbone(plain, 50), sounds()))
    assert other.preprocessing_hash == frame_backbone(plain, 50).preprocessing_hash != backbone.preprocessing_hash
    assert [note for note in other.notes if "frame's" in note] == ["a frame's features are of 20 ms of sound"]
    assert frame_backbone(plain, 1000).frame_seconds == 0.02, "no network has more frames than it has"


def test_it_is_rebuilt_and_written(plain: Backbone, tmp_path: Path) -> None:
    backbone = frame_backbone(plain, 25)
    expected = features(backbone, sounds())
    again = rebuild(json.loads(json.dumps(dict(backbone.source))), backbone.assets, backbone.network.state_dict())
    write_folder(backbone, tmp_path / "written")
    for other in (again, load(f"dir:{tmp_path / 'written'}")):
        assert torch.equal(features(other, sounds()), expected)
        assert (other.frames, other.preprocessing_hash) == (25.0, backbone.preprocessing_hash)
        assert other.notes[-1] == backbone.notes[-1]


@pytest.mark.parametrize("value", ['"25"', "null", "true", "-1", "1e999"])
def test_a_written_folder_with_another_rate_is_refused(value: str, tmp_path: Path) -> None:
    write_folder(frame_backbone(load("toy:audio"), 25), tmp_path / "written")
    record = tmp_path / "written" / "backbone.json"
    record.write_text(record.read_text().replace('"frames": 25.0', f'"frames": {value}'))
    with pytest.raises(BackboneError, match=r"source.frames is "):
        load(f"dir:{tmp_path / 'written'}")


def test_it_is_truncated_before_and_after_alike(plain: Backbone) -> None:
    after = plain.cuts[1]
    short, other = frame_backbone(plain, 25).truncated(after), frame_backbone(plain.truncated(after), 25)
    assert torch.equal(features(short, sounds()), features(other, sounds()))
    assert (short.name, short.preprocessing_hash) == (other.name, other.preprocessing_hash)
    again = rebuild(short.source, short.assets, short.network.state_dict(), name=short.name)
    assert torch.equal(features(again, sounds()), features(short, sounds()))
    assert (again.frames, again.frame_seconds, again.cuts) == (25.0, 0.04, short.cuts)
    torch.testing.assert_close(features(short, sounds()), pooled(frame_backbone(plain, 25), sounds(), after))


def test_it_is_copied_drawn_anew_adapted_and_augmented(plain: Backbone) -> None:
    backbone = frame_backbone(plain, 25)
    expected = features(backbone, sounds())
    copies = [backbone.copy(after=backbone.cuts[0]), backbone.copy(after=None), backbone.to("cpu")]
    lora = with_lora(backbone, after=backbone.cuts[0], rank=2, alpha=2, seed=0)
    for other in (*copies, lora.backbone, lora.merge()):
        torch.testing.assert_close(features(other, sounds()), expected)
        assert (other.frames, other.frame_seconds) == (25.0, 0.04)
    for other in (from_scratch(backbone, seed=0), augmented(backbone, 1)):
        found = features(other, sounds())
        assert found.shape == expected.shape
        assert not torch.allclose(found, expected)
        assert (other.frames, other.frame_seconds) == (25.0, 0.04)


def test_gradients_reach_the_network_through_every_frame(plain: Backbone) -> None:
    backbone = frame_backbone(plain, 25).copy(after=None)
    backbone.network.requires_grad_(requires_grad=True)
    backbone.forward(backbone.prepare(sounds())).square().sum().backward()
    assert all(bool(p.grad.any()) for p in backbone.blocks[-1].modules[0].parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["toy:image", "toy:text"])
def test_only_recordings_have_frames(name: str) -> None:
    with pytest.raises(BackboneError, match="only recordings have frames, and it reads") as error:
        frame_backbone(load(name), 25)
    assert "starter:audio-small" in error.value.fix
    with pytest.raises(BackboneError, match="no tokenizer"):
        word_backbone(frame_backbone(load("toy:audio"), 25), "mean")


def test_a_network_of_the_users_own_has_no_frames() -> None:
    blocks = [("a", torch.nn.Linear(3, 2))]
    network = Backbone.from_module(blocks, lambda samples: torch.ones(3) * len(samples), modality="audio")
    with pytest.raises(BackboneError, match="does not tell where the frames of a recording are") as error:
        frame_backbone(network, 25)
    assert error.value.fix


def test_a_network_that_does_not_average_its_frames_has_none() -> None:
    toy = load("toy:audio")
    for change in ({"tail": lambda batch: batch.values[:, 0]}, {"pool": lambda batch: batch.values[:, 0]}):
        with pytest.raises(BackboneError, match="does not tell where the frames"):
            frame_backbone(replace(toy, **change), 25)  # type: ignore[arg-type]


@pytest.mark.parametrize("per_second", [0, -1, math.nan, math.inf, 1e-320, 0.5, "25", None])
def test_a_rate_that_no_window_holds_is_refused(per_second: Any) -> None:
    with pytest.raises(OptionError, match=r"expected at least 1.04 frames per second, found ") as error:
        frame_backbone(load("toy:audio"), per_second)
    assert error.value.fix == "Write 25, or up to 50."
