"""Rate, latency, memory, overload and the end of `headstart serve`, against the model without HTTP.

    python benchmarks/serving/load.py MODEL INPUT... [--clients 1 8 32] [--seconds 10] [--requests 20000] [-o FILE.json]

INPUT are pictures or recordings, or .txt files of one text a line; every request has one of them. MODEL is a model
folder or an ONNX export. The clients run in this process: on a machine of few cores they take from the server.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from server import clients, modality_of, request_of, serving

from headstart.cli._serve import NOTHING_ASKED, _opened
from headstart.serve import Limits


def payloads_of(inputs: list[Path]) -> list[bytes | str]:
    """Read texts by the line and other files whole."""
    found: list[bytes | str] = []
    for path in inputs:
        if modality_of(path) == "text":
            found += [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        else:
            found.append(path.read_bytes())
    return found


def bare(model: Path, payloads: list[bytes | str], *, batch: int, seconds: float) -> dict[str, float]:
    """Measure reading and answering in this process, one thread each after the other, without HTTP."""
    options = {"backbone": None, "device": "auto", "offline": True}
    served, limits = _opened(model, NOTHING_ASKED, options), Limits()
    served.answer([served.read(payloads[0], limits)])
    done, reading, started = 0, 0.0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        items = [served.read(payloads[(done + i) % len(payloads)], limits) for i in range(batch)]
        reading += time.perf_counter() - before
        served.answer(items)
        done += batch
    total = time.perf_counter() - started
    return {"per_second": round(done / total, 2), "answering_alone_per_second": round(done / (total - reading), 2)}


def resident(port: int) -> float:
    """Megabytes of the server's memory, as it reports them itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return round(next(float(line.split()[1]) for line in lines if line.startswith("process_resident")) / 2**20, 1)


def rates(model: Path, requests: list[bytes], counts: list[int], seconds: float) -> dict[str, Any]:
    """Rate and latency by the number of clients."""
    found = {}
    with serving(model) as (_, port):
        asyncio.run(clients(port, requests, count=2, goes_on=lambda n: n < 20))  # warm
        for count in counts:
            end = time.monotonic() + seconds
            seen = asyncio.run(clients(port, requests, count=count, goes_on=lambda _, end=end: time.monotonic() < end))
            found[str(count)] = seen.to_dict()
            print(count, "clients", found[str(count)], flush=True)
    return found


def memory(model: Path, requests: list[bytes], most: int) -> dict[str, Any]:
    """Megabytes at ten points of many requests."""
    with serving(model) as (_, port):
        asyncio.run(clients(port, requests, count=8, goes_on=lambda n: n < 200))
        points = [resident(port)]
        statuses = {}
        for _ in range(10):
            seen = asyncio.run(clients(port, requests, count=8, goes_on=lambda n: n < most // 10))
            statuses = {name: statuses.get(name, 0) + n for name, n in seen.statuses.items()}
            points.append(resident(port))
    return {"requests": most, "megabytes": points, "statuses": statuses}


def overload(model: Path, requests: list[bytes]) -> dict[str, Any]:
    """More clients than the queue holds: some are refused, none fails, and it works afterwards."""
    with serving(model, "--max-queue", "4", "--max-items", "4") as (_, port):
        end = time.monotonic() + 3
        seen = asyncio.run(clients(port, requests, count=32, goes_on=lambda _: time.monotonic() < end))
        later = asyncio.run(clients(port, requests, count=1, goes_on=lambda n: n < 5))
    return {"under": dict(seen.statuses), "later": dict(later.statuses)}


def ending(model: Path, requests: list[bytes]) -> dict[str, Any]:
    """SIGTERM while 32 clients ask."""
    with serving(model) as (process, port):
        told = False

        def after() -> None:
            nonlocal told
            if not told and time.monotonic() > at:
                told = True
                os.kill(process.pid, signal.SIGTERM)

        at = time.monotonic() + 2
        seen = asyncio.run(clients(port, requests, count=32, goes_on=lambda _: True, after=after))
        status = process.wait(60)
    return {"statuses": dict(seen.statuses), "exit": status}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    payloads = payloads_of(asked.inputs)
    requests = [request_of(payload) for payload in payloads]
    found: dict[str, Any] = {"model": asked.model.name, "processors": len(os.sched_getaffinity(0))}
    found["bare"] = {
        str(n): bare(asked.model, payloads, batch=min(n, 16), seconds=asked.seconds) for n in asked.clients
    }
    print("bare", found["bare"], flush=True)
    found["clients"] = rates(asked.model, requests, asked.clients, asked.seconds)
    found["overload"] = overload(asked.model, requests)
    found["ending"] = ending(asked.model, requests)
    found["memory"] = memory(asked.model, requests, asked.requests)
    text = json.dumps(found, indent=1)
    print(text)
    if asked.output:
        asked.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
