"""Fixtures for every test: a cache of its own, no network, fixed seeds, and real data where it lies beside the
repository."""

import random
import socket
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# How long one example takes says what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "headstart-cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))


@pytest.fixture(autouse=True)
def _closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection but to this machine itself."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and str(address[0]) not in ("127.0.0.1", "::1"):  # type: ignore[index]
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets and weights beside the repository; the test is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("the real data sets are not beside the repository")
    return SHARED


WORDS = {
    "animals": ["cat", "dog", "horse", "cow", "sheep", "goat", "pig", "hen", "duck", "mouse"],
    "food": ["bread", "cheese", "soup", "apple", "rice", "butter", "salad", "cake", "pasta", "bean"],
    "weather": ["rain", "snow", "wind", "storm", "cloud", "sun", "frost", "fog", "hail", "thunder"],
}


def make_texts(n: int, *, seed: int = 0, classes: int = 3) -> tuple[list[str], list[str]]:
    """Sentences of topic words and filler; easy to tell apart, never trivially so."""
    rng = np.random.default_rng(seed)
    names = list(WORDS)[:classes]
    texts, labels = [], []
    for i in range(n):
        label = names[i % classes]
        topic = rng.choice(WORDS[label], 3)
        other = rng.choice(WORDS[names[int(rng.integers(classes))]], 1)
        filler = rng.choice(
            ["the", "a", "of", "and", "to", "in", "it", "was", "for", "with", "on", "as", "at", "by"], 4
        )
        texts.append(" ".join([*rng.permutation([*topic, *other, *filler]), str(i)]))
        labels.append(label)
    return texts, labels


def make_label_sets(n: int, *, seed: int = 0) -> tuple[list[str], list[str]]:
    """Sentences about none, one or two topics, with their label sets; topics recur in several sets."""
    rng = np.random.default_rng([seed, 1])
    texts, labels = [], []
    for i in range(n):
        names = sorted(rng.choice(list(WORDS), int(rng.choice(3, p=[0.1, 0.5, 0.4])), replace=False))
        topics = [word for name in names for word in rng.choice(WORDS[name], 3)]
        texts.append(" ".join([*rng.permutation([*topics, "the", "was", "it"]), str(i)]))
        labels.append("|".join(names))
    return texts, labels


def make_values(n: int, *, seed: int = 0) -> tuple[list[str], list[float]]:
    """Sentences of good and bad words, with a value that follows their balance."""
    rng = np.random.default_rng([seed, 2])
    texts, values = [], []
    for i in range(n):
        good = int(rng.integers(0, 7))
        words = [*rng.choice(["good", "fine", "great"], good), *rng.choice(["bad", "poor", "awful"], 6 - good)]
        texts.append(" ".join([*rng.permutation([*words, "the", "was"]), str(i)]))
        values.append(round(10.0 * good + float(rng.normal(0, 2)), 2))
    return texts, values


def make_image(colour: tuple[int, int, int], *, seed: int, size: tuple[int, int] = (20, 16)) -> Image.Image:
    """A noisy picture around one colour."""
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.normal(colour, 40, size=(size[1], size[0], 3)), 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def texts_csv(tmp_path: Path) -> Path:
    """90 labelled sentences in three classes."""
    path = tmp_path / "texts.csv"
    texts, labels = make_texts(90)
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    return path


@pytest.fixture
def label_sets_csv(tmp_path: Path) -> Path:
    """90 sentences with none, one or two of three labels."""
    path = tmp_path / "label sets.csv"
    texts, labels = make_label_sets(90)
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    return path


@pytest.fixture
def values_csv(tmp_path: Path) -> Path:
    """90 sentences with a number each."""
    path = tmp_path / "values.csv"
    texts, values = make_values(90)
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, values, strict=True)))
    return path


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """A folder with a manifest: 60 pictures and how red each is."""
    folder = tmp_path / "shades"
    folder.mkdir()
    rows = []
    for i in range(60):
        make_image((40 + 3 * i, 100, 100), seed=i).save(folder / f"{i:02d}.png")
        rows.append(f"{i:02d}.png,{3 * i / 100}")
    (folder / "manifest.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder per class, 30 reddish and 30 bluish pictures."""
    folder = tmp_path / "photos"
    for label, colour in (("red", (160, 100, 100)), ("blue", (100, 100, 160))):
        (folder / label).mkdir(parents=True)
        for i in range(30):
            make_image(colour, seed=i + len(label) * 100).save(folder / label / f"{label} {i:02d}.png")
    return folder
