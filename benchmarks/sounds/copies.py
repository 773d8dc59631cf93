"""Do copies of a recording in other channels and sampling rates give the same answers, and what do low rates cost?

    python benchmarks/sounds/copies.py --data DATA --work FOLDER

A model is fitted on the training part of a set as it is (`headstart fit`, no proof; kept in --work and taken again),
then answers for the test part and for copies of it: in stereo, at other rates (soxr, 16-bit FLAC), and as Ogg Vorbis.
Copies at or above the recordings' own rate should be answered alike for 99 of 100; below it, half of the sound's range
is gone and what that costs is printed. Each copy's score has a 95 % interval over the test recordings.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from cases import CASES, Row
from numpy.typing import NDArray

import headstart
from headstart.evaluation import align_words
from headstart.pipeline import predict

Samples = NDArray[np.float32]
Copy = Callable[[Samples, int], tuple[Samples, int]]
SETS = ("fsdd, its own split (same speakers)", "arabic-commands", "connected-digits")


def at(rate: int) -> Copy:
    return lambda samples, own: (samples if own == rate else soxr.resample(samples, own, rate, quality="VHQ"), rate)


def stereo(samples: Samples, rate: int) -> tuple[Samples, int]:
    return np.column_stack([samples, samples]), rate


COPIES: dict[str, tuple[str, Copy]] = {
    "as it is": ("flac", lambda samples, rate: (samples, rate)),
    "stereo": ("flac", stereo),
    "stereo, 48,000 Hz": ("flac", lambda samples, rate: stereo(*at(48000)(samples, rate))),
    "Ogg Vorbis": ("ogg", lambda samples, rate: (samples, rate)),
    **{f"{rate:,} Hz": ("flac", at(rate)) for rate in (48000, 44100, 22050, 16000, 11025, 8000, 6000, 4000)},
}


@dataclass(frozen=True)
class Answers:
    """What the model says of every recording, and how many of how many words (classes count as one) are wrong."""

    said: Sequence[str]
    wrong: NDArray[np.int_]
    words: NDArray[np.int_]

    def score(self) -> str:
        """Show the share that is wrong and its interval over recordings."""
        drawn = np.random.default_rng(0).integers(len(self.wrong), size=(2000, len(self.wrong)))
        low, high = np.quantile(self.wrong[drawn].sum(axis=1) / self.words[drawn].sum(axis=1), [0.025, 0.975])
        return f"{self.wrong.sum() / self.words.sum():.3f} [{low:.3f}, {high:.3f}]"


def answers(model: Path, copies: Sequence[Path], truth: Sequence[str]) -> Answers:
    """Predict copies."""
    said = [each.get("transcript", each.get("label")) for each in predict(model, copies)]
    aligned = [align_words(*pair) for pair in zip(truth, said, strict=True)]
    return Answers(said, np.array([each.errors for each in aligned]), np.array([each.words for each in aligned]))


def copied(paths: Sequence[Path], target: Path, suffix: str, copy: Copy) -> list[Path]:
    """Write a copy of every recording."""
    target.mkdir(parents=True, exist_ok=True)
    copies = [target / f"{number:04d}.{suffix}" for number in range(len(paths))]
    for path, new in zip(paths, copies, strict=True):
        samples, rate = soundfile.read(path, dtype="float32")
        soundfile.write(new, *copy(samples, rate))
    return copies


def measure(name: str, options: argparse.Namespace) -> None:
    """Fit on one set, and compare the answers for copies of its test part with those for the part itself."""
    case = next(each for each in CASES if each.name == name)
    folder, model = options.work / case.folder, options.work / f"{case.folder} model"
    rows: Sequence[Row] = case.rows(options.data)
    if not folder.exists():
        case.write(options.data, rows, ("test",), folder)
    if not model.exists():
        headstart.fit(folder / "manifest.csv", model, options=headstart.FitOptions(proof="none", offline=True))
    test = [row for row in rows if row["split"] == "test"]
    truth = [row[case.answer] for row in test]
    paths = [folder / row["path"] for row in test]
    own = soundfile.info(paths[0]).samplerate
    plain: Answers | None = None
    for kind, (suffix, copy) in COPIES.items():
        found = answers(model, copied(paths, options.work / "copies" / case.folder / kind, suffix, copy), truth)
        plain = plain or found
        alike = np.mean([a == b for a, b in zip(plain.said, found.said, strict=True)])
        print(f"{name} ({own:,} Hz), {kind}: same {alike:.3f} of {len(paths)}, wrong {found.score()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with audio/")
    parser.add_argument("--work", type=Path, required=True, help="folder for models and copies")
    parser.add_argument("--case", action="append", choices=SETS, help="only this one; may be repeated")
    options = parser.parse_args()
    for name in options.case or SETS:
        measure(name, options)


if __name__ == "__main__":
    sys.exit(main())
