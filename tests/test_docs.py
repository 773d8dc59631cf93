"""The documents say what the program does: commands exist, help texts are current, the tutorial runs."""

import importlib.machinery
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import headstart
from headstart.cli import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]


def commands(group: click.Group, path: str = "headstart") -> list[tuple[str, click.Command]]:
    found = []
    for name, command in group.commands.items():
        found.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            found += commands(command, f"{path} {name}")
    return found


def test_every_command_and_option_has_help():
    for path, command in commands(cli):
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{path} {parameter.name}"


def test_the_list_of_commands_is_current():
    path = str(ROOT / "scripts" / "docs")
    loader = importlib.machinery.SourceFileLoader("docs_script", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("docs_script", loader))
    loader.exec_module(module)
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == module.text(), "run scripts/docs"


def test_every_option_in_the_readme_exists():
    known = {option for _, command in commands(cli) for p in command.params for option in p.opts}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"pip install[^\n]*", "", text)))
    assert named <= known


def test_links_between_the_pages_lead_somewhere():
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)  # output may look like one
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_public_name_is_there_and_nothing_else_is_exported():
    for name in headstart.__all__:
        assert getattr(headstart, name).__doc__, name
    assert sorted(headstart.__all__) == headstart.__all__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        headstart.nonsense  # noqa: B018


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_the_tutorial_runs_from_the_first_command_to_the_last(tmp_path, monkeypatch):
    """Every line that starts with $ runs in an empty folder, and every line of output it shows is printed."""
    monkeypatch.chdir(tmp_path)
    script = Path(sys.executable).with_name("headstart")
    for block in blocks(ROOT / "docs" / "tutorial.md", "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            done = subprocess.run(
                ["bash", "-c", command.replace("headstart ", f"{shlex.quote(str(script))} ", 1)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            for line in shown:
                words = re.sub(r"[+-]?\d[\d.,:]*", "", line).split()
                printed = re.sub(r"[+-]?\d[\d.,:]*", "", done.stdout + done.stderr).split()
                assert line.strip() == "..." or set(words) <= set(printed), (
                    f"{command}\n{line}\n{done.stdout}{done.stderr}"
                )


@pytest.mark.slow
def test_the_python_of_the_tutorial_and_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = ROOT / "src" / "headstart" / "examples" / "messages"
    shutil.copytree(folder, tmp_path / "messages")
    shutil.copy(folder / "train.csv", tmp_path / "messages.csv")
    space: dict[str, object] = {}
    for page in (ROOT / "docs" / "tutorial.md", ROOT / "README.md"):  # the README takes texts and labels as given
        for code in blocks(page, "python"):
            exec(compile(code, str(page), "exec"), space)
