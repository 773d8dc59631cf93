"""Fixtures for every test: a cache of its own, no network, fixed seeds, and real data where it lies beside the
repository."""

import random
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
def photos(tmp_path: Path) -> Path:
    """A folder per class, 30 reddish and 30 bluish pictures."""
    folder = tmp_path / "photos"
    for label, colour in (("red", (160, 100, 100)), ("blue", (100, 100, 160))):
        (folder / label).mkdir(parents=True)
        for i in range(30):
            make_image(colour, seed=i + len(label) * 100).save(folder / label / f"{label} {i:02d}.png")
    return folder
