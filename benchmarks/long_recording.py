"""Peak memory of a prediction against the length of a recording, each length in a process of its own.

    python benchmarks/long_recording.py MODEL RECORDINGS 0.1 10 30 60

MODEL is a folder of a model for sounds; the recordings below RECORDINGS are joined, over and over, to one of so many
minutes, at the rate of the first. Prints one JSON line per length.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from headstart.data import SOUND_SUFFIXES


def join(folder: Path, minutes: float, path: Path) -> None:
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SOUND_SUFFIXES]
    rate = soundfile.info(files[0]).samplerate
    missing = round(60 * minutes * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as out:
        while missing:
            for file in files:
                samples, own = soundfile.read(file, dtype="int16", always_2d=True)
                part = samples[:missing, 0] if own == rate else np.zeros(0, np.int16)
                out.write(part)
                missing -= len(part)


def measure(model: str, folder: Path, minutes: float) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "long.wav"
        join(folder, minutes, path)
        from headstart import pipeline

        saved = pipeline.load(model, offline=True)
        loaded, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        rows = list(pipeline.predict(saved, [path], offline=True))
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert "error" not in rows[0], rows[0]
    return {
        "minutes": minutes,
        "peak_resident_mb": round(used.ru_maxrss / 1024, 1),
        "before_mb": round(loaded.ru_maxrss / 1024, 1),
        "answer_mb": round(len(json.dumps(rows)) / 2**20, 2),
        "seconds": round(seconds, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime - loaded.ru_utime - loaded.ru_stime, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("recordings", type=Path)
    parser.add_argument("minutes", nargs="+", type=float)
    options = parser.parse_args()
    if len(options.minutes) == 1:
        print(json.dumps(measure(options.model, options.recordings, options.minutes[0])), flush=True)
    else:
        for minutes in options.minutes:
            command = [sys.executable, __file__, options.model, str(options.recordings), str(minutes)]
            subprocess.run(command, check=True)
