#!/usr/bin/env python3
"""Make the clips that `starter:audio-small` is pretrained on, with their labels and what the teacher makes of them.

    python -m recipes.audio_small.prepare --out clips --teacher yamnet.audioset [--hours-speech 8 --hours-sounds 4]

Needs espeak-ng 1.51 and word lists (Debian: apt-get install espeak-ng and the packages named in words.py). Clip i is a
function of the seed and i. A shard is written whole; the same command goes on after an interruption, and makes what
more hours need. Labels and the teacher's answers belong to the clip as changed by augment.py.
"""

import argparse
import multiprocessing
import subprocess
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import torch

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).parents[2]))
from recipes.audio_small import augment, shards, sounds, voices, words
from recipes.audio_small.speaker import Speaker
from recipes.audio_small.teacher import Teacher
from recipes.training import claim, record

CLIPS: Final = 250  # a shard
SECONDS: Final = {"speech": 1.72, "sounds": 3.36}  # a clip, on average, with silence around it: turns hours into shards
BABBLE: Final = 30  # every so many sounds is one of several voices

Clip = tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]


def speech(speaker: Speaker, seed: int, index: int) -> Clip:
    """Make a clip of speech: samples, frames, and (speech, language, voice, family)."""
    said = voices.utterance(speaker, seed, index)
    source = np.random.default_rng((seed, 3, index))
    samples, frames = augment.augmented(said.samples, said.frames, source)
    return samples, frames, (1, said.language, said.voice, -1)


def sound(speaker: Speaker, seed: int, index: int) -> Clip:
    """Make a clip of a sound, or of several voices at once, whose phonemes are not labelled."""
    source = np.random.default_rng((seed, 4, index))
    if index % BABBLE == 0:
        # Their own numbers, far from those of the speech clips.
        numbers = range(10**9 + 10 * index, 10**9 + 10 * index + int(source.integers(3, 8)))
        spoken = [voices.utterance(speaker, seed, number).samples for number in numbers]
        samples, family = 0.7 * sounds.babble(spoken, source), len(sounds.NAMES) - 1
    else:
        made = sounds.sound(seed, index)
        samples, family = made.samples, made.family
    samples = samples[: len(samples) // shards.HOP * shards.HOP]
    frames = np.full(len(samples) // shards.HOP, shards.NO_LABEL, np.uint8)
    samples, frames = augment.augmented(samples, frames, source)
    return samples, frames, (0, -1, -1, family)


def shard(task: tuple[str, int], out: Path, seed: int, teacher: Path) -> int:
    """Make one shard, unless it is there.

    Args:
        task: Kind and number of the shard.
        out: Folder.
        seed: Of the whole data set.
        teacher: Folder of its weights.

    Returns:
        The number of samples in it.
    """
    kind, number = task
    path = out / f"{kind}-{number:04d}.safetensors"
    if path.exists():
        return int(shards.read(path)["lengths"].sum())
    make = speech if kind == "speech" else sound
    with Speaker() as speaker:
        clips = [make(speaker, seed, index) for index in range(number * CLIPS, (number + 1) * CLIPS)]
    features, scores, patches = _teacher(teacher)([samples for samples, _, _ in clips])
    details = np.array([each for _, _, each in clips], np.int16)
    content = {
        "samples": np.concatenate([(samples * 32767).round().astype(np.int16) for samples, _, _ in clips]),
        "lengths": np.array([len(samples) for samples, _, _ in clips], np.int32),
        "frames": np.concatenate([frames for _, frames, _ in clips]),
        "features": features.astype(np.float16),
        "scores": scores.astype(np.float16),
        "patches": patches.astype(np.int32),
        **{name: details[:, k] for k, name in enumerate(("speech", "language", "voice", "family"))},
    }
    shards.write(path, content)
    return int(content["lengths"].sum())


@cache
def _teacher(folder: Path) -> Teacher:
    torch.set_num_threads(1)
    return Teacher(folder)


def about(seed: int, teacher: Path) -> dict[str, object]:
    """Describe what makes the data set."""
    answer = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "seed": seed,
        "espeak-ng": answer.split("Data")[0].split(":")[-1].strip(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "word_lists": words.hashes(),
        "teacher_sha256": _teacher(teacher).sha256,
        "languages": [each.voice for each in words.LANGUAGES],
        "voices": list(voices.ALL_VOICES),
        "held_out_voices": list(voices.HELD_OUT_VOICES),
        "held_out_words": list(words.HELD_OUT_WORDS),
        "families": list(sounds.NAMES),
        "phonemes": list(voices.classes()),
    }


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--hours-speech", type=float, default=8)
    parser.add_argument("--hours-sounds", type=float, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Make all shards, and say what they are in meta.json."""
    args = arguments()
    made_by = about(args.seed, args.teacher)
    claim(args.out / shards.ABOUT, made_by)
    hours = {"speech": args.hours_speech, "sounds": args.hours_sounds}
    counts = {kind: round(hours[kind] * 3600 / SECONDS[kind] / CLIPS) for kind in hours}
    tasks = [(kind, number) for kind in counts for number in range(counts[kind])]
    begun, samples = time.monotonic(), dict.fromkeys(counts, 0)
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        work = partial(shard, out=args.out, seed=args.seed, teacher=args.teacher)
        for (kind, _), count in zip(tasks, pool.imap(work, tasks), strict=True):
            samples[kind] += count
            sys.stderr.write(f"\r{sum(samples.values()) / 57.6e6:.2f} hours, {time.monotonic() - begun:.0f} s")
    found = {
        "clips": {kind: count * CLIPS for kind, count in counts.items()},
        "hours": {kind: round(count / 16000 / 3600, 3) for kind, count in samples.items()},
    }
    record(args.out / shards.ABOUT, made_by | found)


if __name__ == "__main__":
    main()
