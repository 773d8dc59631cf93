"""Processes with a clock, files of results, and what is recorded of the machine beside every number."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ASK = """
import json, platform, sys, torch
from importlib.metadata import version
print(json.dumps({
    "versions": {"python": platform.python_version()} | {name: version(name) for name in sys.argv[1:]},
    "threads": torch.get_num_threads(),
}))
"""


class ProcessError(RuntimeError):
    """A timed process ended with an error; the message ends with what it wrote last."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended: what it printed, its wall clock and its processor time, in seconds.

    Processor time beside the wall clock shows rows that were measured while the machine did other work.
    """

    printed: str
    seconds: float
    cpu_seconds: float

    def clocks(self) -> dict[str, float]:
        return {"process_seconds": self.seconds, "process_cpu_seconds": self.cpu_seconds}


def timed(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end.

    Args:
        command: Program and arguments.
        cwd: Folder to run in.
        env: Variables added to the environment.

    Returns:
        What it printed, and the clocks of the whole process.

    Raises:
        ProcessError: Where its exit status is not zero.
    """
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - started, os.times()
    if done.returncode:
        raise ProcessError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr[-4000:]}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Finished(done.stdout, seconds, used)


@cache
def describe(python: str, packages: tuple[str, ...]) -> dict:
    """Return the versions an interpreter sees and the threads its torch takes by default."""
    done = subprocess.run([python, "-c", ASK, *packages], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@cache
def here() -> dict:
    """Return commit, processor and the number of processors this process may use."""
    command = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return {"commit": commit.stdout.strip(), "cpu": _processor(), "processors": len(os.sched_getaffinity(0))}


def measured(results: Path, about: Mapping) -> bool:
    """Return whether a file of results, JSON lines, has a row of all this."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return any(about.items() <= json.loads(line).items() for line in lines)


def record(results: Path, row: Mapping) -> None:
    """Add a row to a file of results, with when and where it was measured."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, "finished": time.strftime("%Y-%m-%d %H:%M"), **here()}) + "\n")


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
