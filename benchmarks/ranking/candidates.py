"""The candidates of the ranking benchmark, each a folder that ``dir:`` reads, but for ResNet-20.

Images: MobileNetV2 and SqueezeNet (ImageNet) whole at several sizes of picture and cut off after earlier blocks,
ResNet-20 (CIFAR-10) through `Backbone.from_module`, and decoys with random weights. Texts: MiniLM with one to six
layers, and decoys. Decoys have the size of real candidates, so size alone cannot tell them.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from headstart.backbones import Backbone, from_scratch, load, write_folder

sys.path.insert(0, str(Path(__file__).parents[1]))  # resnet20 serves several benchmarks

WHOLE = {"mobilenet": ("mobilenetv2_100.in1k", (224, 160, 96)), "squeezenet": ("squeezenet1_0.in1k", (224, 96))}
RESNET = "resnet20.cifar10"
DECOY = "random"  # in the name of every decoy


def make(weights: Path, folder: Path, modality: str) -> dict[str, str | Backbone]:
    """Make what is not there yet.

    Args:
        weights: Folder with the pretrained image networks.
        folder: Where candidates go.
        modality: ``image`` or ``text``.

    Returns:
        Addresses, or loaded backbones, by short name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = images(weights, folder) if modality == "image" else texts(folder)
    found: dict[str, str | Backbone] = {name: f"dir:{folder / name}" for name in written}
    if modality == "image":
        import resnet20

        found["resnet20-cifar"] = resnet20.load(weights / RESNET)
    return found


def images(weights: Path, folder: Path) -> Iterator[str]:
    for short, (network, sizes) in WHOLE.items():
        for pixels in sizes:
            yield resized(weights / network, folder / f"{short}-{pixels}", pixels)
    mobilenet, squeezenet = (load(f"dir:{folder / name}") for name in ("mobilenet-160", "squeezenet-96"))
    for after in ("blocks.2.2", "blocks.4.2"):
        yield written(lambda cut=after: mobilenet.truncated(cut), folder / f"mobilenet-160-{after}")
    middle = squeezenet.cuts[len(squeezenet.cuts) // 2]
    yield written(lambda: squeezenet.truncated(middle), folder / f"squeezenet-96-{middle}")
    yield written(lambda: from_scratch(mobilenet, seed=0), folder / f"mobilenet-160-{DECOY}")
    yield written(lambda: from_scratch(squeezenet, seed=0), folder / f"squeezenet-96-{DECOY}")


def texts(folder: Path) -> Iterator[str]:
    whole = load("starter:minilm-l6")
    layers = whole.cuts[1:]  # the first cut is after the embeddings
    for number, after in enumerate(layers, 1):
        yield written(lambda cut=after: whole.truncated(cut), folder / f"minilm-{number}")
    yield written(lambda: from_scratch(whole, seed=0), folder / f"minilm-6-{DECOY}")
    short = from_scratch(whole.truncated(layers[2]), seed=1)
    yield written(lambda: short, folder / f"minilm-3-{DECOY}")


def resized(source: Path, folder: Path, pixels: int) -> str:
    """Copy a network's folder with another size of picture."""
    if not folder.exists():
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        config.get("pretrained_cfg", config)["input_size"] = [3, pixels, pixels]
        folder.mkdir()
        shutil.copy(source / "model.safetensors", folder)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder.name


def written(make_backbone, folder: Path) -> str:
    if not folder.exists():
        write_folder(make_backbone(), folder)
    return folder.name
