"""Predict with an exported model: python predict.py INPUT...

An input is a file (a picture, a recording; of texts a .txt file, of one text a line, or of one document where entities
are looked for), a folder of these, or - for lines on standard input. One JSON document a line comes out, in the
order of the inputs; what cannot be read becomes {"input", "error"} in its place, and the exit status is 1 at the end.

python predict.py --check compares the stored examples with what this machine answers.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from headstart.errors import DataError, HeadstartError
from headstart.runtime.exported import AT_ONCE, ExportedModel

EXAMPLES: Final = "examples.json"
TOLERANCE: Final = 1e-3  # of a probability; processors differ in the last digits, and 8-bit graphs in a few more


def main(arguments: Sequence[str] | None = None, *, folder: Path | None = None) -> int:
    """Run the command.

    Args:
        arguments: Those of the process where None.
        folder: The exported model; the one beside this file where None.

    Returns:
        The exit status.
    """
    folder = folder or Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="a file, a folder, or - for lines on standard input")
    parser.add_argument("--check", action="store_true", help="answer the stored examples and compare")
    parser.add_argument("--threads", type=int, help="threads of the graph [as many as there are cores]")
    options = parser.parse_args(arguments)
    if not options.inputs and not options.check:
        parser.error("expected inputs, or --check")
    try:
        model = ExportedModel.open(folder, threads=options.threads)
        return check(model) if options.check else predict(model, options.inputs)
    except (HeadstartError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201  (a script, far from the library's command line)
        return 1


def predict(model: ExportedModel, inputs: Sequence[str]) -> int:
    """Print the answers."""
    failed, items = False, named_items(model, inputs)
    while some := list(islice(items, AT_ONCE)):
        for (name, _), row in zip(some, model.predict([item for _, item in some]), strict=True):
            failed |= "error" in row
            print(json.dumps({"input": name, **row}, ensure_ascii=False), flush=True)  # noqa: T201
    return int(failed)


def named_items(model: ExportedModel, inputs: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the items of files, folders and standard input with their names."""
    for each in inputs:
        if each == "-":
            lines = (line.rstrip("\n") for line in sys.stdin)
            yield from ((f"-:{n}", line if model.modality == "text" else Path(line)) for n, line in enumerate(lines, 1))
            continue
        given = Path(each)
        for path in sorted(path for path in given.rglob("*") if path.is_file()) if given.is_dir() else [given]:
            yield from _texts(path, whole=model.kind == "tagging") if model.modality == "text" else [(str(path), path)]


def _texts(path: Path, *, whole: bool) -> Iterator[tuple[str, str | DataError]]:
    """Yield the texts in a file: its lines, or all of it."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        found = getattr(error, "strerror", None) or "a file that is not UTF-8"
        yield str(path), DataError(f"expected a text, found {found.lower()}", where=str(path), fix="Check the path.")
        return
    if whole:
        yield str(path), text
        return
    yield from ((f"{path}:{n}", line) for n, line in enumerate(text.splitlines(), 1) if line.strip())


def check(model: ExportedModel) -> int:
    """Answer the stored examples, and say how far the answers are from those that were stored."""
    examples = json.loads((model.folder / EXAMPLES).read_text("utf-8"))
    items = [model.folder / each["file"] if "file" in each else each["text"] for each in examples]
    found = model.predict(items)
    largest = max(difference(each["answer"], row) for each, row in zip(examples, found, strict=True))
    same = largest <= TOLERANCE
    print(f"{len(items)} examples, largest difference {largest:.2g}: {'as stored' if same else 'NOT as stored'}.")  # noqa: T201
    return int(not same)


def difference(expected: Any, found: Any) -> float:
    """Return how far two answers are apart: the largest difference of their numbers; infinite where words differ."""
    if isinstance(expected, bool | str) or expected is None:
        return 0.0 if expected == found else math.inf
    if isinstance(expected, int | float):
        number = isinstance(found, int | float)
        return abs(expected - found) / max(1.0, abs(expected)) if number else math.inf
    if isinstance(expected, dict):
        alike = isinstance(found, dict) and expected.keys() == found.keys()
        return max((difference(expected[key], found[key]) for key in expected), default=0.0) if alike else math.inf
    alike = isinstance(found, list) and len(expected) == len(found)
    pairs = zip(expected, found, strict=True) if alike else ()
    return max((difference(a, b) for a, b in pairs), default=0.0) if alike else math.inf


if __name__ == "__main__":
    sys.exit(main())
