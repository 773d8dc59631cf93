"""Loads and locates backbones in a process of its own, since the hub's client reads its endpoint when it is imported.

One call per line of standard input, one answer per line of standard output, both in JSON.
"""

import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

REPOSITORY = Path(__file__).resolve().parents[2]


def environment(endpoint: str, home: Path) -> dict[str, str]:
    """The variables of a process that may ask one server, with caches of its own."""
    foreign = ("HF_", "HUGGING", "TRANSFORMERS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HEADSTART_")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
    quick = {"HF_HUB_DOWNLOAD_TIMEOUT": "5", "HF_HUB_ETAG_TIMEOUT": "5", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    places = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hf"), "HEADSTART_CACHE": str(home / "headstart")}
    return {**kept, **quick, **places}


class Worker:
    """The process, seen from a test."""

    def __init__(self, endpoint: str, home: Path) -> None:
        command = [sys.executable, "-m", "tests.backbones.hub_worker"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY, env=environment(endpoint, home)
        )

    def ask(self, do: str, name: str, cache: Path, **options: Any) -> dict[str, Any]:
        """Call a function of the package with a cache; what is no error of ours is raised here."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": do, "name": name, "cache": str(cache), **options}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "escaped" not in answer, answer["escaped"]
        return dict(answer)

    def close(self) -> None:
        """End the process; it holds nothing that an orderly end would save."""
        self.process.kill()
        self.process.communicate()


def _answer(call: Mapping[str, Any]) -> dict[str, Any]:
    from huggingface_hub import constants

    from headstart import backbones
    from headstart.backbones import _load
    from headstart.errors import BackboneError

    try:
        with (
            patch.multiple(constants, HF_HUB_CACHE=call["cache"], **call.get("constants", {})),
            patch.object(_load, "pinned", call.get("pins", {}).get),
        ):
            if call["do"] == "print":
                return _command("models", "path", call["name"])
            if call["do"] == "locate":
                return {"folder": str(backbones.locate(call["name"], offline=call.get("offline", False)))}
            return {"weights_hash": backbones.load(call["name"], offline=call.get("offline", False)).weights_hash}
    except BackboneError as error:
        return {"error": str(error)}
    except Exception:  # noqa: BLE001
        return {"escaped": traceback.format_exc()}


def _command(*words: str) -> dict[str, Any]:
    """Run a command as a shell would."""
    from headstart.cli import main

    out, err, status = io.StringIO(), io.StringIO(), 0
    with patch.object(sys, "argv", ["headstart", *words]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()
