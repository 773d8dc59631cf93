"""A pass in blocks by the workers of a cluster gives the numbers of one process; deadly items are named."""

from pathlib import Path

import numpy as np
import pytest

from headstart.backbones import load, word_backbone
from headstart.data import Dataset, Document, Sound
from headstart.engine import Engine, LocalEngine, Lost
from headstart.errors import DataError
from headstart.features import FeatureSource, Store, frozen_pass
from headstart.features._activations import boundary_pass
from headstart.features._spread import spread_pass
from tests.conftest import make_image

pytest.importorskip("ray")


class Blocks(Engine):
    """Runs calls here, as if there were workers; they die at some items."""

    elsewhere = True

    def __init__(self, *deadly: object) -> None:
        self.deadly, self.sizes = deadly, []

    def map(self, function, items, *, resources=None):
        return LocalEngine().map(function, items, resources=resources)

    def spread(self, function, items):
        for block in items:
            self.sizes.append(len(block))
            yield Lost(4, "it was killed") if set(map(str, block)) & set(map(str, self.deadly)) else function(block)


@pytest.fixture(scope="module")
def cluster():
    from headstart.engine._ray import RayEngine

    with RayEngine(workers=2) as found:
        yield found


def texts(n: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [f"{number} " + "word " * int(rng.integers(1, 60)) for number in range(n)]


def sounds(n: int) -> list[Sound]:
    rng = np.random.default_rng(0)
    return [Sound(rng.normal(size=4000 + 900 * i).astype(np.float32) / 9, 16000) for i in range(n)]


def pictures(n: int) -> list:
    return [make_image((40 * (i % 5), 90, 120), seed=i) for i in range(n)]


ITEMS = {"image": pictures, "text": texts, "audio": sounds}


def in_order(parts: list, column: str) -> list:
    positions = np.concatenate([part.positions for part in parts])
    values = [each for part in parts for each in getattr(part, column)]
    return [values[i] for i in np.argsort(positions)]


@pytest.mark.parametrize(("modality", "n"), [("image", 600), ("text", 5000), ("audio", 70)])
def test_features_are_those_of_one_process(modality, n, cluster):
    items, backbone = ITEMS[modality](n), load(f"toy:{modality}")
    here = list(frozen_pass(backbone, items, engine=LocalEngine()))
    there = list(frozen_pass(backbone, items, engine=cluster))
    ours, theirs = (np.stack(in_order(parts, "values")) for parts in (here, there))
    if modality == "audio":  # whose windows are filled by size, so that batches are others
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
    else:
        assert np.array_equal(theirs, ours)
        assert [part.positions.tolist() for part in there] == [part.positions.tolist() for part in here]
        assert [part.ends_window for part in there] == [part.ends_window for part in here]


def test_words_and_activations_are_those_of_one_process(cluster):
    backbone = word_backbone(load("toy:text"), "mean")
    documents = [Document.of_text(text) for text in texts(300)]
    here, there = (
        in_order(list(frozen_pass(backbone, documents, engine=e)), "values") for e in (LocalEngine(), cluster)
    )
    assert len(here) == len(there) == 300
    for ours, theirs in zip(here, there, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
    cut, some = load("toy:image").cuts[0], pictures(300)
    passes = [
        in_order(list(boundary_pass(load("toy:image"), some, cut=cut, engine=engine)), "pieces")
        for engine in (LocalEngine(), cluster)
    ]
    assert all(np.array_equal(ours[0], theirs[0]) for ours, theirs in zip(*passes, strict=True))


def test_what_workers_compute_lies_in_the_same_store(cluster, tmp_path):
    backbone, dataset = load("toy:text"), Dataset("text", tuple(texts(300)), tuple(map(str, range(300))))
    told = []
    ours = FeatureSource(Store(tmp_path / "a")).features(backbone, dataset)
    source = FeatureSource(Store(tmp_path / "b"), engine=cluster, progress=lambda *at: told.append(at))
    assert np.array_equal(source.features(backbone, dataset), ours)
    assert told[-1][1:] == (300, 300)
    assert FeatureSource(Store(tmp_path / "b")).ensure(backbone, dataset) == 0


def test_an_item_at_which_workers_die_is_named_and_all_others_are_computed():
    items, engine = [Path(f"{i}.png") for i in range(10)], Blocks(Path("3.png"), Path("7.png"))
    found = []

    def work(block):
        return [Part(np.arange(len(block)), tuple(block))]

    with pytest.raises(DataError) as caught:
        keep(spread_pass(work, items, engine=engine, block=4), found)
    names = {
        item.name: int(position) for part in found for position, item in zip(part.positions, part.items, strict=True)
    }
    assert names == {f"{i}.png": i for i in range(10) if i not in (3, 7)}
    assert str(caught.value) == (
        "3.png: 4 workers died at 3.png, 7.png (it was killed). Take it out of the data; all other items are computed, "
        "and the same command goes on from there."
    )


def test_many_items_at_which_workers_die_are_counted():
    items = ["a", "b", "c", "d", "e"]
    with pytest.raises(DataError, match="4 workers died at an item of type str, .* and 2 more"):
        list(spread_pass(lambda block: [], items, engine=Blocks(*items), block=5))


def test_a_file_that_only_this_machine_has_is_said(tmp_path):
    here = tmp_path / "here.png"
    here.touch()

    def missing(block):
        raise DataError(
            "expected an image, found no such file or directory", where=str(block[0]), fix="Check the path."
        )

    with pytest.raises(DataError, match=r"here.png: the file is on this machine, and a worker does not see it. Put"):
        list(spread_pass(missing, [here], engine=Blocks(), block=2))
    with pytest.raises(DataError, match="no such file"):
        list(spread_pass(missing, [tmp_path / "nowhere.png"], engine=Blocks(), block=2))


class Part:
    def __init__(self, positions, items):
        self.positions, self.items = positions, items

    def moved(self, by):
        return Part(self.positions + by, self.items)


def keep(parts, found):
    """Keep what comes before an error."""
    for part in parts:
        found.append(part)
