"""The pictures that the image starter is pretrained on."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from recipes.image_small import overlap, pictures


def _jpeg(seed: int) -> bytes:
    stream = io.BytesIO()
    values = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(values).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def data(tmp_path) -> pictures.Pictures:
    rows = [{"image": _jpeg(k), "label": f"n{k % 20:03}", "split": "train" if k < 60 else "val"} for k in range(80)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    return pictures.read(tmp_path / "p.parquet", "train")


def test_every_tenth_class_is_kept_out(data):
    kept, out = data.of(held_out=False), data.of(held_out=True)
    assert out.classes == ("n009", "n019")
    assert not set(kept.classes) & set(out.classes)
    assert len(kept) + len(out) == len(data) == 60
    assert kept.labels.max() == len(kept.classes) - 1 == 17
    # A picture keeps its class through the new numbering.
    first = int(torch.nonzero((data.values == kept.values[30]).all((1, 2, 3))))
    assert data.classes[data.labels[first]] == kept.classes[kept.labels[30]]


def test_a_batch_is_a_function_of_seed_and_step(data):
    def draw(seed: int, step: int) -> torch.Tensor:
        return pictures.batch(data, seed=seed, step=step, size=4, count=4, side=48).values

    assert torch.equal(draw(0, 3), draw(0, 3))
    assert not torch.equal(draw(0, 3), draw(0, 4))
    assert not torch.equal(draw(0, 3), draw(1, 3))


def test_a_picture_is_found_again_at_another_size_shape_and_name(data, tmp_path, monkeypatch, capsys):
    kept = data.of(held_out=False)
    # A smooth picture, as photographs are: what is enlarged keeps its 16 x 16 means.
    smooth = torch.nn.functional.interpolate(kept.values[:2, :, ::8, ::8].float(), size=32, mode="bilinear").byte()
    kept.values[:2] = smooth
    squeezed, wide = (Image.fromarray(each.permute(1, 2, 0).numpy()) for each in smooth)
    squeezed.resize((120, 60)).save(tmp_path / "squeezed.png")
    whole = Image.new("RGB", (200, 100), "white")
    whole.paste(wide.resize((100, 100)), (50, 0))
    whole.save(tmp_path / "wide.PNG")
    Image.new("RGB", (40, 40), "gray").save(tmp_path / "blank.jpg")
    monkeypatch.setattr(pictures, "read", lambda path, split: kept)
    monkeypatch.setattr(pictures.Pictures, "of", lambda self, held_out: self)
    monkeypatch.setattr("sys.argv", ["overlap", "--data", "p.parquet", "--folder", str(tmp_path)])
    overlap.main()
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 3
    names = [kept.classes[label] for label in kept.labels[:2]]
    assert {(name, of) for _, name, of in found["alike"]} == {("squeezed.png", names[0]), ("wide.PNG", names[1])}


@pytest.mark.parametrize("side", [64, 96, 128])
def test_canvases_have_their_side_and_range(data, side):
    drawn = pictures.batch(data, seed=0, step=0, size=3, count=5, side=side)
    assert drawn.values.shape == (8, 3, side, side)
    assert drawn.values.min() >= -1
    assert drawn.values.max() <= 1
    assert torch.equal(drawn.labels, data.labels[drawn.rows])
    assert len(drawn.labels) == 3
