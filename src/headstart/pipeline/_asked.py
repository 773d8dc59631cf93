"""What was asked, as a command that asks it again."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headstart.pipeline._options import DEFAULT_BUDGET, FitOptions, Reading

if TYPE_CHECKING:
    from headstart.pipeline._adapt import AdaptOptions

_VALUES: Final = {
    "task": "--task", "label": "--label", "text": "--text", "group": "--group", "on_error": "--on-error",
    "transcripts": "--transcripts", "strategy": "--strategy", "metric": "--metric", "proof": "--proof",
    "device": "--device", "source_domain": "--source-domain", "target_domain": "--target-domain", "seed": "--seed",
}  # fmt: skip
_SEVERAL: Final = {"slices": "--slice", "backbones": "--backbone", "methods": "--method"}
_PATHS: Final = {
    "test": "--test",
    "labels_from": "--labels-from",
    "continue_from": "--continue-from",
    "source": "--source",
    "labelled": "--labelled",
}
_FLAGS: Final = {"resplit": "--resplit", "allow_straddling": "--allow-straddling", "offline": "--offline"}


def fit_command(data: str, output: Path, reading: Reading, options: FitOptions, *, named: bool) -> str:
    """Write the command of a fit.

    Args:
        data: The labelled data.
        output: The model folder.
        reading: How it was read.
        options: What was asked, before anything was inferred.
        named: Whether files may be named, by their names alone; else words in capitals stand for them.

    Returns:
        One line.
    """
    words = ["headstart", "fit", Path(data).name if named else "DATA", "-o", output.name]
    if options.budget is not None:
        words += ["--budget", f"{options.budget:g}s"]
    words += _words(reading, Reading(), named=named)
    words += _words(options, FitOptions(), named=named)
    words += ["--slim"] * (options.contents == "slim") + ["--no-examples"] * (options.examples == "none")
    return shlex.join(words)


def adapt_command(
    source: str, target: str | None, output: Path, reading: Reading, options: "AdaptOptions", *, named: bool
) -> str:
    """Write the command of an adaptation, as `fit_command` does."""
    words = ["headstart", "adapt", Path(source).name if named else "SOURCE"]
    words += [] if target is None else ["--target", Path(target).name if named else "TARGET"]
    words += [
        "-o",
        output.name,
        *_words(reading, Reading(), named=named),
        *_words(options, type(options)(), named=named),
    ]
    words += ["--ask", str(options.ask)] * (options.ask > 0) + ["--slim"] * (options.contents == "slim")
    return shlex.join(words)


def asked_facts(options: FitOptions) -> dict[str, Any]:
    """Say in words what was asked or taken for granted.

    Args:
        options: As they were settled.

    Returns:
        Time allowed, metric and proof.
    """
    proof = {
        "none": "nothing",
        "quick": "the majority class, a classical model, the same network with random weights",
        "full": "the majority class, a classical model, the same network with random weights and trained from scratch",
    }
    usual = f"{DEFAULT_BUDGET / 60:.0f} min, the default"
    return {
        "budget": usual if options.budget is None else f"{options.budget:g} s",
        "metric": options.metric or "",
        "proof": proof[options.proof],
    }


def _words(options: Any, usual: Any, *, named: bool) -> Iterator[str]:
    """Yield the options that are not as usual; the seed always, because everything random comes from it."""
    given: Mapping[str, Any] = vars(options)
    for name, option in _VALUES.items():
        if name in given and (given[name] != getattr(usual, name) or name == "seed"):
            yield from (option, str(given[name]))
    for name, option in _SEVERAL.items():
        if name in given and given[name] != getattr(usual, name):
            yield from (word for each in _named(given[name]) for word in (option, each))
    for name, option in _PATHS.items():
        if given.get(name) is not None:
            yield from (option, Path(given[name]).name if named else "FILE")
    yield from (option for name, option in _FLAGS.items() if given.get(name))


def _named(values: Sequence[Any]) -> list[str]:
    """Name backbones that were given loaded."""
    return [each if isinstance(each, str) else each.name for each in values]
