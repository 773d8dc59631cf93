"""A command line to run in this process."""

import io
import sys

import pytest

from headstart.cli import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process; returns (exit status, standard output, standard error)."""

    def call(*words: object, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["headstart", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        out, err = capsys.readouterr()
        return status, out, err

    return call
