"""The runtime as an exported model carries it: the same files, under a name of their own, and what they need."""

import re
from pathlib import Path
from typing import Final

from headstart import errors, runtime

PACKAGE: Final = "runtime"
SCRIPT: Final = "predict.py"
_OURS: Final = re.compile(r"\bheadstart\.(?:runtime|errors)\b")
# What each modality needs, oldest versions that were tried; the rest is imported only for files that need it.
REQUIREMENTS: Final = {
    "image": ("numpy>=1.26", "onnxruntime>=1.17", "pillow>=10.3"),
    "text": ("numpy>=1.26", "onnxruntime>=1.17", "tokenizers>=0.21"),
    "audio": ("numpy>=1.26", "onnxruntime>=1.17", "soundfile>=0.12", "soxr>=0.3.7"),
}
PARTS: Final = {"image": ("pictures",), "text": (), "audio": ("recordings",)}


def copy_runtime(folder: Path, modality: str) -> None:
    """Copy what predicts into a folder.

    Args:
        folder: The exported model.
        modality: What its items are; the others' files are left out.
    """
    source = Path(runtime.__file__).parent
    for path in sorted(source.rglob("*.py")):
        inside = path.relative_to(source)
        part = inside.parts[0] if len(inside.parts) > 1 else None
        if part is not None and part not in PARTS[modality]:
            continue
        target = folder / SCRIPT if inside == Path(SCRIPT) else folder / PACKAGE / inside
        _write(target, path.read_text("utf-8"))
    _write(folder / PACKAGE / "errors.py", Path(errors.__file__).read_text("utf-8"))
    (folder / "requirements.txt").write_text("\n".join(REQUIREMENTS[modality]) + "\n", "utf-8")


def _write(target: Path, code: str) -> None:
    """Write a file of code; what it imports of ours lies in the copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    names = {"headstart.runtime": PACKAGE, "headstart.errors": f"{PACKAGE}.errors"}
    target.write_text(_OURS.sub(lambda found: names[found.group()], code), "utf-8")
